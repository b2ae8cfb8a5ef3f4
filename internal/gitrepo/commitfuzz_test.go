package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParseCommit: there is one way to write what is accepted, and no line of it is left out of both
// the signed payload and the signature.
func FuzzParseCommit(f *testing.F) {
	sha256 := strings.Replace(sig, "gpgsig", "gpgsig-sha256", 1)
	for _, raw := range []string{
		head + "\nm\n", treeLine + people + "\n", "tree \n\n",
		head + "encoding x\nmergetag object z\n type y\n" + sig + "\nm\n",
		head + sig + sig + "\n", head + sha256 + "\nm\n", head + "gpgsig \n \n\nm",
		treeLine + "author  <> 0 -0000\ncommitter é <é> 253402300799 +2359\n\n\ngpgsig x\n",
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parseCommit("x", raw)
		if err != nil {
			var malformed *MalformedError
			if !errors.As(err, &malformed) || !plain(err.Error()) {
				t.Errorf("not a reason for people: %q", err)
			}
			return
		}
		if back := rewritten(c); !bytes.Equal(back, raw) && !bytes.Equal(without(raw, "gpgsig-sha256"), back) {
			t.Errorf("%q\nbecame\n%q", raw, back)
		}
		unsigned, err := parseCommit("x", c.Payload)
		if err != nil {
			t.Fatalf("the payload by itself: %v", err)
		}
		c.Signature = nil
		if d := cmp.Diff(c, unsigned); d != "" {
			t.Error(d)
		}
	})
}

// rewritten writes a commit from what was parsed of it, as Git would.
func rewritten(c *Commit) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", c.Tree)
	for _, p := range c.Parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	header, _, _ := bytes.Cut(c.Payload, []byte("\n\n"))
	kept := false // encoding and merged tags, which are not taken apart, and the people as they stand
	for line := range bytes.Lines(append(slices.Clone(header), '\n')) {
		kept = kept || bytes.HasPrefix(line, []byte("author "))
		if kept {
			b.Write(line)
		}
	}
	if c.Signature != nil {
		b.WriteString("gpgsig " + strings.ReplaceAll(strings.TrimSuffix(string(c.Signature), "\n"), "\n", "\n ") + "\n")
	}
	return append(append(b.Bytes(), '\n'), c.Message...)
}

// without leaves out a header and the lines that go on from it.
func without(raw []byte, name string) []byte {
	header, message, _ := bytes.Cut(raw, []byte("\n\n"))
	var out []byte
	dropped := false
	for line := range bytes.Lines(append(slices.Clone(header), '\n')) {
		dropped = bytes.HasPrefix(line, []byte(name+" ")) || dropped && line[0] == ' '
		if !dropped {
			out = append(out, line...)
		}
	}
	return slices.Concat(out, []byte("\n"), message)
}
