package gitrepo

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"golang.org/x/crypto/ssh"
)

func newRepo(t *testing.T) (*Repo, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo.git")
	r, err := Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, dir
}

var alice = Ident{Name: "Alice", Email: "alice@example.org", When: time.Unix(1700000000, 0).In(time.FixedZone("", -3600*5-1800))}

func write(t *testing.T, r *Repo, parents []lcm.Revision, files map[string]string) lcm.Revision {
	t.Helper()
	e := Edit{Parents: parents, Files: map[string][]byte{}, Message: "m", Author: alice}
	for name, content := range files {
		e.Files[name] = nil
		if content != "" {
			e.Files[name] = []byte(content)
		}
	}
	rev, err := r.Write(e)
	if err != nil {
		t.Fatal(err)
	}
	return rev
}

// files reads a whole tree.
func files(t *testing.T, r *Repo, rev lcm.Revision) map[string]string {
	t.Helper()
	tree := treeOf(t, r, rev)
	got := map[string]string{}
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := tree.ReadFile(path)
		got[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWriteIsWhatGitWouldWrite(t *testing.T) {
	r, dir := newRepo(t)
	g := &git{t, dir}
	one := write(t, r, nil, map[string]string{"a/b/c": "1", "a/b.x": "2", "a.yaml": "3", "z": "4"})
	two := write(t, r, []lcm.Revision{one}, map[string]string{"a/b/c": "", "a/new/f": "5", "z": "40"})
	if d := cmp.Diff(map[string]string{"a/b.x": "2", "a.yaml": "3", "a/new/f": "5", "z": "40"}, files(t, r, two)); d != "" {
		t.Error(d)
	}
	if err := r.SetBranch("main", two); err != nil {
		t.Fatal(err)
	}
	g.run("fsck", "--strict", "--full")
	if got := g.run("log", "-1", "--format=%H %an %ae %ai %cn %s", "main"); got != string(two)+" Alice alice@example.org 2023-11-14 16:43:20 -0530 Alice m" {
		t.Error(got)
	}
	if got := g.run("diff", "--name-status", "--no-renames", string(one), string(two)); got != "D\ta/b/c\nA\ta/new/f\nM\tz" {
		t.Error(got)
	}
	if head, err := r.Head("main"); err != nil || head != two {
		t.Error(head, err)
	}
	empty := write(t, r, []lcm.Revision{two}, map[string]string{"a/b.x": "", "a.yaml": "", "a/new/f": "", "z": ""})
	if got := files(t, r, empty); len(got) != 0 {
		t.Error(got)
	}
	merge := write(t, r, []lcm.Revision{two, one}, map[string]string{"m": "6"})
	c, err := r.Commit(merge)
	if err != nil || !cmp.Equal(c.Parents, []lcm.Revision{two, one}) {
		t.Errorf("%+v, %v", c, err)
	}
	g.run("fsck", "--strict", "--full")
}

func TestWriteSigned(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]any{"ed25519": edKey, "rsa": rsaKey} {
		t.Run(name, func(t *testing.T) {
			signer, err := ssh.NewSignerFromKey(key)
			if err != nil {
				t.Fatal(err)
			}
			r, dir := newRepo(t)
			rev, err := r.Write(Edit{
				Files:   map[string][]byte{"f": []byte("1")},
				Message: "Subject\n\nBody\n\n\n", Author: Ident{Name: "A", Email: "a@x"}, Sign: SSHSigner(signer),
			})
			if err != nil {
				t.Fatal(err)
			}
			c, err := r.Commit(rev)
			if err != nil || c.Message != "Subject\n\nBody\n" || time.Since(c.Author.When) > time.Minute {
				t.Fatalf("%+v, %v", c, err)
			}
			verify(t, c)
			g := &git{t, dir}
			allowed := filepath.Join(t.TempDir(), "allowed")
			if err := os.WriteFile(allowed, append([]byte("* "), ssh.MarshalAuthorizedKey(signer.PublicKey())...), 0o644); err != nil {
				t.Fatal(err)
			}
			g.run("-c", "gpg.ssh.allowedSignersFile="+allowed, "verify-commit", string(rev))
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	r, _ := newRepo(t)
	base := write(t, r, nil, map[string]string{"f": "1", "d/f": "2"})
	one := func(name string) Edit {
		return Edit{Parents: []lcm.Revision{base}, Files: map[string][]byte{name: []byte("x")}, Author: alice}
	}
	tests := map[string]Edit{
		"path upwards":             one("../x"),
		"absolute":                 one("/x"),
		"root":                     one("."),
		"git":                      one("a/.Git/config"),
		"newline":                  one("a\nb"),
		"not UTF-8":                one("a\xff"),
		"file over folder":         one("d"),
		"below a file":             one("f/x"),
		"too deep":                 one(strings.Repeat("d/", 40) + "f"),
		"missing parent":           {Parents: []lcm.Revision{"1234567890123456789012345678901234567890"}, Author: alice},
		"parent is no id":          {Parents: []lcm.Revision{"main"}, Author: alice},
		"same parent twice":        {Parents: []lcm.Revision{base, base}, Author: alice},
		"delete what is not there": {Parents: []lcm.Revision{base}, Files: map[string][]byte{"none": nil}, Author: alice},
		"author breaks out":        {Author: Ident{Name: "A <a@x> 1 +0000\nparent", Email: "x"}},
		"NUL in message":           {Author: alice, Message: "a\x00b"},
		"signer fails":             {Author: alice, Sign: func([]byte) ([]byte, error) { return nil, errors.New("no") }},
		"signer gives nothing":     {Author: alice, Sign: func([]byte) ([]byte, error) { return nil, nil }},
		"too large":                {Author: alice, Files: map[string][]byte{"x": make([]byte, 3<<20)}},
	}
	for name, e := range tests {
		t.Run(name, func(t *testing.T) {
			if rev, err := r.Write(e); err == nil {
				t.Errorf("wrote %s", rev)
			}
		})
	}
	if err := r.SetBranch("main", "1234567890123456789012345678901234567890"); err == nil {
		t.Error("a branch points to nothing")
	}
	for _, name := range []string{"", "-x", "a..b", "../x", "a b", "a~1", "x.lock", "a//b", ".x", "a\n", "@{1}"} {
		if err := r.SetBranch(name, base); err == nil {
			t.Errorf("branch %q was made", name)
		}
	}
}

func TestInitTwice(t *testing.T) {
	_, dir := newRepo(t)
	if _, err := Init(dir); err == nil {
		t.Error("a repository was made over another")
	}
	if _, err := Open(t.TempDir(), Limits{}); err == nil {
		t.Error("an empty folder was opened")
	}
}
