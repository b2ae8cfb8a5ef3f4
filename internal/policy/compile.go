package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// Limits on a repository's own modules, with room for a hundred times what the base pack holds.
const (
	maxModules     = 256
	maxModuleBytes = 256 << 10
	maxAllBytes    = 512 << 10
	maxDepth       = 200 // of nesting within one module
	maxCompile     = 10 * time.Second
)

// compile makes a pack of modules given by path. Packages named in reserved are refused. It returns
// nil, and why, if anything is wrong; findings beside a pack are warnings.
func compile(ctx context.Context, sources map[string][]byte, reserved []string) (*pack, []diag.Finding) {
	return compileWithout(ctx, sources, reserved, nil)
}

// compileWithout is compile as if the rules at some places were not there.
func compileWithout(ctx context.Context, sources map[string][]byte, reserved []string, gone map[diag.Position]bool) (*pack, []diag.Finding) {
	if f := oversize(sources); len(f) > 0 {
		return nil, f
	}
	type result struct {
		pack     *pack
		findings []diag.Finding
	}
	limit := maxCompile
	if reserved == nil { // the rules of our own are known to compile: the clock runs while others have the processor, too
		limit *= 12
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// The compiler cannot be stopped, so a source that keeps it busy for ever is left behind.
	done := make(chan result, 1)
	go func() {
		defer func() {
			if recover() != nil {
				done <- result{nil, []diag.Finding{diag.Errorf(first(sources), "policy/compile", "the rules make the Rego compiler fail: simplify them")}}
			}
		}()
		p, f := compileAll(ctx, sources, reserved, gone)
		done <- result{p, f}
	}()
	select {
	case r := <-done:
		return r.pack, diag.Sort(r.findings)
	case <-ctx.Done():
		return nil, []diag.Finding{diag.Errorf(first(sources), "policy/compile", "the rules could not be compiled within %v: simplify them", limit)}
	}
}

func first(sources map[string][]byte) diag.Position {
	return diag.Position{File: slices.Min(slices.Collect(maps.Keys(sources)))}
}

func oversize(sources map[string][]byte) (findings []diag.Finding) {
	if len(sources) > maxModules {
		return []diag.Finding{diag.Errorf(first(sources), "policy/compile", "there are more than %d files of rules: put them together", maxModules)}
	}
	total := 0
	for file, data := range sources {
		total += len(data)
		if len(data) > maxModuleBytes {
			findings = append(findings, diag.Errorf(diag.Position{File: file}, "policy/compile",
				"the file has %d bytes; at most %d are read: split it", len(data), maxModuleBytes))
		}
	}
	if total > maxAllBytes && len(findings) == 0 {
		findings = append(findings, diag.Errorf(first(sources), "policy/compile", "there are %d bytes of rules; at most %d are read", total, maxAllBytes))
	}
	return findings
}

func compileAll(ctx context.Context, sources map[string][]byte, reserved []string, gone map[diag.Position]bool) (*pack, []diag.Finding) {
	caps := capabilities()
	modules := make(map[string]*ast.Module, len(sources))
	var findings []diag.Finding
	for file, data := range sources {
		m, err := parse(file, data, caps)
		if err != nil {
			findings = append(findings, compileFindings(err, file)...)
			continue
		}
		findings = append(findings, busy(m)...)
		m.Rules = slices.DeleteFunc(m.Rules, func(r *ast.Rule) bool { return gone[position(r.Location)] })
		modules[file] = m
		findings = append(findings, misplaced(m, reserved)...)
	}
	if diag.Failed(findings) {
		return nil, findings
	}
	p := &pack{outputs: outputs(modules), packages: packages(modules), limits: defaultLimits()}
	findings = append(findings, silent(modules, p.outputs)...)

	c := ast.NewCompiler().WithCapabilities(caps).WithDefaultRegoVersion(ast.RegoV1).SetErrorLimit(100)
	if c.Compile(modules); c.Failed() {
		return nil, compileFindings(c.Errors, "")
	}
	r := newReader(modules, c)
	p.askers = r.askers()
	p.kinds = p.kindsOf(c, sync.OnceValues(func() (compiled, error) {
		if reserved != nil {
			return compiled{c, r, nil}, nil
		}
		return withConditions(modules, caps) // of the rules of our own, which are known to compile with them
	}))
	return p, findings
}

// withConditions compiles modules once more, with conditions.
func withConditions(modules map[string]*ast.Module, caps *ast.Capabilities) (compiled, error) {
	copies := map[string]*ast.Module{}
	for file, m := range modules {
		copies[file] = m.Copy()
	}
	conditions := addConditions(copies)
	c := ast.NewCompiler().WithCapabilities(caps).WithDefaultRegoVersion(ast.RegoV1)
	if c.Compile(copies); c.Failed() {
		return compiled{}, errPanic
	}
	return compiled{c, newReader(copies, c), conditions}, nil
}

func parse(file string, data []byte, caps *ast.Capabilities) (*ast.Module, error) {
	if deep(data) {
		return nil, fmt.Errorf("brackets are nested more than %d deep: simplify the rule", maxDepth)
	}
	m, err := ast.ParseModuleWithOpts(file, string(data), ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: caps})
	if err == nil && m == nil {
		return nil, errors.New("the file is empty: write a package, or delete it")
	}
	return m, err
}

// deep keeps nesting from the parser, whose own bound would let the stack grow to a gigabyte. It counts
// brackets in strings and comments too, which only makes it stricter.
func deep(data []byte) bool {
	depth := 0
	for _, c := range data {
		switch c {
		case '(', '[', '{':
			if depth++; depth > maxDepth {
				return true
			}
		case ')', ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return false
}

// maxCalls bounds the calls and operators of one rule, over which the compiler takes quadratic time.
const maxCalls = 300

// busy finds rules with too many of them.
func busy(m *ast.Module) (findings []diag.Finding) {
	for _, r := range m.Rules {
		n := 0
		ast.WalkTerms(r, func(t *ast.Term) bool {
			if _, ok := t.Value.(ast.Call); ok {
				n++
			}
			return false
		})
		ast.WalkExprs(r, func(*ast.Expr) bool { n++; return false })
		if n > maxCalls {
			findings = append(findings, diag.Errorf(position(r.Location), "policy/compile", "the rule has %d calls and expressions; at most %d are allowed: divide it", n, maxCalls))
		}
	}
	return findings
}

// compileFindings keeps the engine's words: they speak of the source alone, which is no secret.
func compileFindings(err error, file string) (findings []diag.Finding) {
	var several ast.Errors
	if !errors.As(err, &several) {
		return []diag.Finding{diag.Errorf(diag.Position{File: file}, "policy/compile", "%v", err)}
	}
	for _, e := range several {
		at := diag.Position{File: file}
		if e.Location != nil && e.Location.File != "" {
			at = position(e.Location)
		}
		// One mistake is often several errors at one place.
		if !slices.ContainsFunc(findings, func(f diag.Finding) bool { return f.Position == at }) {
			findings = append(findings, diag.Errorf(at, "policy/compile", "%s", explain(e)))
		}
	}
	return findings
}

func explain(e *ast.Error) string {
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok {
		if _, known := ast.BuiltinMap[name]; known {
			return name + " is not available to rules: they decide by input alone, without network, files, clock or chance"
		}
	}
	return strings.Join(strings.Fields(e.Message), " ")
}

// position takes over the engine's: its columns count code points, as ours do.
func position(l *ast.Location) diag.Position {
	return diag.Position{File: l.File, Line: l.Row, Column: l.Col}
}

var packageName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// name is what stands after lcm. in a package of exactly that depth, or "".
func name(m *ast.Module) string {
	path := m.Package.Path
	if len(path) != 3 || !path[1].Equal(ast.InternedTerm("lcm")) {
		return ""
	}
	s, _ := path[2].Value.(ast.String)
	if !packageName.MatchString(string(s)) {
		return ""
	}
	return string(s)
}

// misplaced finds what would let a module speak for another package, or say nothing.
func misplaced(m *ast.Module, reserved []string) (findings []diag.Finding) {
	at := position(m.Package.Location)
	switch n := name(m); {
	case n == "":
		return []diag.Finding{diag.Errorf(at, "policy/package", "the package must be lcm.<name>, the name of small letters, digits and _")}
	case slices.Contains(reserved, n):
		return []diag.Finding{diag.Errorf(at, "policy/package", "lcm.%s is a package of the built-in rules, which cannot be changed: choose another name", n)}
	}
	for _, r := range m.Rules {
		if _, ok := severityOf(r); ok && !isSet(r) {
			findings = append(findings, diag.Errorf(position(r.Location), "policy/output",
				"%s must be a set: write  %s contains {\"rule\": …, \"path\": […], \"message\": …} if { … }", r.Head.Name, r.Head.Name))
		}
	}
	return findings
}

// silent warns of packages from which nothing comes: most likely deny or warn is misspelt.
func silent(modules map[string]*ast.Module, outputs []output) (findings []diag.Finding) {
	for file, m := range modules {
		n := name(m)
		if !slices.ContainsFunc(outputs, func(o output) bool { return o.name == n }) {
			findings = append(findings, diag.Warnf(diag.Position{File: file}, "policy/output",
				"lcm.%s has neither deny nor warn: its rules only serve other packages", n))
		}
	}
	return findings
}

func severityOf(r *ast.Rule) (diag.Severity, bool) {
	switch r.Head.Ref()[0].Value.String() {
	case "deny":
		return diag.Error, true
	case "warn":
		return diag.Warning, true
	}
	return "", false
}

func isSet(r *ast.Rule) bool {
	return len(r.Head.Ref()) == 1 && r.Head.RuleKind() == ast.MultiValue && !r.Default && len(r.Head.Args) == 0
}
