package rule

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/leak"
)

// formats is the file that speaks for all forms of credentials that internal/leak knows and that have no file of
// their own, and named the one for those that only a name tells. They have {rule}, {what}, {What} and {example} in
// place of what differs.
const (
	formats = "secret/_formats"
	named   = "secret/_named"
)

func addFormats(fsys fs.FS, rules []Rule) ([]Rule, error) {
	form, err := fs.ReadFile(fsys, "catalogue/"+formats+".txtar")
	if err != nil {
		return nil, fmt.Errorf("the forms of credentials: %w", err)
	}
	unsure, err := fs.ReadFile(fsys, "catalogue/"+named+".txtar")
	if err != nil {
		return nil, fmt.Errorf("the named credentials: %w", err)
	}
	for _, l := range leak.Rules() {
		if l.What == "" || slices.ContainsFunc(rules, func(r Rule) bool { return r.ID == l.ID }) {
			continue
		}
		data := form
		if l.Named {
			data = unsure
		}
		text := strings.NewReplacer("{rule}", l.ID, "{what}", l.What, "{What}", strings.ToUpper(l.What[:1])+l.What[1:], "{example}", l.Example).Replace(string(data))
		r, err := parse(l.ID, []byte(text))
		if err != nil {
			return nil, err
		}
		r.Format, r.Bad.secrets = true, []string{l.Example}
		rules = append(rules, r)
	}
	return rules, nil
}
