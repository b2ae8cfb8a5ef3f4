// Package rule is the catalogue of all rules: what each demands, why, what to do, and an example of wrong and
// right, which tests put before the linter. The programs carry it and explain by it.
package rule

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// Rule is one rule. Its texts are plain English; title, why and fix are whole sentences.
type Rule struct {
	ID       string
	Title    string        // what it demands
	Severity diag.Severity // of its findings in the linter, if that can judge it
	Daemon   bool          // only the daemon can judge it, since it alone has keys, targets and history
	Tests    []string      // in place of examples: "internal/trust TestX", or the path of a script
	Why      string        // what is wrong, and why that matters; a line for each paragraph
	Fix      string        // what to do

	Bad, Good *Example // nil if no example can show it
	Before    *Example // what the two are compared with, as by --base; nil for rules that compare nothing
	Finding   string   // the one line that Bad gives

	Format bool // one of many forms of credentials, which are explained together
}

//go:embed all:catalogue
var files embed.FS

// All lists the catalogue in the order of Groups, and by id within them.
var All = sync.OnceValues(func() ([]Rule, error) { return load(files) })

// Group is a chapter of the catalogue: the rules whose ids begin with its name.
type Group struct{ Name, Title, About string }

// Groups lists the chapters in their order.
var Groups = sync.OnceValue(func() []Group {
	text, _ := fs.ReadFile(files, "catalogue/groups.txt")
	var out []Group
	for line := range strings.Lines(string(text)) {
		if f := strings.SplitN(strings.TrimSpace(line), " | ", 3); len(f) == 3 {
			out = append(out, Group{f[0], f[1], f[2]})
		}
	}
	return out
})

func load(fsys fs.FS) ([]Rule, error) {
	var all []Rule
	for _, g := range Groups() {
		rules, err := loadGroup(fsys, g.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, rules...)
	}
	return all, nil
}

func loadGroup(fsys fs.FS, group string) ([]Rule, error) {
	var rules []Rule
	root := path.Join("catalogue", group)
	err := fs.WalkDir(fsys, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		id, ok := strings.CutSuffix(strings.TrimPrefix(name, "catalogue/"), ".txtar")
		if !ok {
			return fmt.Errorf("%s is no rule", name)
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if id == formats || id == named {
			return nil
		}
		r, err := parse(id, data)
		rules = append(rules, r)
		return err
	})
	if err == nil && group == path.Dir(formats) {
		rules, err = addFormats(fsys, rules)
	}
	slices.SortFunc(rules, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	return rules, err
}

// Find returns the rule of an id. It reads only that one, if it has a file of its own.
func Find(id string) (Rule, bool) {
	if data, err := fs.ReadFile(files, "catalogue/"+id+".txtar"); err == nil && id != formats && id != named {
		r, err := parse(id, data)
		return r, err == nil
	}
	all, _ := All()
	i := slices.IndexFunc(all, func(r Rule) bool { return r.ID == id })
	if i < 0 {
		return Rule{}, false
	}
	return all[i], true
}

// IDs lists the ids of all rules, as All does.
func IDs() []string {
	all, _ := All()
	ids := make([]string, len(all))
	for i, r := range all {
		ids[i] = r.ID
	}
	return ids
}

// Page is where a rule is explained on the web.
func (r Rule) Page() string { return page + "#" + r.Anchor() }

const page = "https://github.com/llm-config-manager/lcm/blob/main/docs/rules.md"

// Anchor is what GitHub makes of the rule's heading.
func (r Rule) Anchor() string { return strings.ReplaceAll(r.ID, "/", "") }
