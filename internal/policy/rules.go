package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// Rule is what a rule says of itself by the metadata above it (# METADATA, title, description, related_resources).
type Rule struct {
	ID          string // policy/<package>/<rule>
	Severity    diag.Severity
	Title       string
	Description string
	Page        string // the first of its related resources
}

// Rules lists the base pack, sorted by id: its rules have their name as a literal, and a title.
func Rules() ([]Rule, error) {
	sources, err := baseModules()
	if err != nil {
		return nil, err
	}
	return describe(sources)
}

// Own lists the rules of a repository's modules, given by path, as far as their names are literals.
func Own(modules map[string][]byte) ([]Rule, error) {
	if oversize(modules) != nil {
		return nil, nil
	}
	return describe(modules)
}

func describe(sources map[string][]byte) ([]Rule, error) {
	var rules []Rule
	for file, data := range sources {
		if deep(data) || strings.HasSuffix(file, "_test.rego") {
			continue
		}
		m, err := ast.ParseModuleWithOpts(file, string(data), ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
		if err != nil || m == nil {
			return nil, fmt.Errorf("reading the rules of %s: %w", file, err)
		}
		for _, r := range m.Rules {
			if severity, ok := severityOf(r); ok && literal(r) != "" {
				d := Rule{ID: "policy/" + name(m) + "/" + literal(r), Severity: severity}
				d.annotate(r.Annotations)
				rules = append(rules, d)
			}
		}
	}
	slices.SortFunc(rules, func(a, b Rule) int { return cmp.Compare(a.ID, b.ID) })
	return rules, nil
}

func (d *Rule) annotate(all []*ast.Annotations) {
	for _, a := range all {
		d.Title, d.Description = a.Title, strings.TrimSpace(a.Description)
		if len(a.RelatedResources) > 0 {
			d.Page = a.RelatedResources[0].Ref.String()
		}
	}
}

func literal(r *ast.Rule) string {
	if r.Head.Key == nil {
		return ""
	}
	if o, ok := r.Head.Key.Value.(ast.Object); ok {
		rule, _ := text(o, "rule")
		return rule
	}
	return ""
}
