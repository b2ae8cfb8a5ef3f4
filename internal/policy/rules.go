package policy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// Rule describes one rule of the base pack, for the list of all rules in the documentation.
type Rule struct {
	ID       string // policy/<package>/<rule>
	Severity diag.Severity
	Title    string
}

// Rules lists the base pack, sorted by id: its rules have their name as a literal, and a title.
func Rules() ([]Rule, error) {
	sources, err := baseModules()
	if err != nil {
		return nil, err
	}
	var rules []Rule
	for file, data := range sources {
		m, err := ast.ParseModuleWithOpts(file, string(data), ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
		if err != nil {
			return nil, fmt.Errorf("reading the built-in rules: %w", err)
		}
		for _, r := range m.Rules {
			severity, ok := severityOf(r)
			if !ok {
				continue
			}
			d := Rule{ID: "policy/" + name(m) + "/" + literal(r), Severity: severity}
			for _, a := range r.Annotations {
				d.Title = a.Title
			}
			rules = append(rules, d)
		}
	}
	slices.SortFunc(rules, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
	return rules, nil
}

func literal(r *ast.Rule) string {
	if o, ok := r.Head.Key.Value.(ast.Object); ok {
		rule, _ := text(o, "rule")
		return rule
	}
	return ""
}
