package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/policy"
	"github.com/llm-config-manager/lcm/internal/rule"
)

// explain tells of the rules that a word stands for: one id, the beginning of ids, or all.
func explain(w io.Writer, o options, dir string) error {
	what, format := o.explain, o.format
	if r, ok := ownRule(what, dir, o); ok {
		return explainOwn(w, r, format)
	}
	rules, err := chosen(what)
	if err != nil {
		return err
	}
	switch {
	case format == "json":
		return explainJSON(w, rules)
	case format != "text":
		return fmt.Errorf("--explain writes text or json, not %s", format)
	case rules[0].ID == strings.TrimSuffix(what, "/"):
		text, err := rules[0].Text()
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		return err
	}
	for _, r := range rules {
		if _, err := fmt.Fprintf(w, "%-44s %-7s  %s\n", r.ID, r.Severity, r.Title); err != nil {
			return err
		}
	}
	return nil
}

// chosen lists the rules; of none that is known it says which was probably meant.
func chosen(what string) ([]rule.Rule, error) {
	all, err := rule.All()
	if err != nil || what == "all" {
		return all, err
	}
	what = strings.TrimSuffix(what, "/")
	if r, ok := rule.Find(what); ok {
		return []rule.Rule{r}, nil
	}
	if group := slices.DeleteFunc(slices.Clone(all), func(r rule.Rule) bool { return !strings.HasPrefix(r.ID, what+"/") }); len(group) > 0 {
		return group, nil
	}
	if near := diag.Nearest(what, words()); near != "" {
		return nil, fmt.Errorf("there is no rule %q; did you mean %s?", what, near)
	}
	hint := "--explain all lists all"
	if strings.HasPrefix(what, "policy/") {
		hint += "; of the repository's own, name its folder after it"
	}
	return nil, fmt.Errorf("there is no rule %q: %s", what, hint)
}

// words lists what --explain understands.
func words() []string {
	words := append(rule.IDs(), "all")
	for _, g := range rule.Groups() {
		words = append(words, g.Name)
	}
	return words
}

// told is a rule as --explain writes it in JSON.
type told struct {
	ID       string        `json:"id"`
	Title    string        `json:"title"`
	Severity diag.Severity `json:"severity"`
	Judge    string        `json:"judge"` // "linter" (and the daemon) or "daemon" alone
	Why      string        `json:"why"`
	Fix      string        `json:"fix"`
	Wrong    []rule.Pane   `json:"wrong,omitempty"`
	Finding  string        `json:"finding,omitempty"` // that the wrong example gives
	Right    []rule.Pane   `json:"right,omitempty"`
	Help     string        `json:"help"` // the page
}

func explainJSON(w io.Writer, rules []rule.Rule) error {
	out := make([]told, len(rules))
	for i, r := range rules {
		out[i] = told{ID: r.ID, Title: r.Title, Severity: r.Severity, Judge: "linter", Why: r.Why, Fix: r.Fix, Finding: r.Finding, Help: r.Page()}
		if r.Daemon {
			out[i].Judge = "daemon"
		}
		if r.Bad == nil {
			continue
		}
		var err error
		if out[i].Wrong, out[i].Right, err = r.Panes(); err != nil {
			return err
		}
	}
	return encode(w, out)
}

func encode(w io.Writer, out []told) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Schema string `json:"schema"`
		Rules  []told `json:"rules"`
	}{"lcm.rules/v1", out})
}

var errExplainBase = errors.New("--explain looks at no change: leave --base out")

// ownRule finds a rule among the repository's own.
func ownRule(id, dir string, o options) (policy.Rule, bool) {
	if !strings.HasPrefix(id, "policy/") {
		return policy.Rule{}, false
	}
	fsys, err := repository(dir, o)
	if err != nil {
		return policy.Rule{}, false
	}
	return findOwn(id, fsys)
}

func findOwn(id string, fsys fs.FS) (policy.Rule, bool) {
	modules, err := ownModules(fsys)
	if err != nil {
		return policy.Rule{}, false
	}
	rules, _ := policy.Own(modules) // what is wrong with them is a finding
	i := slices.IndexFunc(rules, func(r policy.Rule) bool { return r.ID == id })
	if i < 0 {
		return policy.Rule{}, false
	}
	return rules[i], true
}

func explainOwn(w io.Writer, r policy.Rule, format string) error {
	if format == "json" {
		return encode(w, []told{{ID: r.ID, Title: r.Title, Severity: r.Severity, Judge: "linter", Why: r.Description, Help: r.Page}})
	}
	text := fmt.Sprintf("%s (%s, of this repository)\n", r.ID, r.Severity)
	for _, part := range []string{r.Title, r.Description, r.Page} {
		if part != "" {
			text += "\n" + part + "\n"
		}
	}
	if r.Title == "" {
		text += "\nIt has no title: write # METADATA and # title: … above it.\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// completeRules offers ids of rules, with what they demand.
func completeRules(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	all, err := rule.All()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	offers := []string{"all\tlist all rules"}
	for _, r := range all {
		offers = append(offers, r.ID+"\t"+r.Title)
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}

// aboutRule tells reports of a rule, of the catalogue or of the repository's own.
func aboutRule(fsys fs.FS) func(id string) (diag.About, bool) {
	return func(id string) (diag.About, bool) {
		if r, ok := rule.Find(id); ok {
			return diag.About{Title: r.Title, Why: r.Why, Fix: r.Fix, Page: r.Page(), Severity: r.Severity}, true
		}
		r, ok := findOwn(id, fsys)
		return diag.About{Title: r.Title, Why: r.Description, Page: r.Page, Severity: r.Severity}, ok
	}
}

// pointer tells how to learn more about the first finding whose rule is explained.
func pointer(findings []diag.Finding) string {
	for _, f := range findings {
		if _, ok := rule.Find(f.Rule); ok {
			return "lcm-lint --explain " + f.Rule + "  tells why, and shows an example\n"
		}
	}
	return ""
}
