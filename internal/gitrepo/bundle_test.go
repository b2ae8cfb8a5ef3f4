package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// bundle makes one with the real git, and returns its path.
func (g *git) bundle(args ...string) string {
	g.t.Helper()
	file := filepath.Join(g.t.TempDir(), "b.bundle")
	g.run(slices.Concat([]string{"bundle", "create", "-q"}, args[:len(args)-1], []string{file}, strings.Fields(args[len(args)-1]))...)
	return file
}

// A mirror is filled by bundles alone, whose URL leads nowhere: whole, then by what is new, which git
// writes as deltas of what the mirror has.
func TestBundle(t *testing.T) {
	for _, version := range []string{"--version=2", "--version=3"} {
		t.Run(version, func(t *testing.T) {
			g := newGit(t)
			long := strings.Repeat("a line of a long file that deltas well\n", 200)
			one := g.commit(map[string]string{"long": long, "d/x": "1"})
			dir := filepath.Join(t.TempDir(), "mirror.git")
			take := func(file string) (*Repo, lcm.Revision, error) {
				r := mirrorOf(t, Config{URL: filepath.Join(t.TempDir(), "down"), Dir: dir, Bundle: file})
				head, err := r.Fetch(t.Context())
				return r, head, errors.Join(err, r.Stale(), r.Close())
			}
			if _, head, err := take(g.bundle(version, "main")); err != nil || head != one {
				t.Fatal(head, err)
			}
			two := g.commit(map[string]string{"long": long + "more\n"})
			blob := g.feed("an approval", "hash-object", "-w", "--stdin")
			name := "refs/lcm/approvals/" + string(two) + "/alice"
			g.run("update-ref", name, blob)
			thin := g.bundle(version, "main "+name+" ^"+string(one))
			if _, head, err := take(thin); err != nil || head != two {
				t.Fatal(head, err)
			}
			// Once more: it is there. And what the next bundle does not speak of is not gone.
			three := g.commit(map[string]string{"long": long + "even more\n"})
			for file, want := range map[string]lcm.Revision{thin: two, g.bundle(version, "HEAD ^"+string(two)): three} {
				if _, head, err := take(file); err != nil || head != want {
					t.Fatal(head, want, err)
				}
			}
			(&git{t, dir}).run("fsck", "--strict", "--full")
			r := mirrorOf(t, Config{URL: g.dir, Dir: dir})
			if got := files(t, r, two)["long"]; got != long+"more\n" {
				t.Errorf("%d bytes", len(got))
			}
			if all, err := r.refs.list(approvalPrefix); err != nil || all[name].String() != blob {
				t.Errorf("%v, %v", all, err)
			}
			fetch(t, r, three)
		})
	}
}

// TestBundleRefuses offers what is no bundle, or none for us: the mirror stays as it is.
func TestBundleRefuses(t *testing.T) {
	g := newGit(t)
	one := g.commit(map[string]string{"a": "1"})
	g.commit(map[string]string{"a": "2"})
	three := g.commit(map[string]string{"a": "3", "b": strings.Repeat("b", 3000)})
	read := func(file string) []byte {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	full := read(g.bundle("main"))
	pack := bytes.Index(full, []byte("PACK"))
	header := func(text string) []byte { return append([]byte(text), full[pack:]...) }
	ref := string(three) + " refs/heads/main\n"
	flipped := bytes.Clone(full)
	flipped[pack+40] ^= 1
	g.run("branch", "other")
	tests := map[string]struct {
		bundle []byte
		says   string
	}{
		"empty":             {nil, "none that git makes"},
		"garbage":           {bytes.Repeat([]byte{0xff}, 1<<20), "limit"},
		"a text":            {[]byte("hello\n"), "none that git makes"},
		"version 1":         {header("# v1 git bundle\n" + ref + "\n"), "none that git makes"},
		"only a pack":       {full[pack:], ""},
		"cut in its header": {full[:pack-3], "cut short"},
		"cut in its pack":   {full[:len(full)-30], ""},
		"without a pack":    {full[:pack], ""},
		"an empty pack":     {append(bytes.Clone(full[:pack]), (&packOf{}).bytes()...), "lacks " + string(three)},
		"one bit changed":   {flipped, ""},
		"bytes after it":    {append(bytes.Clone(full), 'x'), "bytes follow"},
		"another's commits": {read(g.bundle("main ^" + string(one))), "builds on commit " + one.Short()},
		"denies what it lacks": {append([]byte("# v2 git bundle\n"+ref+"\n"),
			read(g.bundle("main ^" + string(one)))[bytes.Index(read(g.bundle("main ^"+string(one))), []byte("PACK")):]...), "incomplete"},
		"another branch":           {read(g.bundle("other")), "neither refs/heads/main nor HEAD"},
		"no references":            {header("# v2 git bundle\n\n"), "neither refs/heads/main nor HEAD"},
		"a head that is not in it": {header("# v2 git bundle\n" + strings.Repeat("ab", 20) + " refs/heads/main\n\n"), "lacks abab"},
		"a head that is a file":    {header("# v2 git bundle\n" + g.run("rev-parse", "main:a") + " refs/heads/main\n\n"), "the head of the branch"},
		"two heads":                {header("# v2 git bundle\n" + ref + string(one) + " refs/heads/main\n\n"), "twice"},
		"a short id":               {header("# v2 git bundle\n" + ref[2:] + "\n"), "not an object id"},
		"SHA-256":                  {header("# v3 git bundle\n@object-format=sha256\n" + ref + "\n"), "object-format=sha256"},
		"a filter":                 {header("# v3 git bundle\n@object-format=sha1\n@filter=blob:none\n" + ref + "\n"), "filter=blob:none"},
		"v3 said to be v2":         {header("# v2 git bundle\n@object-format=sha1\n" + ref + "\n"), "not an object id"},
		"a huge line":              {header("# v2 git bundle\n-" + string(one) + " " + strings.Repeat("x", 1<<20) + "\n" + ref + "\n"), "limit"},
		"a huge header":            {header("# v2 git bundle\n" + strings.Repeat(string(one)+" refs/tags/t\n", maxBundleHeader/50) + ref + "\n"), "limit"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "b")
			if err := os.WriteFile(file, tt.bundle, 0o600); err != nil {
				t.Fatal(err)
			}
			r := mirrorOf(t, Config{URL: g.dir, Bundle: file})
			if head, err := r.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s, %v", head, err)
			}
			if _, err := r.Head("main"); !errors.Is(err, ErrNoBranch) {
				t.Errorf("the branch was moved: %v", err)
			}
		})
	}
	if r := mirrorOf(t, Config{URL: g.dir, Bundle: filepath.Join(t.TempDir(), "none")}); true {
		if _, err := r.Fetch(t.Context()); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
}

// The limits of a fetch hold for a bundle, and it leaves nothing behind.
func TestBundleLimits(t *testing.T) {
	g := newGit(t)
	noise := strings.Builder{}
	for i := range 5000 {
		fmt.Fprintf(&noise, "%x", i*7919)
	}
	g.commit(map[string]string{"a": noise.String()})
	r := mirrorOf(t, Config{URL: g.dir, Bundle: g.bundle("main"), Limits: Limits{MaxFetchBytes: 2000}})
	var limit *LimitError
	if _, err := r.Fetch(t.Context()); !errors.As(err, &limit) {
		t.Errorf("%v", err)
	}
	if d := cmp.Diff([]string(nil), storedFiles(t, r)); d != "" {
		t.Error(d)
	}
}

func FuzzBundle(f *testing.F) {
	id := strings.Repeat("ab", 20)
	f.Add([]byte("# v2 git bundle\n-" + id + " a subject\n" + id + " refs/heads/main\n\nPACK"))
	f.Add([]byte("# v3 git bundle\n@object-format=sha1\n" + id + " HEAD\n\nPACK"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "b")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		talk, err := (&bundleSource{file}).list(t.Context(), "refs/heads/main")
		if err != nil {
			return
		}
		if _, ok := talk.refs()["refs/heads/main"]; !ok {
			t.Error("no branch, and no error")
		}
		if err := talk.close(); err != nil {
			t.Error(err)
		}
	})
}
