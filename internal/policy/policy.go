// Package policy judges resolved documents by Rego: by the base pack built into the program, and by
// the repository's own rules. The two are compiled apart, so that nothing the repository brings can
// change, hide or even see a base rule; own rules run without network, files, clock or chance, within
// a bounded time, and can only add denials and warnings. Neither pack ever sees the value of a Secret,
// and no message of the engine, which quotes values, gets out.
package policy

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	base "github.com/llm-config-manager/lcm/policies/rego"
)

// Verdict is what one rule says about a document.
type Verdict struct {
	Rule     string        // policy/<package>/<rule>
	Severity diag.Severity // Error for deny, Warning for warn
	Path     []string      // from the top of the document; list positions as decimals
	Message  string
}

// Package is the rule's, without lcm.
func (v Verdict) Package() string {
	name, _, _ := strings.Cut(strings.TrimPrefix(v.Rule, "policy/"), "/")
	return name
}

// Policy holds the compiled packs. It is safe for concurrent use.
type Policy struct {
	base *pack
	own  *pack // nil: the repository has no rules of its own
	rest *pack // own without the rules that look at input.change; own itself if there are none

	askers []diag.Position // the rules that look at input.change
}

// New compiles the base pack and the repository's own modules, given by their paths. Files named
// _test.rego are left to the repository's own tests. When findings has an error, the own rules are
// not in force: the Policy then judges by the base pack alone, so that a linter can go on, and what
// publishes must refuse. The Policy is nil only if ctx ended or the program's own pack is broken.
func New(ctx context.Context, own map[string][]byte) (*Policy, []diag.Finding) {
	boundGrowth()
	builtin, err := baseModules()
	if err != nil {
		return nil, []diag.Finding{diag.Errorf(diag.Position{}, "policy/compile", "the built-in rules cannot be read: %v", err)}
	}
	p := &Policy{}
	var findings []diag.Finding
	if p.base, findings = compile(ctx, builtin, nil); p.base == nil {
		return nil, findings
	}
	// The clock also runs while others have the processor: rules that are known to end have time to.
	p.base.limits.time, p.base.limits.grace = 10*maxTime, 10*maxTime
	sources := maps.Clone(own)
	maps.DeleteFunc(sources, func(file string, _ []byte) bool { return strings.HasSuffix(file, "_test.rego") })
	if len(sources) == 0 {
		return p, nil
	}
	if p.own, findings = compile(ctx, sources, p.base.packages); p.own == nil {
		return p, findings
	}
	p.own.confined = true
	if p.rest = p.own; len(p.own.askers) > 0 {
		return p, append(findings, p.divide(ctx, sources)...)
	}
	return p, findings
}

// divide compiles the own rules once more, without those that look at input.change.
func (p *Policy) divide(ctx context.Context, sources map[string][]byte) []diag.Finding {
	p.askers = slices.SortedFunc(maps.Keys(p.own.askers), func(a, b diag.Position) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	rest, findings := compileWithout(ctx, sources, p.base.packages, p.own.askers)
	if rest == nil {
		p.own = nil
		return findings
	}
	rest.confined = true
	p.rest = rest
	return nil
}

// Askers returns where the repository's own rules stand that look at input.change, sorted.
func (p *Policy) Askers() []diag.Position { return slices.Clone(p.askers) }

// Evaluate judges one document. The verdicts are sorted by rule and path. An error means that the
// document could not be judged, and so must not pass.
func (p *Policy) Evaluate(ctx context.Context, in Input) ([]Verdict, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	verdicts, err := p.base.evaluate(ctx, &in, nil)
	if err != nil {
		return nil, fmt.Errorf("judging %s by the built-in rules: %w", in.Document.Address, err)
	}
	if p.own == nil {
		return verdicts, nil
	}
	more, err := p.evaluateOwn(ctx, &in)
	if err != nil {
		return nil, fmt.Errorf("judging %s by the repository's own rules: %w", in.Document.Address, err)
	}
	return slices.Concat(verdicts, more), nil
}

// evaluateOwn asks the own rules once, or, if some look at input.change, about each change.
func (p *Policy) evaluateOwn(ctx context.Context, in *Input) (verdicts []Verdict, err error) {
	if len(p.askers) == 0 || len(in.Changes) == 0 {
		return p.rest.evaluate(ctx, in, nil)
	}
	for _, c := range in.Changes {
		more, err := p.own.evaluate(ctx, in, c)
		if err != nil {
			return nil, err
		}
		verdicts = append(verdicts, more...)
	}
	slices.SortFunc(verdicts, compareVerdicts)
	return slices.CompactFunc(verdicts, func(a, b Verdict) bool { return compareVerdicts(a, b) == 0 }), nil
}

func compareVerdicts(a, b Verdict) int {
	return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Rule, b.Rule), slices.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
}

// Packages lists the packages in force, without the prefix lcm, those of the base pack first.
func (p *Policy) Packages() []string {
	names := slices.Clone(p.base.packages)
	if p.own != nil {
		names = append(names, p.own.packages...)
	}
	return names
}

func baseModules() (map[string][]byte, error) {
	names, err := fs.Glob(base.Pack, "*.rego")
	if err != nil {
		return nil, err
	}
	modules := make(map[string][]byte, len(names))
	for _, name := range names {
		if modules["policies/rego/"+name], err = base.Pack.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return modules, nil
}
