package policy

import (
	"context"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/leak"
)

// maxTest bounds one test of a repository, maxTests all.
const (
	maxTest  = 5 * time.Second
	maxTests = time.Minute
)

// TestResult is what became of one test of a repository's own rules.
type TestResult struct {
	diag.Position        // of the test
	Name          string // package and rule: lcm.house_test.test_tier
	Failed        string // why; "" if it passed
	Skipped       bool   // todo_test_…
	Took          time.Duration
}

// Test runs the tests among own modules, given by path: rules that begin with test_, as of opa test. They may use what
// rules may, so that neither a test nor a rule under test reaches the network or files. Findings mean that nothing was run.
func Test(ctx context.Context, own map[string][]byte) ([]TestResult, []diag.Finding) {
	if len(own) == 0 {
		return nil, nil
	}
	if f := oversize(own); len(f) > 0 {
		return nil, f
	}
	modules, findings := map[string]*ast.Module{}, []diag.Finding(nil)
	for file, data := range own {
		m, err := parse(file, data, capabilities())
		if err != nil {
			findings = append(findings, compileFindings(err, file)...)
			continue
		}
		findings = append(findings, busy(m)...)
		modules[file] = m
	}
	if diag.Failed(findings) {
		return nil, diag.Sort(findings)
	}
	ctx, cancel := context.WithTimeout(ctx, maxTests)
	defer cancel()
	c := ast.NewCompiler().WithCapabilities(capabilities()).WithDefaultRegoVersion(ast.RegoV1).WithEnablePrintStatements(true)
	results, err := tester.NewRunner().SetCompiler(c).RaiseBuiltinErrors(true).CapturePrintOutput(true).SetTimeout(maxTest).SetParallel(1).SetModules(modules).RunTests(ctx, nil)
	if err != nil {
		return nil, compileFindings(err, first(own).File)
	}
	var out []TestResult
	for r := range results {
		out = append(out, resultOf(r))
	}
	if ctx.Err() != nil {
		return out, []diag.Finding{diag.Errorf(first(own), "policy/test", "the tests did not end within %v", maxTests)}
	}
	return out, nil
}

func resultOf(r *tester.Result) TestResult {
	t := TestResult{Position: position(r.Location), Name: strings.TrimPrefix(r.Package, "data.") + "." + r.Name, Skipped: r.Skip, Took: r.Duration}
	switch {
	case r.Pass() || r.Skip:
	case r.Error != nil:
		t.Failed = strings.Join(strings.Fields(r.Error.Error()), " ")
	default:
		t.Failed = "it does not hold"
	}
	if printed := strings.TrimSpace(string(r.Output)); printed != "" && t.Failed != "" {
		t.Failed += "; it printed: " + strings.Join(strings.Fields(printed), " ")
	}
	if leak.Contains(t.Failed) {
		t.Failed = "what it says is withheld, since it quotes what looks like a credential"
	}
	return t
}
