package gitrepo

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxParents is how many parents a commit may have.
const maxParents = 64

// Commit reads and parses a commit. Its slices must not be changed.
func (r *Repo) Commit(rev lcm.Revision) (*Commit, error) {
	id, err := parseID(string(rev))
	if err != nil {
		return nil, err
	}
	raw, err := r.objects.read(id, plumbing.CommitObject)
	if err != nil {
		return nil, err
	}
	return parseCommit(string(rev), raw)
}

// FirstParent tells the first parent of a commit by its first bytes alone, which nobody has checked: it is for whoever
// goes back along a branch, to read each commit on the way forth. It is "" where Commit has to tell.
func (r *Repo) FirstParent(rev lcm.Revision) lcm.Revision {
	id, err := parseID(string(rev))
	if err != nil {
		return ""
	}
	const begin, end = len("tree ") + hexID + len("\nparent "), len("tree ") + hexID + len("\nparent ") + hexID
	var head [end + 40]byte // with room for what the end may be packed together with
	if n := r.objects.begins(id, head[:]); n < end || !bytes.HasSuffix(head[:begin], []byte("\nparent ")) {
		return ""
	}
	if parent := string(head[begin:end]); isHexID(parent) {
		return lcm.Revision(parent)
	}
	return ""
}

// ParseCommit parses a commit object from its raw bytes, without the "commit <size>" in front. They
// must hash to id, and be exactly what Git writes: a tree, parents, an author, a committer, then at
// most one encoding, merged tags and at last one signature. Anything else is a *MalformedError.
func ParseCommit(id lcm.Revision, raw []byte) (*Commit, error) {
	want, err := parseID(string(id))
	if err != nil {
		return nil, err
	}
	if !newObjectHasher().matches(want, plumbing.CommitObject, raw) {
		return nil, &MalformedError{Object: string(id), Kind: "commit", Reason: "its bytes do not hash to its id"}
	}
	return parseCommit(string(id), raw)
}

func parseCommit(id string, raw []byte) (*Commit, error) {
	p := commitParser{raw: raw, commit: &Commit{ID: lcm.Revision(id)}}
	if err := p.parse(); err != nil {
		return nil, &MalformedError{Object: id, Kind: "commit", Reason: err.Error()}
	}
	return p.commit, nil
}

// commitParser goes once through the header of a commit. Its order is Git's own, so that there is one
// way to write a commit and nothing hides between what we read and what Git shows.
type commitParser struct {
	raw    []byte
	header string // up to and without the empty line
	pos    int    // in header
	commit *Commit
}

func (p *commitParser) parse() error {
	end := bytes.Index(p.raw, []byte("\n\n"))
	if end < 0 {
		return fmt.Errorf("no empty line ends its header")
	}
	if bytes.IndexByte(p.raw, 0) >= 0 {
		return fmt.Errorf("it holds a NUL byte")
	}
	p.header = string(p.raw[:end+1])
	p.commit.Message = string(p.raw[end+2:])
	p.commit.Payload = p.raw
	if err := p.links(); err != nil {
		return err
	}
	if err := p.people(); err != nil {
		return err
	}
	return p.rest()
}

// value takes the next line if it is a header of that name.
func (p *commitParser) value(name string) (string, bool) {
	line, ok := strings.CutPrefix(p.header[p.pos:], name)
	if !ok || line == "" || line[0] != ' ' {
		return "", false
	}
	line = line[1:]
	line = line[:strings.IndexByte(line, '\n')] // the header ends with a newline
	p.pos += len(name) + 1 + len(line) + 1
	return line, true
}

func (p *commitParser) links() error {
	tree, ok := p.value("tree")
	if !ok || !isHexID(tree) {
		return fmt.Errorf("its first line is not a tree with its id")
	}
	p.commit.Tree = strings.Clone(tree) // what is kept of a commit must not keep its header
	for {
		parent, ok := p.value("parent")
		if !ok {
			return nil
		}
		switch {
		case !isHexID(parent):
			return fmt.Errorf("a parent is not an object id")
		case slices.Contains(p.commit.Parents, lcm.Revision(parent)):
			return fmt.Errorf("parent %s is listed twice", parent)
		case len(p.commit.Parents) == maxParents:
			return fmt.Errorf("it has more than %d parents", maxParents)
		}
		p.commit.Parents = append(p.commit.Parents, lcm.Revision(strings.Clone(parent)))
	}
}

func (p *commitParser) people() (err error) {
	author, ok := p.value("author")
	if !ok {
		return fmt.Errorf("no author follows its tree and parents (%s)", p.here())
	}
	if p.commit.Author, err = parseIdent(author); err != nil {
		return fmt.Errorf("author: %w", err)
	}
	committer, ok := p.value("committer")
	if !ok {
		return fmt.Errorf("no committer follows its author (%s)", p.here())
	}
	if committer == author {
		p.commit.Committer = p.commit.Author
	} else if p.commit.Committer, err = parseIdent(committer); err != nil {
		return fmt.Errorf("committer: %w", err)
	}
	return nil
}

// rest reads what may follow the committer: encoding, mergetag…, gpgsig, in this order.
func (p *commitParser) rest() error {
	if encoding, ok := p.value("encoding"); ok && !printable(encoding) {
		return fmt.Errorf("its encoding is not a word")
	}
	for {
		if _, ok := p.value("mergetag"); !ok {
			break
		}
		p.continuation()
	}
	if p.pos == len(p.header) {
		return nil
	}
	start := p.pos
	for _, name := range [...]string{"gpgsig", "gpgsig-sha256"} {
		first, ok := p.value(name)
		if !ok {
			continue
		}
		lines := p.continuation()
		if name == "gpgsig" {
			p.commit.Signature = unfold(first, lines)
		}
		p.commit.Payload = slices.Concat(p.raw[:start], p.raw[p.pos:])
		break
	}
	if p.pos < len(p.header) {
		return fmt.Errorf("a header that does not belong there (%s)", p.here())
	}
	return nil
}

// continuation takes the lines that begin with a space.
func (p *commitParser) continuation() string {
	start := p.pos
	for p.pos < len(p.header) && p.header[p.pos] == ' ' {
		p.pos += strings.IndexByte(p.header[p.pos:], '\n') + 1
	}
	return p.header[start:p.pos]
}

// unfold joins the lines of a signature as Git does: without the space in front, with a newline after
// each.
func unfold(first, more string) []byte {
	out := make([]byte, 0, len(first)+1+len(more))
	out = append(out, first...)
	out = append(out, '\n')
	for line := range strings.Lines(more) {
		out = append(out, line[1:]...)
	}
	return out
}

// here quotes the beginning of the line that was not understood.
func (p *commitParser) here() string {
	line, _, _ := strings.Cut(p.header[p.pos:], "\n")
	if line == "" {
		return "the header ends"
	}
	name, _, _ := strings.Cut(line, " ")
	return "at " + strconv.Quote(name[:min(len(name), 40)])
}

// maxSeconds is the end of the year 9999; beyond it, JSON and RFC 3339 have no dates.
const maxSeconds = 253402300799

// parseIdent parses `name <email> seconds zone`.
func parseIdent(s string) (Ident, error) {
	open, shut := strings.IndexByte(s, '<'), strings.IndexByte(s, '>')
	if open < 0 || shut < open || strings.ContainsAny(s[open+1:shut], "<") || strings.ContainsAny(s[shut+1:], "<>") {
		return Ident{}, fmt.Errorf("it is not of the form `name <email> time zone`")
	}
	if open > 0 && s[open-1] != ' ' {
		return Ident{}, fmt.Errorf("no space between name and email")
	}
	if !plain(s[:shut]) {
		return Ident{}, fmt.Errorf("it holds control characters")
	}
	when, err := parseWhen(s[shut+1:])
	if err != nil {
		return Ident{}, err
	}
	s = strings.Clone(s[:shut])
	return Ident{Name: strings.TrimSuffix(s[:open], " "), Email: s[open+1:], When: when}, nil
}

// parseWhen parses ` 1700000000 +0200`.
func parseWhen(s string) (time.Time, error) {
	digits, zone, ok := strings.Cut(strings.TrimPrefix(s, " "), " ")
	if !ok || s[0] != ' ' || !isDigits(digits) || len(digits) > 1 && digits[0] == '0' {
		return time.Time{}, fmt.Errorf("its time is not seconds and a zone")
	}
	seconds, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || seconds > maxSeconds {
		return time.Time{}, fmt.Errorf("its time is beyond the year 9999")
	}
	if len(zone) != 5 || zone[0] != '+' && zone[0] != '-' || !isDigits(zone[1:]) {
		return time.Time{}, fmt.Errorf("its time zone is not of the form +0000")
	}
	hours, minutes := int(zone[1]-'0')*10+int(zone[2]-'0'), int(zone[3]-'0')*10+int(zone[4]-'0')
	if hours > 23 || minutes > 59 {
		return time.Time{}, fmt.Errorf("its time zone does not exist")
	}
	offset := (hours*60 + minutes) * 60
	if zone[0] == '-' {
		offset = -offset
	}
	return time.Unix(seconds, 0).In(time.FixedZone("", offset)), nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// plain reports whether s is free of control characters, which would reach terminals through reports.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

func printable(s string) bool { return s != "" && plain(s) && !strings.Contains(s, " ") }
