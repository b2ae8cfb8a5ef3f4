package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

const ownFile = "policies/rego/own.rego"

func own(source string) map[string][]byte { return map[string][]byte{ownFile: []byte(source)} }

// judge is an own rule that gives back whatever the expressions of body bind to x.
func judge(body string) map[string][]byte {
	return own("package lcm.own\n\ndeny contains {\"rule\": \"x\", \"path\": [], \"message\": sprintf(\"%v\", [x])} if {\n" + body + "\n}\n")
}

func TestOwnRules(t *testing.T) {
	p := must(t, own(`package lcm.house

deny contains {"rule": "tier", "path": ["metadata", "labels"], "message": "a label tier is missing"} if not input.document.metadata.labels.level

warn contains {"rule": "first-target", "path": ["spec", "targets", i], "message": sprintf("target %d is the first", [i])} if {
	some i, _ in input.document.spec.targets
	i == 0
}
`))
	got, err := p.Evaluate(t.Context(), endpoint())
	if err != nil {
		t.Fatal(err)
	}
	want := []Verdict{
		{"policy/house/tier", diag.Error, []string{"metadata", "labels"}, "a label tier is missing"},
		{"policy/house/first-target", diag.Warning, []string{"spec", "targets", "0"}, "target 0 is the first"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !slices.Contains(p.Packages(), "house") || !slices.Contains(p.Packages(), "ownership") {
		t.Error(p.Packages())
	}
}

func TestBrokenOwnRules(t *testing.T) {
	for _, c := range []struct{ name, source, want string }{
		{"syntax", "package lcm.own\n\ndeny contains x if {", ownFile + ":3:20: error: policy/compile"},
		{"column in code points", "package lcm.own\n\nx := y if y := concat(\"äöü\", nothing(1))", ownFile + ":3:30: error: policy/compile"},
		{"unknown function", "package lcm.own\n\ndeny contains x if x := nothing(1)", ownFile + ":3:25: error: policy/compile"},
		{"old syntax", "package lcm.own\n\ndeny[x] { x := 1 }", ownFile + ":3:1: error: policy/compile"},
		{"empty", "", ownFile + ":1:1: error: policy/compile"},
		{"network", "package lcm.own\n\ndeny contains x if x := http.send({})", ownFile + ":3:25: error: policy/compile: http.send is not available"},
		{"foreign package", "package other.own\n\ndeny contains 1", ownFile + ":1:1: error: policy/package"},
		{"deep package", "package lcm.own.more\n\ndeny contains 1", ownFile + ":1:1: error: policy/package"},
		{"top package", "package lcm\n\nownership.deny contains 1 if false", ownFile + ":1:1: error: policy/package"},
		{"base package", "package lcm.ownership\n\ndeny contains 1 if false", ownFile + ":1:1: error: policy/package: lcm.ownership is a package of the built-in rules"},
		{"helper of the base", "package lcm.facts\n\nproduction := false", ownFile + ":1:1: error: policy/package"},
		{"quoted name", "package lcm[\"a/b\"]\n\ndeny contains 1", ownFile + ":1:1: error: policy/package"},
		{"not a set", "package lcm.own\n\ndeny := true", ownFile + ":3:1: error: policy/output"},
		{"a function", "package lcm.own\n\ndeny(x) := x", ownFile + ":3:1: error: policy/output"},
		{"an object", "package lcm.own\n\ndeny[x] := 1 if some x in [1]", ownFile + ":3:1: error: policy/output"},
		{"a default", "package lcm.own\n\ndefault deny := false", ownFile + ":3:1: error: policy/output"},
		{"below", "package lcm.own\n\ndeny.more contains 1", ownFile + ":3:1: error: policy/output"},
		{"misspelt", "package lcm.own\n\ndenies contains 1", ownFile + ":1:1: warning: policy/output"},
		{"nested", "package lcm.own\n\nx := " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), ownFile + ":1:1: error: policy/compile"},
		{"huge", "package lcm.own\n#" + strings.Repeat("x", maxModuleBytes), ownFile + ":1:1: error: policy/compile"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, findings := New(t.Context(), own(c.source))
			if len(findings) != 1 || !strings.HasPrefix(findings[0].String(), c.want) {
				t.Fatalf("got  %v\nwant %s", findings, c.want)
			}
			if p == nil {
				t.Fatal("the base pack must judge on")
			}
			if v, err := p.Evaluate(t.Context(), orphan()); err != nil || !denied(v, "policy/ownership/required") {
				t.Error(v, err)
			}
		})
	}
}

func orphan() Input {
	in := endpoint()
	in.Document.Metadata.Owner = ""
	return in
}

func denied(verdicts []Verdict, rule string) bool {
	return slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.Rule == rule && v.Severity == diag.Error })
}

// TestSandbox lists what must not be within reach, whatever OPA offers.
func TestSandbox(t *testing.T) {
	for _, call := range []string{
		`http.send({"method": "get", "url": "http://localhost"})`, `net.lookup_ip_addr("localhost")`, `net.cidr_expand("0.0.0.0/0")`,
		`opa.runtime()`, `rego.parse_module("x", "package x")`, `time.now_ns()`, `time.clock(0)`, `rand.intn("x", 5)`, `uuid.rfc4122("x")`,
		`io.jwt.decode_verify("", {})`, `crypto.x509.parse_certificates("")`, `json.match_schema({}, {})`, `json.verify_schema({})`,
		`graphql.is_valid("", "")`, `yaml.unmarshal("")`, `numbers.range(1, 1000000000)`, `graph.reachable_paths({}, [])`,
		`regex.globs_match("a", "a")`, `providers.aws.sign_req({}, {}, 0)`, `strings.render_template("", {})`,
	} {
		_, findings := New(t.Context(), judge("x := "+call))
		if len(findings) == 0 || findings[0].Rule != "policy/compile" || !strings.Contains(findings[0].Message, "not available") {
			t.Errorf("%s: %v", call, findings)
		}
	}
}

func TestAllowedIsSortedAndKnown(t *testing.T) {
	if !slices.IsSorted(allowed[:]) {
		t.Error("the list must be sorted: it is searched by halves")
	}
	if got := len(capabilities().Builtins); got < len(allowed)-5 {
		t.Errorf("only %d of %d names are built-ins", got, len(allowed))
	}
}

// TestOwnRulesCannotLoosenBase tries what Rego offers to change what another package says.
func TestOwnRulesCannotLoosenBase(t *testing.T) {
	for _, source := range []string{
		"package lcm.own\n\ndeny contains 1 if { some x in data.lcm.ownership.deny with input as {}; x == 1 }",
		"package lcm.own\n\nimport data.lcm.facts\n\ndeny contains 1 if facts.production == false",
		"package lcm.own\n\nallow := true\n\nwarn contains 1 if false",
	} {
		p, _ := New(t.Context(), own(source))
		if v, err := p.Evaluate(t.Context(), orphan()); err != nil || !denied(v, "policy/ownership/required") {
			t.Errorf("%s: %v, %v", source, v, err)
		}
	}
}

// TestOwnRulesDoNotSeeBase shows that there is nothing of the base pack to see.
func TestOwnRulesDoNotSeeBase(t *testing.T) {
	p := must(t, judge("x := count(data.lcm.ownership.deny)"))
	if v, err := p.Evaluate(t.Context(), orphan()); err != nil || denied(v, "policy/own/x") {
		t.Error(v, err)
	}
}

func TestEndlessRules(t *testing.T) {
	const list = `list := split("` + "0123456789012345678901234567890123456789" + `", "")`
	for name, body := range map[string]string{
		"loop":   list + "\n" + strings.Repeat("some _ in list\n", 12) + "x := 1",
		"nested": list + "\nx := count([1 | some a in list; some b in list; some c in list; some d in list; some e in list; some f in list])",
	} {
		t.Run(name, func(t *testing.T) {
			p := must(t, judge(body))
			p.own.limits = limits{patience: 5 * time.Millisecond, time: 50 * time.Millisecond, grace: time.Minute, growth: 1 << 40}
			v, err := p.Evaluate(t.Context(), endpoint())
			if !errors.Is(err, errTime) || v != nil {
				t.Error(v, err)
			}
			if _, err := p.Evaluate(t.Context(), endpoint()); !errors.Is(err, errTime) {
				t.Error("stopped in time, and still taken for stuck:", err)
			}
		})
	}
}

// TestStuckRules are within one step of the engine, where nothing can stop them: they are left behind,
// and nothing is judged by them any more.
func TestStuckRules(t *testing.T) {
	p := must(t, judge(doubling("x", 20)+"x := x20"))
	p.own.limits = limits{patience: time.Millisecond, time: 2 * time.Millisecond, grace: time.Millisecond, growth: 1 << 40}
	if _, err := p.Evaluate(t.Context(), endpoint()); !errors.Is(err, errTime) {
		t.Error(err)
	}
	if _, err := p.Evaluate(t.Context(), endpoint()); !errors.Is(err, errStuck) {
		t.Error(err)
	}
}

// doubling makes a list that holds the one before twice, n times.
func doubling(name string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s0 := [input.document.key, \"a\"]\n", name)
	for i := range n {
		fmt.Fprintf(&b, "%s%d := [%s%d, %s%d]\n", name, i+1, name, i, name, i)
	}
	return b.String()
}

func TestCancelledContext(t *testing.T) {
	p := must(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Evaluate(ctx, endpoint()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestMemory doubles a text in each step: far more would be asked for than any machine has.
func TestMemory(t *testing.T) {
	var b strings.Builder
	b.WriteString(`x0 := "0123456789abcdef"` + "\n")
	for i := range 60 {
		fmt.Fprintf(&b, "x%d := concat(\"\", [x%d, x%d])\n", i+1, i, i)
	}
	b.WriteString("x := count(x60)")
	p := must(t, judge(b.String()))
	p.own.limits = limits{patience: time.Millisecond, time: time.Minute, grace: time.Minute, growth: 64 << 20}
	if v, err := p.Evaluate(t.Context(), endpoint()); !errors.Is(err, errMemory) {
		t.Error(len(v), err)
	}
}

func TestMalformedResults(t *testing.T) {
	for name, result := range map[string]string{
		"text":          `"no"`,
		"no rule":       `{"path": [], "message": "m"}`,
		"no path":       `{"rule": "r", "message": "m"}`,
		"no message":    `{"rule": "r", "path": []}`,
		"more":          `{"rule": "r", "path": [], "message": "m", "severity": "none"}`,
		"path is text":  `{"rule": "r", "path": "spec", "message": "m"}`,
		"path has null": `{"rule": "r", "path": [null], "message": "m"}`,
		"path has -1":   `{"rule": "r", "path": [-1], "message": "m"}`,
		"path has 0.5":  `{"rule": "r", "path": [0.5], "message": "m"}`,
		"rule name":     `{"rule": "Rule One", "path": [], "message": "m"}`,
		"rule path":     `{"rule": "a/b", "path": [], "message": "m"}`,
		"empty message": `{"rule": "r", "path": [], "message": ""}`,
		"control":       `{"rule": "r", "path": [], "message": "one\ntwo"}`,
		"escape":        `{"rule": "r", "path": [], "message": "\u001b[2J"}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := must(t, own("package lcm.own\n\nwarn contains "+result))
			v, err := p.Evaluate(t.Context(), endpoint())
			if err == nil || !strings.Contains(err.Error(), "package lcm.own: warn") {
				t.Error(v, err)
			}
		})
	}
}

// TestFailingRule: a built-in that fails must not make a denial vanish, nor its error show a value.
func TestFailingRule(t *testing.T) {
	p := must(t, judge("x := to_number(input.document.metadata.owner)"))
	in := endpoint()
	in.Document.Metadata.Owner = "canary-5f1c"
	v, err := p.Evaluate(t.Context(), in)
	if err == nil || !strings.Contains(err.Error(), ownFile+":4") || strings.Contains(err.Error(), "canary") {
		t.Error(v, err)
	}
}

func TestManyVerdicts(t *testing.T) {
	p := must(t, own(`package lcm.own

deny contains {"rule": "r", "path": [a, b], "message": "m"} if {
	some a in split("0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f", ",")
	some b in split("0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f", ",")
}
`))
	v, err := p.Evaluate(t.Context(), endpoint())
	if err != nil || len(v) != maxVerdicts {
		t.Error(len(v), err)
	}
}

// TestSecretsStayUnseen gives a whole Secret, opened by mistake, and asks for all of the input.
func TestSecretsStayUnseen(t *testing.T) {
	p := must(t, judge("x := input"))
	in := endpoint()
	in.Changes = []*Change{{}}
	in.Document.Kind = lcm.KindSecret
	in.Document.Spec = map[string]any{
		"type": "api-key", "rotation": map[string]any{"interval": "90d"}, "source": map[string]any{"path": "canary-5f1c"},
		"data": map[string]any{"key": "canary-5f1c"}, "previous": map[string]any{"key": "canary-5f1c"},
	}
	v, err := p.Evaluate(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprint(v)
	if strings.Contains(all, "canary") || !strings.Contains(all, `"fields": ["key"]`) {
		t.Error(all)
	}
}

func TestMessageWithCredential(t *testing.T) {
	p := must(t, judge("x := input.document.spec.value"))
	in := endpoint()
	in.Document.Kind, in.References = lcm.KindConfig, nil
	key := "sk-ant" + "-api03-" + strings.Repeat("a1B2c3", 10)
	in.Document.Spec = map[string]any{"value": key}
	v, err := p.Evaluate(t.Context(), in)
	if err != nil || !denied(v, "policy/own/x") || strings.Contains(fmt.Sprint(v), key) {
		t.Error(v, err)
	}
}

func TestOwnTestsAreLeftAlone(t *testing.T) {
	must(t, map[string][]byte{"policies/rego/x_test.rego": []byte("package x_test\n\ntest_x if http.send({})")})
}

func TestConcurrentUse(t *testing.T) {
	p := must(t, judge("x := input.document.key"))
	service := &Service{Keys: []Key{{Key: "model", Kind: lcm.KindModelEndpoint}}}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 25 {
				in := endpoint()
				in.Service = service
				in.Document.Key = fmt.Sprintf("key-%d-%d", i, j)
				v, err := p.Evaluate(t.Context(), in)
				if err != nil || len(v) != 1 || v[0].Message != in.Document.Key {
					t.Error(v, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestEndlessCompilation: comparing types that double in each step takes the compiler for ever.
func TestEndlessCompilation(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	p, findings := compile(ctx, judge(doubling("a", 17)+doubling("b", 17)+"a17 == b17\nx := 1"), nil)
	if p != nil || len(findings) != 1 || !strings.Contains(findings[0].Message, "could not be compiled within") {
		t.Error(findings)
	}
}

// TestKinds: which sets a document's kind concerns is read from the rules; every way of writing must
// give what the rule itself says.
func TestKinds(t *testing.T) {
	for condition, want := range map[string]bool{
		`input.document.kind == "ModelEndpoint"`:                                         true,
		`"ModelEndpoint" == input.document.kind`:                                         true,
		`input.document.kind in {"Config", "ModelEndpoint"}`:                             true,
		`input.document.kind in ["Config", "ModelEndpoint"]`:                             true,
		`input["document"].kind == "ModelEndpoint"`:                                      true,
		`input.document.kind != "Config"`:                                                true,
		`not input.document.kind == "Config"`:                                            true,
		`k := "ModelEndpoint"; input.document.kind == k`:                                 true,
		`input.document.kind == input.document.kind`:                                     true,
		`not input.document.kind in {"Config", "Budget"}`:                                true,
		`"ModelEndpoint" in {input.document.kind, "Config"}`:                             true,
		`input.document.kind == "Config"`:                                                false,
		`input.document.kind in {"Config", "Budget"}`:                                    false,
		`input.document.kind in set()`:                                                   false,
		`some k in ["Config"]; input.document.kind == k`:                                 false,
		`input.document.kind == "Config" with input as {"document": {"kind": "Config"}}`: true,
	} {
		p := must(t, judge(condition+"\nx := 1"))
		in := endpoint()
		in.Changes = []*Change{{}}
		v, err := p.Evaluate(t.Context(), in)
		if err != nil || denied(v, "policy/own/x") != want {
			t.Errorf("%s: %v, %v", condition, v, err)
		}
	}
}
