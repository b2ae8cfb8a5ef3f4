package check

import (
	"context"
	"io/fs"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/leak"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Repository checks a whole repository, secrets sealed: what the linter does. An error means that it
// could not be done; what is wrong with the repository is in the findings, sorted, each once.
func Repository(ctx context.Context, fsys fs.FS) ([]diag.Finding, error) {
	var packs Packs
	findings, _, err := packs.Since(ctx, fsys, nil)
	return findings, err
}

// Since checks what a change can have caused: all that is found now and was not before it, and what else is found in
// the namespaces that it can affect. A nil difference is everything.
func (p *Packs) Since(ctx context.Context, fsys fs.FS, d *Difference) ([]diag.Finding, diag.Scope, error) {
	t, findings := tree.Load(fsys)
	rules, more, err := p.Rules(ctx, fsys, t)
	if err != nil {
		return nil, diag.Scope{}, err
	}
	findings = append(d.caused(findings), more...)
	if t == nil || rules == nil {
		return diag.Sort(Withheld(findings)), diag.Scope{}, nil
	}
	for _, at := range rules.policy.Askers() {
		findings = append(findings, diag.Warnf(at, "policy/change", "this rule looks at input.change, which only the daemon knows: it is not judged here"))
	}
	if d != nil {
		rules.before, rules.past = tree.GlanceBeside(d.Base, t), d.Past
	}
	rules.Widely()
	go rules.dormant() // beside the rest
	namespaces, scope, err := rules.scope(ctx, d)
	if err != nil {
		return nil, diag.Scope{}, err
	}
	var k *keeper
	if d == nil { // else some of what is found depends on what was before
		k = p.keeper(fsys)
	}
	more, err = rules.services(ctx, namespaces, k)
	if err != nil {
		return nil, diag.Scope{}, err
	}
	findings = slices.Concat(findings, more, rules.Whole())
	return diag.Sort(Withheld(findings)), scope, nil
}

// Withheld replaces messages that repeat a credential: some quote a name or a word of a file, and people
// paste credentials anywhere.
func Withheld(findings []diag.Finding) []diag.Finding {
	for i, f := range findings {
		if leak.Contains(f.Message) {
			findings[i].Message = "what is wrong here looks like a credential, and is not repeated: revoke it, since Git keeps it"
		}
	}
	return findings
}

// Showable reports whether a line of a file may be shown beside a finding: not where secrets are sealed, and
// not what looks like a credential.
func Showable(file, line string) bool {
	return !strings.HasSuffix(file, ".sops.yaml") && !leak.Contains(line)
}
