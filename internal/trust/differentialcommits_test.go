package trust

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// judged is one commit of the set, with the class that its verdicts are counted under.
type judged struct {
	class string
	id    lcm.Revision
	raw   string
}

// shape is a commit without its signature. The zero value of a field is what most commits have.
type shape struct {
	class, links, people, extra, message string
}

const (
	emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
	anyTag    = "mergetag object " + emptyTree + "\n type commit\n tag v1\n tagger A <a@example.org> 1 +0000\n \n message\n -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----\n"
)

// ordinary are shapes that Git itself makes.
var ordinary = []shape{
	{class: "plain"},
	{class: "a parent", links: parents(1)},
	{class: "a merge", links: parents(2)},
	{class: "an octopus", links: parents(9)},
	{class: "encoding", extra: "encoding ISO-8859-1\n", message: "\xc4nderung\n"},
	{class: "encoding of nobody", extra: "encoding x-unknown\n"},
	{class: "latin-1 unsaid", message: "\xc4nderung\n"},
	{class: "latin-1 name", people: "author J\xf6rg <j\xf6rg@example.org> %d +0200\ncommitter J\xf6rg <j@example.org> 1 -0330\n"},
	{class: "no names", people: "author  <> %d +0000\ncommitter  <> 1 -0000\n"},
	{class: "CRLF", message: "subject\r\n\r\nbody\r\n"},
	{class: "no message", message: "-"},
	{class: "no end of line", message: "subject\n\nbody"},
	{class: "empty lines", message: "\n\n\n"},
	{class: "a signature in the message", message: "subject\n\ngpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----\n"},
	{class: "a header in the message", message: "tree " + emptyTree + "\n\ngpgsig x\n\n"},
	{class: "escapes", message: "\x1b[2J\x07\x7f\ttab\n"},
	{class: "a long message", message: strings.Repeat("word ", 20_000)},
	{class: "a merged tag", links: parents(2), extra: anyTag},
	{class: "two merged tags and an encoding", links: parents(3), extra: "encoding UTF-8\n" + anyTag + anyTag},
}

// odd are shapes that Git reads and does not make.
var odd = []shape{
	{class: "an unknown header", extra: "x-note a\n"},
	{class: "an unknown header with lines", extra: "x-note a\n b\n c\n"},
	{class: "a merged tag before the encoding", extra: anyTag + "encoding UTF-8\n"},
	{class: "two encodings", extra: "encoding UTF-8\nencoding UTF-8\n"},
	{class: "an encoding with spaces", extra: "encoding a b\n"},
	{class: "a parent twice", links: "parent " + emptyTree + "\nparent " + emptyTree + "\n"},
	{class: "65 parents", links: parents(65)},
	{class: "two authors", people: "author A <a@x> %[1]d +0000\nauthor B <b@x> %[1]d +0000\ncommitter A <a@x> 1 +0000\n"},
	{class: "two committers", people: "author A <a@x> %d +0000\ncommitter A <a@x> 1 +0000\ncommitter B <b@x> 1 +0000\n"},
	{class: "no author", people: "committer A <a@x> %d +0000\n"},
	{class: "no committer", people: "author A <a@x> %d +0000\n"},
	{class: "a parent after the author", people: "author A <a@x> %d +0000\nparent " + emptyTree + "\ncommitter A <a@x> 1 +0000\n"},
	{class: "a second tree", people: "tree " + emptyTree + "\nauthor A <a@x> %d +0000\ncommitter A <a@x> 1 +0000\n"},
	{class: "an escape in a name", people: "author \x1b[2J <a@x> %d +0000\ncommitter A <a@x> 1 +0000\n"},
	{class: "no email", people: "author A %d +0000\ncommitter A <a@x> 1 +0000\n"},
	{class: "a negative date", people: "author A <a@x> -%d +0000\ncommitter A <a@x> 1 +0000\n"},
	{class: "a padded date", people: "author A <a@x> 0%d +0000\ncommitter A <a@x> 1 +0000\n"},
	{class: "a date beyond time", people: "author A <a@x> 9999999999%d +0000\ncommitter A <a@x> 1 +0000\n"},
	{class: "no time zone", people: "author A <a@x> %d\ncommitter A <a@x> 1 +0000\n"},
	{class: "a time zone of nowhere", people: "author A <a@x> %d +9999\ncommitter A <a@x> 1 +0000\n"},
	{class: "a NUL in the message", message: "subject\x00hidden\n"},
	{class: "a NUL in the header", people: "author A\x00 <a@x> %d +0000\ncommitter A <a@x> 1 +0000\n"},
	{class: "a stray line", extra: " x\n"},
}

func parents(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "parent %040x\n", i+1)
	}
	return b.String()
}

// halves are the commit's header, without the empty line after it, and its message. No two commits are the
// same.
func (s shape) halves(n int) (header, message string) {
	people := s.people
	if people == "" {
		people = "author A <a@example.org> %d +0000\ncommitter B <b@example.org> 1780000000 +0130\n"
	}
	switch message = s.message; message {
	case "":
		message = "subject\n\nbody\n"
	case "-":
		message = ""
	}
	return "tree " + emptyTree + "\n" + s.links + fmt.Sprintf(people, 1_500_000_000+n) + s.extra, message
}

// place puts a signature into a commit that was signed: into its header, before its message.
type place func(header, signature, message string) string

func last(header, signature, message string) string {
	return header + folded("gpgsig", signature) + "\n" + message
}

// before puts it before the last line of the header that begins so.
func before(line string) place {
	return func(header, signature, message string) string {
		i := strings.LastIndex(header, line)
		return header[:i] + folded("gpgsig", signature) + header[i:] + "\n" + message
	}
}

// folded is a header of several lines, as Git writes it.
func folded(name, text string) string {
	return name + " " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n ") + "\n"
}

// misplaced are commits whose signature Git would have put elsewhere, or not twice. All but the signature is
// signed.
var misplaced = map[string]struct {
	shape shape
	put   place
}{
	"a header after it":        {shape{extra: "x-note a\n"}, before("x-note")},
	"an encoding after it":     {shape{extra: "encoding UTF-8\n"}, before("encoding")},
	"a merged tag after it":    {shape{extra: anyTag}, before("mergetag")},
	"a second tree after it":   {shape{extra: "tree " + emptyTree + "\n"}, before("tree")},
	"the author after it":      {shape{}, before("author")},
	"the committer after it":   {shape{}, before("committer")},
	"a parent after it":        {shape{links: parents(1)}, before("parent")},
	"twice":                    {shape{}, func(h, s, m string) string { return h + folded("gpgsig", s) + folded("gpgsig", s) + "\n" + m }},
	"one of SHA-256 after it":  {shape{}, func(h, s, m string) string { return h + folded("gpgsig", s) + folded("gpgsig-sha256", s) + "\n" + m }},
	"one of SHA-256 before it": {shape{}, func(h, s, m string) string { return h + folded("gpgsig-sha256", s) + folded("gpgsig", s) + "\n" + m }},
	"one of SHA-256 alone":     {shape{}, func(h, s, m string) string { return h + folded("gpgsig-sha256", s) + "\n" + m }},
	"in the message":           {shape{}, func(h, s, m string) string { return h + "\n" + folded("gpgsig", s) + m }},
	"none":                     {shape{}, func(h, s, m string) string { return h + "\n" + m }},
	"an empty one":             {shape{}, func(h, s, m string) string { return h + "gpgsig \n\n" + m }},
	"not folded":               {shape{}, func(h, s, m string) string { return h + "gpgsig " + s + "\n" + m }},
	"a space more at each line": {shape{}, func(h, s, m string) string {
		return h + strings.ReplaceAll(folded("gpgsig", s), "\n ", "\n  ") + "\n" + m
	}},
	"a name without value first": {shape{}, func(h, s, m string) string { return h + "gpgsig\n" + folded("gpgsig", s) + "\n" + m }},
}

// commit writes one commit.
func (d *differential) commit(class string, m maker, s shape, put place) judged {
	d.t.Helper()
	d.n++
	header, message := s.halves(d.n)
	signature, err := m.sign([]byte(header + "\n" + message))
	if err != nil {
		d.t.Fatalf("%s: %v", class, err)
	}
	raw := put(header, string(signature), message)
	return judged{class, d.w.raw("commit", raw), raw}
}

// perMaker is how many of the ordinary shapes each way to sign is met with, in turn.
const perMaker = 4

// commits writes the whole set.
func (d *differential) commits() (all []judged) {
	makers := append(d.sshMakers(), d.openpgpMakers()...)
	next := 0
	for _, m := range makers {
		for range perMaker {
			s := ordinary[next%len(ordinary)]
			all = append(all, d.commit(m.class, m, s, last))
			next++
		}
		all = append(all, d.altered(m)...)
	}
	find := func(class string) gitrepo.Signer {
		return makers[slices.IndexFunc(makers, func(m maker) bool { return m.class == class })].sign
	}
	ssh, openpgp := find("ssh ed25519 sha512"), find("openpgp ed25519 SHA-512")
	all = append(all, d.headers("ssh", ssh)...)
	all = append(all, d.headers("openpgp", openpgp)...)
	for _, m := range slices.Concat(d.sshOthers(ssh), d.certificates(), d.openpgpOthers(openpgp), d.realMakers()) {
		all = append(all, d.commit(m.class, m, shape{}, last), d.commit(m.class, m, shape{links: parents(1), extra: anyTag}, last))
		if m.backdated {
			all = append(all, d.commit(m.class+", backdated", m, shape{people: "author A <a@x> %d +0000\ncommitter A <a@x> 1500000000 +0000\n"}, last))
		}
	}
	return all
}

// headers are the commits that Git does not make.
func (d *differential) headers(kind string, sign gitrepo.Signer) (all []judged) {
	m := maker{sign: sign}
	for _, s := range odd {
		all = append(all, d.commit("header: "+s.class, m, s, last))
	}
	for class, c := range misplaced {
		all = append(all, d.commit("signature: "+class+" ("+kind+")", m, c.shape, c.put))
	}
	return all
}

// altered are commits in which one bit is another than what was signed.
func (d *differential) altered(m maker) (all []judged) {
	for what, at := range map[string]string{"tree": emptyTree[30:], "date": " +0130", "message": "body"} {
		all = append(all, d.commit("altered "+what, m, shape{}, func(header, signature, message string) string {
			raw := []byte(last(header, signature, message))
			raw[bytes.Index(raw, []byte(at))+1] ^= 1
			return string(raw)
		}))
	}
	return all
}
