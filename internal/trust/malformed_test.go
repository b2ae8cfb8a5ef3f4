package trust

import (
	"fmt"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// 13, 14, 15: commits that no Git would write.
func TestMalformedCommits(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	evil := w.treeID(w.commit("mallory", files{prod: config("evil")}, root))
	good := w.treeID(w.commit("dev", files{dev: config("1")}, root))
	sign := gitrepo.SSHSigner(sshKey("dev"))
	ident := "Dev <dev@example.org> 1780000000 +0000"
	header := func(lines ...string) []string {
		return append(lines, "author "+ident, "committer "+ident)
	}
	last := func(h []string, s string) []string { return append(h, s) }
	plain := header("tree "+good, "parent "+string(root))

	w.accepts(root, w.rawCommit(plain, sign, last))
	for name, c := range map[string]struct {
		head lcm.Revision
		rule string
	}{
		"two trees":                 {w.rawCommit(header("tree "+good, "tree "+evil, "parent "+string(root)), sign, last), "trust/malformed-commit"},
		"a parent after the author": {w.rawCommit(append(header("tree "+good, "parent "+string(root)), "parent "+string(root)), sign, last), "trust/malformed-commit"},
		"a header after the signature": {w.rawCommit(plain, sign, func(h []string, s string) []string { return append(h, s, "tree "+evil) }),
			"trust/malformed-commit"},
		"an unknown header": {w.rawCommit(append(plain[:len(plain):len(plain)], "x-tree "+evil), sign, last), "trust/malformed-commit"},
		"two signatures":    {w.rawCommit(plain, sign, func(h []string, s string) []string { return append(h, s, s) }), "trust/malformed-commit"},
		"two in one armor": {w.rawCommit(plain, sign, func(h []string, s string) []string {
			return append(h, s+"\n "+strings.ReplaceAll(strings.TrimPrefix(s, "gpgsig "), "\n ", "\n "))
		}), "trust/several-signatures"},
		"signature of another commit": {w.rawCommit(header("tree "+evil, "parent "+string(root)), func([]byte) ([]byte, error) {
			return sign([]byte(strings.Join(plain, "\n") + "\n\nraw\n"))
		}, last), "trust/bad-signature"},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.refuses(root, c.head, c.rule)
		})
	}
}

// 25: entries that are not files.
func TestFileModes(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	target := w.raw("blob", "/etc/passwd")
	sign := gitrepo.SSHSigner(sshKey("alice"))
	for name, mode := range map[string]string{"symlink": "120000", "submodule": "160000"} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			entries := treeEntries(w, root)
			entries = append(entries, mode+" zlink\x00"+rawID(string(target)))
			tree := w.raw("tree", strings.Join(entries, ""))
			ident := "A <a@example.org> 1780000000 +0000"
			head := w.rawCommit([]string{"tree " + string(tree), "parent " + string(root), "author " + ident, "committer " + ident}, sign,
				func(h []string, s string) []string { return append(h, s) })
			w.refuses(root, head, "trust/file-mode")
		})
	}
}

// treeEntries are the raw entries of a revision's root folder.
func treeEntries(w *world, r lcm.Revision) []string {
	w.t.Helper()
	t, err := w.repo.Tree(r)
	if err != nil {
		w.t.Fatal(err)
	}
	entries, err := t.ReadDir(".")
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		id, mode, _ := t.ID(e.Name())
		out = append(out, fmt.Sprintf("%o %s\x00%s", mode, e.Name(), rawID(id)))
	}
	return out
}

func rawID(hex string) string {
	var b strings.Builder
	for i := 0; i < len(hex); i += 2 {
		var c byte
		fmt.Sscanf(hex[i:i+2], "%02x", &c)
		b.WriteByte(c)
	}
	return b.String()
}
