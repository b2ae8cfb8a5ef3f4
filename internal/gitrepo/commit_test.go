package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/go-cmp/cmp"
	"github.com/hiddeco/sshsig"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

func idOf(t *testing.T, raw []byte) lcm.Revision {
	t.Helper()
	id, ok := newObjectHasher().sum(plumbing.CommitObject, raw)
	if !ok {
		t.Fatal("collision")
	}
	return lcm.Revision(id.String())
}

func TestParseSignedCommitOfGit(t *testing.T) {
	g := newGit(t)
	g.signingKey()
	first := g.commit(map[string]string{"a": "1"}, "-S")
	second := g.commit(map[string]string{"a": "2"}, "-S", "-m", "Subject\n\nBody with gpgsig in it\n")
	raw := g.raw("commit", string(second))
	c, err := ParseCommit(second, raw)
	if err != nil {
		t.Fatal(err)
	}
	want := &Commit{
		ID:        second,
		Tree:      g.run("rev-parse", "HEAD^{tree}"),
		Parents:   []lcm.Revision{first},
		Author:    Ident{"Alice Müller", "alice@example.org", time.Unix(1700000000, 0).In(time.FixedZone("", 5400))},
		Committer: Ident{"Bob", "bob@example.org", time.Unix(1700000001, 0).In(time.FixedZone("", -8*3600))},
		Message:   "A change\n\nSubject\n\nBody with gpgsig in it\n",
	}
	got := *c
	got.Signature, got.Payload = nil, nil
	if d := cmp.Diff(want, &got); d != "" {
		t.Error(d)
	}
	verify(t, c)
}

// verify checks the SSH signature of a commit against the key in it.
func verify(t *testing.T, c *Commit) {
	t.Helper()
	sig, err := sshsig.Unarmor(c.Signature)
	if err != nil {
		t.Fatal(err)
	}
	if err := sshsig.Verify(bytes.NewReader(c.Payload), sig, sig.PublicKey, sig.HashAlgorithm, "git"); err != nil {
		t.Errorf("the signature does not cover the payload: %v\n%s", err, c.Payload)
	}
}

func TestParseMergeOfSignedTag(t *testing.T) {
	g := newGit(t)
	g.signingKey()
	base := g.commit(map[string]string{"a": "1"}, "-S")
	g.run("checkout", "-q", "-b", "side")
	side := g.commit(map[string]string{"b": "1"}, "-S")
	g.run("tag", "-s", "-m", "a tag", "v1")
	g.run("checkout", "-q", "main")
	g.commit(map[string]string{"c": "1"}, "-S")
	g.run("-c", "i18n.commitEncoding=ISO-8859-1", "merge", "-q", "-S", "--no-ff", "-m", "Merge", "v1")
	raw := g.raw("commit", "HEAD")
	for _, header := range []string{"\nencoding ISO-8859-1\n", "\nmergetag object ", "\ngpgsig "} {
		if !bytes.Contains(raw, []byte(header)) {
			t.Fatalf("git wrote no %q:\n%s", header, raw)
		}
	}
	c, err := ParseCommit(g.head(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Parents) != 2 || c.Parents[1] != side || c.Parents[0] == base {
		t.Errorf("parents %v", c.Parents)
	}
	verify(t, c)
}

func TestParseUnsigned(t *testing.T) {
	g := newGit(t)
	rev := g.commit(map[string]string{"a": "1"})
	raw := g.raw("commit", string(rev))
	c, err := ParseCommit(rev, raw)
	if err != nil {
		t.Fatal(err)
	}
	if c.Signature != nil || !bytes.Equal(c.Payload, raw) || c.Parents != nil {
		t.Errorf("got %+v", c)
	}
}

func TestParseCommitChecksID(t *testing.T) {
	raw := []byte(head + "\nm\n")
	id := idOf(t, raw)
	if _, err := ParseCommit(id, raw); err != nil {
		t.Fatal(err)
	}
	var malformed *MalformedError
	if _, err := ParseCommit(id, append(raw, '\n')); !errors.As(err, &malformed) {
		t.Errorf("other bytes under the same id: %v", err)
	}
	if _, err := ParseCommit("HEAD", raw); err == nil {
		t.Error("HEAD passed for an id")
	}
}

const (
	treeLine   = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
	parentLine = "parent 1234567890123456789012345678901234567890\n"
	people     = "author A <a@x> 1 +0000\ncommitter B <b@x> 2 +0000\n"
	head       = treeLine + parentLine + people
	sig        = "gpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----\n"
)

func TestParseCommitRefuses(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "parent %040x\n", i)
		}
		return b.String()
	}
	tests := map[string]string{
		"no empty line":           head,
		"empty":                   "",
		"no tree":                 parentLine + people + "\n",
		"two trees":               treeLine + treeLine + people + "\n",
		"tree after parent":       parentLine + treeLine + people + "\n",
		"tree in capitals":        strings.ToUpper(treeLine[5:10]) + treeLine[10:] + people + "\n",
		"short tree":              treeLine[:20] + "\n" + people + "\n",
		"parent twice":            treeLine + parentLine + parentLine + people + "\n",
		"parent after author":     treeLine + people + parentLine + "\n",
		"65 parents":              treeLine + many(65) + people + "\n",
		"two authors":             treeLine + "author A <a@x> 1 +0000\n" + people + "\n",
		"no author":               treeLine + "committer B <b@x> 2 +0000\n\n",
		"no committer":            treeLine + "author A <a@x> 1 +0000\n\n",
		"two committers":          head + "committer C <c@x> 2 +0000\n\n",
		"unknown header":          head + "note x\n\n",
		"unknown before gpgsig":   head + "note x\n" + sig + "\n",
		"two signatures":          head + sig + sig + "\n",
		"both signatures":         head + sig + strings.Replace(sig, "gpgsig", "gpgsig-sha256", 1) + "\n",
		"header after signature":  head + sig + "encoding x\n\n",
		"two encodings":           head + "encoding x\nencoding y\n\n",
		"encoding after mergetag": head + "mergetag object x\n type y\nencoding x\n\n",
		"stray continuation":      head + " x\n\n",
		"folded author":           treeLine + "author A\n B <a@x> 1 +0000\ncommitter B <b@x> 2 +0000\n\n",
		"NUL in header":           treeLine + "author A\x00 <a@x> 1 +0000\ncommitter B <b@x> 2 +0000\n\n",
		"NUL in message":          head + "\nmessage\x00hidden\n",
		"escape in name":          treeLine + "author \x1b[2J <a@x> 1 +0000\ncommitter B <b@x> 2 +0000\n\n",
		"no email":                treeLine + "author A 1 +0000\ncommitter B <b@x> 2 +0000\n\n",
		"two emails":              treeLine + "author A <a@x> <b@x> 1 +0000\ncommitter B <b@x> 2 +0000\n\n",
		"no space before email":   treeLine + "author A<a@x> 1 +0000\ncommitter B <b@x> 2 +0000\n\n",
		"no date":                 treeLine + "author A <a@x>\ncommitter B <b@x> 2 +0000\n\n",
		"negative date":           treeLine + "author A <a@x> -1 +0000\ncommitter B <b@x> 2 +0000\n\n",
		"padded date":             treeLine + "author A <a@x> 01 +0000\ncommitter B <b@x> 2 +0000\n\n",
		"date overflow":           treeLine + "author A <a@x> 99999999999999999999 +0000\ncommitter B <b@x> 2 +0000\n\n",
		"bad zone":                treeLine + "author A <a@x> 1 UTC\ncommitter B <b@x> 2 +0000\n\n",
		"zone too far":            treeLine + "author A <a@x> 1 +9900\ncommitter B <b@x> 2 +0000\n\n",
	}
	for name, raw := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseCommit(idOf(t, []byte(raw)), []byte(raw))
			var malformed *MalformedError
			if !errors.As(err, &malformed) {
				t.Fatalf("got %v", err)
			}
			if malformed.Reason == "" || !plain(err.Error()) {
				t.Errorf("a reason for people, please: %q", err)
			}
		})
	}
}

func TestParseCommitAccepts(t *testing.T) {
	tests := map[string]string{
		"root":          treeLine + people + "\nm\n",
		"no message":    head + "\n",
		"no name":       treeLine + "author  <a@x> 1 +0000\ncommitter <> 2 -0000\n\n",
		"two mergetags": head + "mergetag object x\n type y\nmergetag object z\n" + sig + "\nm\n",
		"encoding":      head + "encoding ISO-8859-1\n" + sig + "\nm\n",
		"sha256 alone":  head + strings.Replace(sig, "gpgsig", "gpgsig-sha256", 1) + "\nm\n",
	}
	for name, raw := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := ParseCommit(idOf(t, []byte(raw)), []byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(c.Payload, []byte("gpgsig")) {
				t.Errorf("the payload holds the signature:\n%s", c.Payload)
			}
		})
	}
}
