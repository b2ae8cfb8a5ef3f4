package history

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Report is the history of an address with those who are behind it. It is lcm.history/v1 as JSON.
type Report struct {
	Schema       string       `json:"schema"`
	Address      lcm.Address  `json:"address"`
	Revision     lcm.Revision `json:"revision"`               // the newest commit that was looked at
	Introduction lcm.Revision `json:"introduction,omitempty"` // from where it is counted, and was verified; absent: from the first commit, each judged by the policy before it
	Total        int          `json:"total"`                  // versions there are
	Versions     []Told       `json:"versions"`               // newest first, as many as were asked for
}

// Told is one version in a Report.
type Told struct {
	Version  uint64       `json:"version"`
	Revision lcm.Revision `json:"revision"`
	At       time.Time    `json:"at"`     // as its committer claims
	Change   Change       `json:"change"` // created, changed, deleted or broken
	Restores uint64       `json:"restores,omitempty"`
	Kind     lcm.Kind     `json:"kind,omitempty"`
	Origin   *tree.Origin `json:"origin,omitempty"` // absent where it resolves to nothing
	Author   string       `json:"author"`           // as the commit claims
	Subject  string       `json:"subject"`
	Trust    Attribution  `json:"trust"`
	// When the daemon first saw the commit, and accepted it, by its own clock; absent where nobody knows.
	FirstSeen *time.Time `json:"firstSeen,omitempty"`
	Accepted  *time.Time `json:"accepted,omitempty"`
}

// Attribution is who is behind a version, as far as that is known.
type Attribution struct {
	Believed  bool     `json:"believed"`
	By        string   `json:"by"` // in words: by what it is somebody's; "" unless believed
	Signer    string   `json:"signer,omitempty"`
	Approvers []string `json:"approvers"`         // those besides the signer who consented to what changed the address
	Refused   *Refusal `json:"refused,omitempty"` // why it is not believed
	Reason    string   `json:"reason,omitempty"`  // why nobody can say
}

// Refusal is what trust says of a commit that it refuses.
type Refusal struct {
	Commit lcm.Revision `json:"commit"`
	Path   string       `json:"path,omitempty"`
	Rule   string       `json:"rule"`
	Reason string       `json:"reason"`
}

// NewReport returns a report without versions.
func NewReport(a lcm.Address, rev, introduction lcm.Revision) *Report {
	return &Report{Schema: "lcm.history/v1", Address: a, Revision: rev, Introduction: introduction, Versions: []Told{}}
}

// Newest returns the newest of some versions, oldest first; all for 0.
func Newest(all []Version, limit int) []Version {
	if limit == 0 {
		return all
	}
	return all[max(0, len(all)-limit):]
}

// Tell makes of a version what a Report says of it, but for who is behind it.
func (v Version) Tell(c *gitrepo.Commit) Told {
	subject, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	t := Told{Version: v.Number, Revision: v.Revision, At: c.Committer.When.UTC(), Change: v.Change, Restores: v.Restores, Kind: v.Kind, Author: c.Author.Name, Subject: subject}
	if v.Kind != "" {
		t.Origin = &v.Origin
	}
	return t
}

// Text writes the report for people, and at last how its signers are known.
func (r *Report) Text(w io.Writer, known string) error {
	var b strings.Builder
	for _, v := range r.Versions {
		fmt.Fprintf(&b, "v%-4d %s  %s  %s\n", v.Version, v.Revision.Short(), v.At.Format("2006-01-02 15:04 UTC"), v.Trust.text(v.Author))
		fmt.Fprintf(&b, "      %s\n", printable(v.Subject))
		fmt.Fprintf(&b, "      %s\n", v.change(r.Address))
	}
	if more := r.Total - len(r.Versions); more > 0 {
		fmt.Fprintf(&b, "and %d older: --limit 0 shows all\n", more)
	}
	fmt.Fprintf(&b, "\n%s\n", known)
	_, err := io.WriteString(w, b.String())
	return err
}

func (a Attribution) text(author string) string {
	switch {
	case a.Refused != nil:
		return printable(author) + " (not believed: " + a.Refused.Rule + ")"
	case !a.Believed:
		return printable(author) + " (" + a.Reason + ")"
	case len(a.Approvers) > 0:
		return a.By + ", approved by " + strings.Join(a.Approvers, ", ")
	}
	return a.By
}

// change says what became of the address, and through which file.
func (t Told) change(a lcm.Address) string {
	switch {
	case t.Change == Deleted:
		return "deleted"
	case t.Change == Broken:
		return "broken: what stands there cannot be resolved, and targets keep what they had"
	}
	text := string(t.Change)
	if t.Restores > 0 {
		text = fmt.Sprintf("%s: again what v%d was", text, t.Restores)
	}
	text += ", from " + t.Origin.File
	if t.Origin.Environment != a.Environment {
		text += " (inherited)"
	}
	return text
}

// printable leaves nothing in a text that would move the cursor, and no more than fits a line.
func printable(text string) string {
	all := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text))
	if len(all) > 100 {
		all = append(all[:99:99], '…')
	}
	return string(all)
}
