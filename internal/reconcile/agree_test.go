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
	"github.com/llm-config-manager/lcm/internal/rule/hostile"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store/bolt"
)

// TestAgree puts every example and every case of the catalogue before the linter and before the daemon: a whole pass,
// from the fetch on, over Git objects. Both find the same. By nature the daemon has more in four ways:
//
//   - what its trust policy refuses it does not even check; the check of the same objects is compared then;
//   - it opens secrets, and so sees that a sealed file was changed by hand;
//   - it holds what refers to such a secret, too;
//   - it knows who changed a document, and judges by it where the linter can only say that it can't.
func TestAgree(t *testing.T) {
	d := newDaemon(t)
	for name, e := range examples(t) {
		t.Run(name, func(t *testing.T) {
			repository, err := e.Repository()
			if err != nil {
				t.Fatal(err)
			}
			report := d.agrees(t, name, repository)
			if e.Leaks(fmt.Sprint(report.Findings, report.Held, report.Refusal)) {
				t.Error("the daemon repeats a credential")
			}
		})
	}
	t.Logf("%d repositories; %d refused by trust before they are checked; in %d the daemon sees besides that a sealed file was changed", d.judged, d.refused, d.changed)
}

// agrees demands that both find the same in a repository.
func (d *daemon) agrees(t *testing.T, name string, repository rule.Repository) *Report {
	t.Helper()
	linted := lint(t, &d.linter, repository)
	report, objects := d.judge(t, repository)
	found := found(report)
	switch {
	case report.Refusal != nil:
		d.refused++
		refusedByTrust(t, report, linted)
		var err error
		if found, _, err = d.packs.Since(t.Context(), objects, nil); err != nil {
			t.Fatal(err)
		}
	case name == "policy/change":
		judgedByChange(t, found)
		return report
	default:
		var n int
		found, n = unopened(found, repository)
		d.changed += min(n, 1)
	}
	if d := cmp.Diff(lines(linted), lines(found)); d != "" {
		t.Errorf("linter (-) and daemon (+):\n%s", d)
	}
	return report
}

// lint does what lcm-lint does with a folder.
func lint(t *testing.T, packs *check.Packs, repository rule.Repository) []diag.Finding {
	t.Helper()
	dir := t.TempDir()
	if err := repository.Write(dir); err != nil {
		t.Fatal(err)
	}
	findings, _, err := packs.Since(t.Context(), os.DirFS(dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// found lists what a pass found, each once: what holds a namespace may hold others as well.
func found(report *Report) []diag.Finding {
	all := slices.Clone(report.Findings)
	for _, h := range report.Held {
		all = append(all, h.Findings...)
	}
	return diag.Sort(all)
}

// refusedByTrust demands that the policy was refused, for the reason that the linter gives for its file.
func refusedByTrust(t *testing.T, report *Report, linted []diag.Finding) {
	t.Helper()
	if report.Refusal.Rule != "trust/policy-unsound" || len(linted) == 0 || !strings.EqualFold(linted[0].File[:4], ".lcm") {
		t.Fatalf("%v, and the linter says %v", report.Refusal, linted)
	}
	if f := linted[0]; strings.HasPrefix(f.Rule, "trust/") && !strings.Contains(report.Refusal.Reason, f.Rule+": "+f.Message) {
		t.Errorf("trust says %q, the linter %q", report.Refusal.Reason, f)
	}
}

// judgedByChange demands that the daemon judges by the rule of which the linter said that it can't.
func judgedByChange(t *testing.T, found []diag.Finding) {
	t.Helper()
	for _, f := range found {
		if f.Rule != "policy/who/reviewed" || f.Severity != diag.Error {
			t.Error(f)
		}
	}
	if len(found) == 0 {
		t.Error("the rule was not judged")
	}
}

// unopened leaves out, and counts, what shows only when secrets are opened: that a sealed file of the base is not what
// was sealed, and what is held since it refers to one.
func unopened(found []diag.Finding, repository rule.Repository) (rest []diag.Finding, n int) {
	base := rule.Base()
	for _, f := range found {
		changed := strings.HasSuffix(f.File, ".sops.yaml") && string(repository[f.File].Data) != string(base[f.File].Data)
		if changed && f.Line == 1 && slices.Contains([]string{"sops/mac", "sops/value"}, f.Rule) || n > 0 && f.Rule == refHeld {
			n++
			continue
		}
		rest = append(rest, f)
	}
	return rest, n
}

// lines are findings without what depends on chance: which of several documents makes rules overrun first.
func lines(findings []diag.Finding) (out []string) {
	for _, f := range findings {
		line, _, _ := strings.Cut(f.String(), " by the repository's own rules: ")
		out = append(out, line)
	}
	return slices.Compact(out)
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
		if r.Bad == nil {
			continue
		}
		if out[r.ID] = r.Bad; !r.Format { // which share the right one
			out[r.ID+"/right"] = r.Good
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

	linter                   check.Packs // beside it, what it compiled the last time
	judged, refused, changed int         // repositories
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
	for _, name := range []string{"vault", "runtime", "redis"} {
		b, err := bolt.New(bolt.Config{Path: filepath.Join(dir, name+".db"), SealKey: key.Derive(masterkey.SealBolt)})
		must(err)
		t.Cleanup(func() { b.Close() })
		targets[name] = Target{Target: b, MaxClassification: lcm.Restricted}
	}
	r, err := New(Config{Repository: "acme-config", Branch: "main", Tenants: []string{"*"}, Introduction: "0000000000000000000000000000000000000000", Repo: mirror,
		State: db, Opener: opener, Targets: targets, Key: key})
	must(err)
	return &daemon{Reconciler: r, origin: origin, linter: check.Packs{Now: r.Now}}
}

// judge makes a repository the daemon's whole history, and lets it make a pass over that. It returns the objects, too.
func (d *daemon) judge(t *testing.T, repository rule.Repository) (*Report, fs.FS) {
	t.Helper()
	head, err := d.write(repository)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.origin.SetBranch("main", head); err != nil {
		t.Fatal(err)
	}
	d.Introduction = head
	d.judged++
	report, err := d.Pass(t.Context(), Options{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := d.Repo.Tree(head)
	if err != nil {
		t.Fatal(err)
	}
	return report, objects
}

// write makes a commit of a repository, without any before it.
func (d *daemon) write(repository rule.Repository) (lcm.Revision, error) {
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
	return d.origin.Write(e)
}

func blobID(data []byte) string {
	return fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(data), data)))
}

// unfetched are hostile repositories that cannot even be written as Git objects, by our own code or to our mirror.
var unfetched = map[string]string{
	"more than 1 MiB":     "the file exceeds the limit of 2097152 bytes",
	"a name that colours": "holds control characters or is not UTF-8",
}

// What was made to hang or to mislead is told by both in the same way, too.
func TestAgreeOnHostile(t *testing.T) {
	d := newDaemon(t)
	for _, c := range hostile.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			repository := rule.Base()
			c.Change(repository)
			if why := unfetched[c.Name]; why == "" {
				d.agrees(t, c.Name, repository)
			} else if _, err := d.write(repository); err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("%v, want %q", err, why)
			}
		})
	}
	t.Logf("%d repositories; %d refused by trust before they are checked", d.judged, d.refused)
}
