package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// parse reads a rule's file: a head of fields, an empty line, why, and a last paragraph that begins with "Fix: ".
// Then the examples; CONTRIBUTING.md shows one.
func parse(id string, data []byte) (Rule, error) {
	r := Rule{ID: id, Severity: diag.Error}
	a := txtar.Parse(data)
	head, prose, _ := strings.Cut(string(a.Comment), "\n\n")
	why, fix, ok := strings.Cut(prose, "Fix: ")
	r.Why, r.Fix = unwrap(why), unwrap(fix)
	err := r.head(head)
	if !ok || r.Why == "" || r.Fix == "" || r.Title == "" {
		err = errors.Join(err, errors.New("needs a title, why, and a last paragraph that begins with \"Fix: \""))
	}
	err = errors.Join(err, r.examples(a.Files))
	if err != nil {
		return r, fmt.Errorf("rule %s: %w", id, err)
	}
	return r, nil
}

// unwrap puts each paragraph on a line of its own.
func unwrap(prose string) string {
	paragraphs := strings.Split(strings.TrimSpace(prose), "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(p), " ")
	}
	return strings.Join(paragraphs, "\n\n")
}

func (r *Rule) head(text string) error {
	for line := range strings.Lines(text) {
		field, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case field == "title":
			r.Title = value
		case field == "severity" && (value == "error" || value == "warning"):
			r.Severity = diag.Severity(value)
		case field == "judge" && value == "daemon":
			r.Daemon = true
		case field == "test":
			r.Tests = append(r.Tests, value)
		default:
			return fmt.Errorf("a field of the head is title, severity: warning, judge: daemon or test, not %q", line)
		}
	}
	return nil
}

func (r *Rule) examples(files []txtar.File) error {
	sides, finding, err := split(files)
	bad, good := sides["bad"], sides["good"]
	r.Bad, r.Good, r.Before, r.Finding = bad, good, sides["before"], finding
	if err != nil {
		return err
	}
	shown := bad != nil && good != nil && finding != ""
	if none := bad == nil && good == nil && finding == ""; none && len(r.Tests) > 0 || shown && len(r.Tests) == 0 && !r.Daemon {
		return nil
	}
	return errors.New("needs a bad and a good example and the finding; or, where no example can show it, the test that does")
}

// split sorts the files of an archive: "bad", "good" and "before" are scripts, what is below them is laid over the base.
func split(files []txtar.File) (sides map[string]*Example, finding string, err error) {
	sides = map[string]*Example{}
	for _, f := range files {
		side, name, _ := strings.Cut(f.Name, "/")
		switch {
		case f.Name == "finding":
			finding = strings.TrimSuffix(string(f.Data), "\n")
		case side == "bad" || side == "good" || side == "before":
			if sides[side] == nil {
				sides[side] = &Example{files: map[string][]byte{}}
			}
			err = errors.Join(err, sides[side].add(name, f.Data))
		default:
			err = errors.Join(err, fmt.Errorf("%s is none of bad, good, before and finding", f.Name))
		}
	}
	return sides, finding, err
}

// Case is one more repository with one mistake.
type Case struct {
	Name, About string
	Rule        string
	Bad, Before *Example
	Finding     string
}

// parseCase reads a case by its name, <rule>--<which>.
func parseCase(name string, data []byte) (Case, error) {
	a := txtar.Parse(data)
	id, _, ok := strings.Cut(name, "--")
	sides, finding, err := split(a.Files)
	if err == nil && (!ok || sides["bad"] == nil || sides["good"] != nil || finding == "") {
		err = errors.New("a case is named <rule>--<which> and has a bad example and the finding")
	}
	if err != nil {
		return Case{}, fmt.Errorf("case %s: %w", name, err)
	}
	return Case{Name: name, About: strings.TrimSpace(string(a.Comment)), Rule: id, Bad: sides["bad"], Before: sides["before"], Finding: finding}, nil
}

// Cases reads the cases of a folder. Their names are their paths, without the extension.
func Cases(fsys fs.FS) ([]Case, error) {
	var all []Case
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		c, err := parseCase(strings.TrimSuffix(name, ".txtar"), data)
		all = append(all, c)
		return err
	})
	return all, err
}
