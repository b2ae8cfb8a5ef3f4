package reconcile

import (
	"crypto/sha1"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/rule"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store/bolt"
)

// TestAgree puts every example and every case of the catalogue before the linter and before the daemon: a whole pass,
// from the fetch on, over Git objects. Both find the same, but for what `more` and `refused` say.
func TestAgree(t *testing.T) {
	d := newDaemon(t)
	for name, e := range examples(t) {
		t.Run(name, func(t *testing.T) {
			repository, err := e.Repository()
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := repository.Write(dir); err != nil {
				t.Fatal(err)
			}
			linted, err := check.Repository(t.Context(), os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			report := d.judge(t, repository)
			if d := differ(linted, report); d != "" {
				t.Error(d)
			}
			for _, value := range e.Secrets() {
				if strings.Contains(fmt.Sprint(report.Findings, report.Held, report.Refusal), value) {
					t.Error("the daemon repeats a credential")
				}
			}
		})
	}
}

func differ(linted []diag.Finding, report *Report) string {
	if report.Refusal != nil {
		return "refused: " + report.Refusal.Error()
	}
	found := slices.Clone(report.Findings)
	for _, h := range report.Held {
		found = append(found, h.Findings...)
	}
	return cmp.Diff(lines(linted), lines(diag.Sort(found)))
}

func lines(findings []diag.Finding) (out []string) {
	for _, f := range findings {
		out = append(out, f.String())
	}
	return out
}

// examples lists what the catalogue has by names: <rule>, <rule>/right, and the further cases.
func examples(t *testing.T) map[string]*rule.Example {
	t.Helper()
	rules, err := rule.All()
	if err != nil {
		t.Fatal(err)
	}
	cases, err := rule.Cases(os.DirFS("../rule/testdata/cases"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*rule.Example{}
	for _, r := range rules {
		if r.Bad != nil {
			out[r.ID], out[r.ID+"/right"] = r.Bad, r.Good
		}
	}
	for _, c := range cases {
		out[c.Name] = c.Bad
	}
	return out
}

// daemon is a reconciler that is given one repository after the other, each as the introduction that its operator
// trusts. Its passes are dry, so that nothing of one is left for the next.
type daemon struct {
	*Reconciler
	origin *gitrepo.Repo
}

func newDaemon(t *testing.T) *daemon {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	origin, err := gitrepo.Init(filepath.Join(dir, "origin.git"))
	must(err)
	t.Cleanup(func() { origin.Close() })
	mirror, err := gitrepo.OpenMirror(gitrepo.Config{URL: filepath.Join(dir, "origin.git"), Branch: "main", Dir: filepath.Join(dir, "mirror.git")})
	must(err)
	t.Cleanup(func() { mirror.Close() })
	key := masterkey.Random()
	db, err := state.Open(state.Config{Path: filepath.Join(dir, "state.db"), Repository: "acme-config", Key: key.Derive(masterkey.State)})
	must(err)
	t.Cleanup(func() { db.Close() })
	opener, err := sopsfile.NewOpener(sopsfile.Config{IdentityFile: "../../examples/repo-layout/EXAMPLE-AGE-KEY-DO-NOT-USE.txt"})
	must(err)
	targets := map[string]Target{}
	for _, name := range []string{"vault", "runtime"} {
		b, err := bolt.New(bolt.Config{Path: filepath.Join(dir, name+".db"), SealKey: key.Derive(masterkey.SealBolt)})
		must(err)
		t.Cleanup(func() { b.Close() })
		targets[name] = Target{Target: b, MaxClassification: lcm.Restricted}
	}
	r, err := New(Config{Repository: "acme-config", Branch: "main", Tenants: []string{"*"}, Introduction: "0000000000000000000000000000000000000000", Repo: mirror,
		State: db, Opener: opener, Targets: targets, Key: key})
	must(err)
	return &daemon{r, origin}
}

// judge makes a repository the daemon's whole history, and lets it make a pass over that.
func (d *daemon) judge(t *testing.T, repository rule.Repository) *Report {
	t.Helper()
	e := gitrepo.Edit{Files: map[string][]byte{}, Blobs: map[string]gitrepo.Blob{}, Message: "all\n",
		Author: gitrepo.Ident{Name: "a", Email: "a@example.org", When: time.Unix(1_800_000_000, 0)}}
	for name, f := range repository {
		if e.Files[name] = f.Data; f.Mode != 0o644 {
			// What is written as a plain file first is a blob that another name can be given to, with another mode.
			e.Files["blobs/"+name] = f.Data
			delete(e.Files, name)
			e.Blobs[name] = gitrepo.Blob{ID: blobID(f.Data), Mode: map[bool]uint32{true: gitrepo.ModeSymlink, false: gitrepo.ModeExecutable}[f.Mode&fs.ModeSymlink != 0]}
		}
	}
	head, err := d.origin.Write(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.origin.SetBranch("main", head); err != nil {
		t.Fatal(err)
	}
	d.Introduction = head
	report, err := d.Pass(t.Context(), Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func blobID(data []byte) string {
	return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data)))
}
