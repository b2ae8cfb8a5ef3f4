package storetest

import (
	"slices"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// testNamespaces: whatever has a marker is found again by who knows nothing of it.
func (s suite) testNamespaces(t *testing.T) {
	k := s.kit(t)
	staging := lcm.Service{Org: k.ns.Org, Project: k.ns.Project, Name: k.ns.Name}.In("staging")
	other := lcm.Service{Org: k.ns.Org, Project: "other", Name: "svc"}.In("production")
	want := []lcm.Namespace{k.ns, staging, other}
	for _, ns := range want {
		b := store.Batch{Namespace: ns, Marker: store.Marker{Repository: repository, Revision: revision1, Phase: store.Whole}}
		if err := k.target.Apply(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for _, orgs := range [][]string{{k.ns.Org}, {"*"}, {"nobody", k.ns.Org}} {
		got, err := k.target.Namespaces(t.Context(), orgs)
		if err != nil {
			t.Fatal(err)
		}
		got = slices.DeleteFunc(got, func(ns lcm.Namespace) bool { return ns.Org != k.ns.Org })
		byName := func(a, b lcm.Namespace) int {
			if a.String() < b.String() {
				return -1
			}
			return 1
		}
		slices.SortFunc(got, byName)
		slices.SortFunc(want, byName)
		if !slices.Equal(got, want) {
			t.Errorf("of %q: %v, want %v", orgs, got, want)
		}
	}
	if got, err := k.target.Namespaces(t.Context(), []string{"t-nobody"}); err != nil || len(got) > 0 {
		t.Errorf("of nobody: %v, %v", got, err)
	}
}
