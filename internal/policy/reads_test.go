package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// TestShared names the base rules of which one verdict does for many Configs: a rule that looks at more
// costs every document its time.
func TestShared(t *testing.T) {
	k, err := must(t, nil).base.kind(lcm.KindConfig).divided()
	if err != nil {
		t.Fatal(err)
	}
	names := func(q *query) (all []string) {
		for _, o := range q.outputs {
			all = append(all, o.name+"/"+o.set())
		}
		return all
	}
	want := []string{"classification/deny", "credentials/deny", "labels/deny", "lifecycle/warn", "ownership/deny", "ownership/warn", "routing/deny"}
	if diff := cmp.Diff(want, names(k.shared)); diff != "" {
		t.Errorf("shared (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"config/warn"}, names(k.rest)); diff != "" {
		t.Errorf("rest (-want +got):\n%s", diff)
	}
}

// TestReadings: however a rule comes by a fact that documents do not share, its verdict is not shared.
func TestReadings(t *testing.T) {
	const verdict = `{"rule": "r", "path": [], "message": "m"}`
	for name, x := range map[string]struct {
		rules  string // what stands below the package
		shared bool
	}{
		"a fact":             {`deny contains ` + verdict + ` if input.document.environment == "production"`, true},
		"a fact of metadata": {`deny contains ` + verdict + ` if object.get(input.document.metadata, "owner", "") == ""`, true},
		"below a fact":       {`deny contains ` + verdict + ` if input.document.metadata.labels["a/b"] == "c"`, true},
		"any below a fact":   {`deny contains ` + verdict + ` if { some l, _ in input.document.metadata.labels; startswith(l, "x") }`, true},
		"through a helper":   {"deny contains " + verdict + " if orphan\norphan if not input.document.metadata.owner", true},
		"nothing":            {`deny contains ` + verdict + ` if 1 + 1 == 2`, true},

		"spec":               {`deny contains ` + verdict + ` if input.document.spec.value == 1`, false},
		"description":        {`deny contains ` + verdict + ` if input.document.metadata.description == "x"`, false},
		"key":                {`deny contains ` + verdict + ` if input.document.key == "x"`, false},
		"file":               {`deny contains ` + verdict + ` if input.origin.file == "x"`, false},
		"service":            {`deny contains ` + verdict + ` if count(input.service.keys) > 3`, false},
		"negated":            {`deny contains ` + verdict + ` if not input.document.spec.value`, false},
		"other name":         {"deny contains " + verdict + " if {\n\td := input.document\n\td.spec.value == 1\n}", false},
		"whole input":        {"deny contains " + verdict + " if {\n\td := input\n\td.document.spec.value == 1\n}", false},
		"all metadata":       {`deny contains ` + verdict + ` if count(input.document.metadata) > 3`, false},
		"object.get":         {`deny contains ` + verdict + ` if object.get(input.document, "spec", {}) == {}`, false},
		"object.get path":    {`deny contains ` + verdict + ` if object.get(input.document, ["spec", "value"], 0) == 1`, false},
		"object.get name":    {"deny contains " + verdict + " if {\n\tsome f in [\"owner\", \"description\"]\n\tobject.get(input.document.metadata, f, 0) == 0\n}", false},
		"variable name":      {"deny contains " + verdict + " if {\n\tsome f in [\"spec\"]\n\tinput.document[f].value == 1\n}", false},
		"in a name":          {"deny contains " + verdict + " if {\n\tinput.document.metadata.labels[input.document.key]\n}", false},
		"in a default":       {"deny contains " + verdict + " if object.get(input.document.metadata, \"owner\", input.document.key) == \"x\"", false},
		"walk":               {`deny contains ` + verdict + ` if { some p; walk(input, [p, 1]) }`, false},
		"comprehension":      {`deny contains ` + verdict + ` if count([v | some v in input.document.spec]) > 1`, false},
		"every":              {`deny contains ` + verdict + ` if every v in input.document.spec { v == 1 }`, false},
		"with":               {"deny contains " + verdict + " if owned with input.document.metadata.owner as input.document.key\nowned if input.document.metadata.owner", false},
		"in the head":        {`deny contains {"rule": "r", "path": [], "message": sprintf("m%v", [input.document.key])} if true`, false},
		"in another rule":    {"deny contains " + verdict + " if a\na if b\nb := 1 if input.document.spec.value == 1", false},
		"in a function":      {"deny contains " + verdict + " if f(1)\nf(x) if input.document.spec.value == x", false},
		"in an argument":     {"deny contains " + verdict + " if f(input.document.spec)\nf(x) if x.value == 1", false},
		"in another package": {"deny contains " + verdict + " if data.lcm.helper.big", false},
		"imported":           {"import input.document as d\ndeny contains " + verdict + " if d.spec.value == 1", false},
		"second rule":        {"deny contains " + verdict + " if 1 == 2\ndeny contains " + verdict + " if input.document.spec.value == 1", false},
		"else":               {"deny contains " + verdict + " if n == 2\nn := 1 if input.document.metadata.owner == \"x\" else := 2 if input.document.spec.value == 1", false},
		"change":             {"deny contains " + verdict + " if input.change.signer == \"x\"", false},
	} {
		p := must(t, map[string][]byte{"policies/rego/own.rego": []byte("package lcm.own\n\n" + x.rules + "\n"),
			"policies/rego/helper.rego": []byte("package lcm.helper\n\nwarn contains " + verdict + " if big\n\nbig if input.document.spec.value > 1\n")})
		k, err := p.own.kind(lcm.KindConfig).divided()
		if err != nil {
			t.Fatal(err)
		}
		if got := k.shared != nil && slices.ContainsFunc(k.shared.outputs, func(o output) bool { return o.name == "own" }); got != x.shared {
			t.Errorf("%s: shared %v, want %v", name, got, x.shared)
		}
	}
}

// TestKnownIsAsked holds verdicts that were remembered against those of rules that remember nothing.
func TestKnownIsAsked(t *testing.T) {
	own := own(`package lcm.own

deny contains {"rule": "team", "path": ["metadata", "owner"], "message": sprintf("not %s in %s", [input.document.metadata.owner, input.document.environment])} if {
		input.document.metadata.owner == "x"
		input.target.name == "vault"
	}`)
	p, fresh := must(t, own), must(t, own)
	random := rand.New(rand.NewPCG(1, 1))
	said, hits := 0, 0
	for n := range 5000 {
		in := likely(random, n)
		if k, err := p.base.kind(in.Document.Kind).divided(); err == nil {
			if _, ok := k.known.get(k.key(&in)); ok {
				hits++
			}
		}
		got, err := p.Evaluate(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, pack := range []*pack{fresh.base, fresh.own} {
			for _, k := range pack.kinds {
				k.asked.Store(0)
			}
		}
		in.plain, in.credentials = nil, nil
		want, err := fresh.Evaluate(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("document %d, %+v (-asked +known):\n%s", n, in.Document, diff)
		}
		said += len(got)
	}
	if said < 1000 || hits < 400 {
		t.Errorf("%d verdicts, %d of which were known: the test shows nothing", said, hits)
	}
}

// likely makes a document of a few kinds, in which the common rules find something now and then.
func likely(r *rand.Rand, n int) Input {
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	in := Input{
		Document: Document{Address: fmt.Sprint("acme/ml/chat/production/k", n), Org: one("acme", "other"), Project: "ml", Service: "chat",
			Environment: one("production", "staging", "prod-eu"), Key: one("k", "password", "size"), Kind: lcm.Kind(one("Config", "Preset", "Secret", "Own", "Budget")),
			Metadata: Metadata{Description: fmt.Sprint(n), Classification: lcm.Classification(one("public", "internal", "restricted")),
				Owner: one("", "x", "team", "todo"), Merge: one("", "deep"), Inheritable: r.IntN(2) == 0}},
		Origin: Origin{File: fmt.Sprint(n), Environment: one("production", "base")},
	}
	in.Document.Spec = map[string]any{"value": one("http://example.org", "s", "sk-1"), "slug": one("development-a", "b"), "type": one("ssh", "api-key")}
	if r.IntN(3) == 0 {
		in.Document.Metadata.Labels = map[string]string{one("lcm.x", "tier", "token"): one("gold", "t")}
	}
	if r.IntN(4) == 0 {
		in.Document.Metadata.SharedWith = []string{one("acme/a/b", "other/a/b")}
	}
	if r.IntN(8) > 0 {
		in.Target = &Target{Name: one("vault", "runtime"), Secrets: r.IntN(2) == 0, MaxClassification: lcm.Classification(one("public", "restricted"))}
	}
	if r.IntN(4) == 0 {
		in.References = map[string]Reference{strings.TrimPrefix(one("acme/ml/chat/production/a", "acme/ml/chat/production/b"), "/"): {
			Kind: lcm.KindSecret, Labels: map[string]string{"deprecated": one("true", "false")}}}
	}
	return in
}
