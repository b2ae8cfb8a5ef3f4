package check

import (
	"context"
	"io/fs"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/leak"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Repository checks a whole repository, secrets sealed: what the linter does. An error means that it
// could not be done; what is wrong with the repository is in the findings, sorted, each once.
func Repository(ctx context.Context, fsys fs.FS) ([]diag.Finding, error) {
	t, findings := tree.Load(fsys)
	var packs Packs
	rules, more, err := packs.Rules(ctx, fsys, t)
	if err != nil {
		return nil, err
	}
	findings = append(findings, more...)
	if t == nil || rules == nil {
		return diag.Sort(Withheld(findings)), nil
	}
	for _, at := range rules.policy.Askers() {
		findings = append(findings, diag.Warnf(at, "policy/change", "this rule looks at input.change, which only the daemon knows: it is not judged here"))
	}
	namespaces := t.Namespaces()
	each := make([][]diag.Finding, len(namespaces))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, ns := range namespaces {
		g.Go(func() error {
			resolved := t.Resolve(ns)
			each[i] = append(resolved.Findings, rules.Namespace(ctx, resolved, nil)...)
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, fs := range each {
		findings = append(findings, fs...)
	}
	return diag.Sort(Withheld(findings)), nil
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
