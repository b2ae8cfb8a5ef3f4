package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/rule"
)

// explain tells of the rules that a word stands for: one id, the beginning of ids, or all.
func explain(w io.Writer, what, format string) error {
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
	if near := diag.Nearest(what, append(rule.IDs(), "all")); near != "" {
		return nil, fmt.Errorf("there is no rule %q; did you mean %s?", what, near)
	}
	hint := "--explain all lists all"
	if strings.HasPrefix(what, "policy/") {
		hint += "; a rule of the repository's own is explained where it is written, in policies/rego"
	}
	return nil, fmt.Errorf("there is no rule %q: %s", what, hint)
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
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Schema string `json:"schema"`
		Rules  []told `json:"rules"`
	}{"lcm.rules/v1", out})
}

var errExplainDir = errors.New("--explain looks at no repository: leave DIR and --base out")

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

// aboutRule tells reports of a rule of the catalogue. One of the repository's own is not in it.
func aboutRule(id string) (diag.About, bool) {
	r, ok := rule.Find(id)
	return diag.About{Title: r.Title, Why: r.Why, Fix: r.Fix, Page: r.Page(), Severity: r.Severity}, ok
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
