package policy

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const approved = `package lcm.own

deny contains {"rule": "carol", "path": [], "message": "carol approves"} if not "carol" in input.change.approvers

deny contains {"rule": "tier", "path": [], "message": "a label tier is missing"} if not input.document.metadata.labels.level
`

func rulesOf(t *testing.T, p *Policy, changes ...*Change) (rules []string) {
	t.Helper()
	in := endpoint()
	in.Changes = changes
	verdicts, err := p.Evaluate(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		rules = append(rules, v.Rule)
	}
	return rules
}

// A rule is asked about every step; where no step is known, the rules that ask are left out and the others
// are not.
func TestChanges(t *testing.T) {
	p := must(t, own(approved))
	by := func(names ...string) *Change { return &Change{Revision: names[0], Approvers: names} }
	for _, c := range []struct {
		name    string
		changes []*Change
		want    []string
	}{
		{"unknown", nil, []string{"policy/own/tier"}},
		{"approved", []*Change{by("alice", "carol")}, []string{"policy/own/tier"}},
		{"not approved", []*Change{by("alice", "bob")}, []string{"policy/own/carol", "policy/own/tier"}},
		{"nobody", []*Change{{Vouched: true}}, []string{"policy/own/carol", "policy/own/tier"}},
		{"one of two", []*Change{by("bob"), by("carol")}, []string{"policy/own/carol", "policy/own/tier"}},
		{"the other of two", []*Change{by("carol"), by("bob")}, []string{"policy/own/carol", "policy/own/tier"}},
		{"both", []*Change{by("carol"), by("carol")}, []string{"policy/own/tier"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, rulesOf(t, p, c.changes...)); d != "" {
				t.Error(d)
			}
		})
	}
	if at := p.Askers(); len(at) != 1 || at[0].String() != ownFile+":3:1" {
		t.Error(at)
	}
}

// Whatever way a rule takes to input.change, it is found; what only looks at other facts is not.
func TestAskers(t *testing.T) {
	for _, c := range []struct {
		name, rules string
		want        bool
	}{
		{"itself", `deny contains x if { input.change.signer == "a"; x := 1 }`, true},
		{"in the head", `deny contains input.change.signer if true`, true},
		{"by a rule", "s := input.change.signer\n\ndeny contains x if { s == \"a\"; x := 1 }", true},
		{"by a function", "f(x) := input.change.signer\n\ndeny contains x if { f(1) == \"a\"; x := 1 }", true},
		{"by a variable", `deny contains x if { i := input; i.change; x := 1 }`, true},
		{"by a variable name", `deny contains x if { some k; input[k].signer == "a"; x := 1 }`, true},
		{"as a whole", `deny contains x if { walk(input, [["change"], _]); x := 1 }`, true},
		{"by object.get", `deny contains x if { object.get(input, "change", 1) == 1; x := 1 }`, true},
		{"by a path of object.get", `deny contains x if { object.get(input, ["change", "signer"], 1) == 1; x := 1 }`, true},
		{"by a default of object.get", `deny contains x if { object.get(input, "target", input.change) == 1; x := 1 }`, true},
		{"by an import", "import input.change as c\n\ndeny contains x if { c.signer == \"a\"; x := 1 }", true},
		{"another import", "import input.document as c\n\ndeny contains x if { c.key == \"a\"; x := 1 }", false},
		{"in every", `deny contains x if { every a in input.change.approvers { a == "a" }; x := 1 }`, true},
		{"in a comprehension", `deny contains x if { count([a | some a in input.change.approvers]) == 1; x := 1 }`, true},
		{"negated", `deny contains x if { not input.change.vouched; x := 1 }`, true},
		{"replaced", `deny contains x if { input.document with input as {}; x := 1 }`, true},
		{"a warning", `warn contains x if { input.change.signer == "a"; x := 1 }`, true},
		{"in another set", "other if input.change.signer\n\ndeny contains x if { input.document.key == \"a\"; x := 1 }", false},
		{"another fact", `deny contains x if { input.document.change == "a"; x := 1 }`, false},
		{"another fact by object.get", `deny contains x if { object.get(input, "target", {}) == {}; x := 1 }`, false},
		{"another path of object.get", `deny contains x if { object.get(input, ["target", "change"], 1) == 1; x := 1 }`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := must(t, own("package lcm.own\n\n"+c.rules+"\n"))
			if got := len(p.Askers()) > 0; got != c.want {
				t.Errorf("it asks: %v, want %v", got, c.want)
			}
		})
	}
}

func TestBaseDoesNotAsk(t *testing.T) {
	p := must(t, nil)
	if len(p.Askers()) > 0 || !slices.Equal(rulesOf(t, p), rulesOf(t, p, &Change{Signer: "a"})) {
		t.Error("the base pack judges by who changed a document")
	}
}
