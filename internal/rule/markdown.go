package rule

import (
	"fmt"
	"path"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// Markdown writes the whole catalogue, as docs/rules.md.
func Markdown() (string, error) {
	all, err := All()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(head)
	for _, g := range Groups() {
		var rules []Rule
		for _, r := range all {
			if strings.HasPrefix(r.ID, g.Name+"/") {
				rules = append(rules, r)
			}
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| rule | | |\n|---|---|---|\n", g.Title, g.About)
		for _, r := range rules {
			b.WriteString(r.row())
		}
		if err := sections(&b, rules); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

const head = `<!-- Made by "make rules" from internal/rule/catalogue. -->
# Rules

Every finding and every refusal bears the id of its rule. Ids are stable. ` + "`lcm-lint --explain RULE`" + ` tells the same as this page.

` + "`lcm-lint`" + ` and the daemon use the same rules. Those marked *daemon* only the daemon can judge, since it alone has keys, targets and history. A warning never
holds anything.
`

// row is a line of a table. It is also the anchor of a form of credentials, which has no section of its own.
func (r Rule) row() string {
	who := string(r.Severity)
	if r.Daemon {
		who += ", daemon"
	}
	link := fmt.Sprintf("[`%s`](#%s)", r.ID, r.Anchor())
	if r.Format {
		link = fmt.Sprintf("<a id=\"%s\"></a>`%s`", r.Anchor(), r.ID)
	}
	return fmt.Sprintf("| %s | %s | %s |\n", link, who, strings.ReplaceAll(r.Title, "|", `\|`))
}

// sections explains rules one by one, and forms of credentials by one error and one warning.
func sections(b *strings.Builder, rules []Rule) error {
	told := map[diag.Severity]bool{}
	for _, r := range rules {
		title := "`" + r.ID + "`"
		if r.Format {
			if told[r.Severity] {
				continue
			}
			told[r.Severity] = true
			title = "Forms of credentials, by the example of " + title
		}
		if err := r.section(b, title); err != nil {
			return err
		}
	}
	return nil
}

func (r Rule) section(b *strings.Builder, title string) error {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n%s\n\n%s\n", title, r.Title, r.Why, r.Fix)
	if r.Bad == nil {
		fmt.Fprintf(b, "\nShown by `%s`.\n", strings.Join(r.Tests, "`, `"))
		return nil
	}
	bad, good, err := r.Panes()
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "\nWrong:\n%s\n    %s\n\nRight:\n%s", panesMarkdown(bad), r.Finding, panesMarkdown(good))
	return nil
}

func panesMarkdown(panes []Pane) string {
	var b strings.Builder
	for _, p := range panes {
		if fmt.Fprintf(&b, "\n%s:\n", p.headMarkdown()); p.Text != "" {
			fmt.Fprintf(&b, "\n````%s\n%s````\n", language(p.File), p.Text)
		}
	}
	return b.String()
}

func (p Pane) headMarkdown() string {
	if p.Note != "" {
		return "`" + p.File + "`, " + p.Note
	}
	return "`" + p.File + "`"
}

func language(file string) string {
	return strings.TrimPrefix(path.Ext(file), ".")
}
