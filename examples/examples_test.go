package examples

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// The example is what people copy: not even a warning.
func TestExampleIsClean(t *testing.T) {
	findings, err := check.Repository(t.Context(), Repository())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
	if p, findings := trust.LoadPolicy(Repository()); p == nil || p.Repository != Name || len(findings) > 0 {
		t.Error(findings)
	}
}

// It shows everything once: every kind, every environment, two tenants, five services.
func TestExampleIsComplete(t *testing.T) {
	tr, findings := tree.Load(Repository())
	if tr == nil {
		t.Fatal(findings)
	}
	if tr.Settings().Name != Name {
		t.Error(tr.Settings().Name)
	}
	orgs, kinds, environments, deep := map[string]bool{}, map[lcm.Kind]bool{}, map[string]bool{}, false
	for _, s := range tr.Services() {
		orgs[s.Org] = true
		layers, _ := tr.Service(s)
		for _, l := range layers {
			environments[l] = true
		}
	}
	for _, ns := range tr.Namespaces() {
		for _, e := range tr.Resolve(ns).Entries {
			kinds[e.Kind] = true
			deep = deep || e.Metadata.Merge == "deep"
		}
	}
	for got, want := range map[string][]string{
		strings.Join(slices.Sorted(maps.Keys(orgs)), " "):         {"acme-corp", "globex"},
		strings.Join(slices.Sorted(maps.Keys(environments)), " "): {"base", "development", "production", "staging"},
	} {
		if got != strings.Join(want, " ") {
			t.Errorf("%s, not %v", got, want)
		}
	}
	for _, k := range []lcm.Kind{lcm.KindConfig, lcm.KindSecret, lcm.KindModelEndpoint, lcm.KindPromptTemplate, lcm.KindPreset, lcm.KindPriceMap, lcm.KindBudget, lcm.KindRollout} {
		if !kinds[k] {
			t.Errorf("no %s", k)
		}
	}
	if len(tr.Services()) != 5 || !deep {
		t.Errorf("%d services, deep merge %v", len(tr.Services()), deep)
	}
	dead := lcm.Service{Org: "acme-corp", Project: "ml-platform", Name: "inference"}
	for env, want := range map[string]bool{"development": true, "staging": false, "production": false} {
		if got := slices.ContainsFunc(tr.Resolve(dead.In(env)).Entries, func(e *tree.Entry) bool { return e.Address.Key == "development-creative" }); got != want {
			t.Errorf("the tombstone: development-creative in %s: %v", env, got)
		}
	}
}

// Every sealed file opens with the published key, and nothing stands beside it that should not.
func TestExampleOpens(t *testing.T) {
	key, err := fs.ReadFile(Repository(), AgeKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "age.txt")
	if err := os.WriteFile(file, key, 0o600); err != nil {
		t.Fatal(err)
	}
	opener, err := sopsfile.NewOpener(sopsfile.Config{IdentityFile: file})
	if err != nil {
		t.Fatal(err)
	}
	_, recipient, err := sopsfile.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = fs.WalkDir(Repository(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".sops.yaml") || path == ".sops.yaml" {
			return err
		}
		n++
		data, err := fs.ReadFile(Repository(), path)
		if err != nil {
			return err
		}
		if strings.Contains(string(data), "not-a-real-one") {
			t.Errorf("%s holds a value in the clear", path)
		}
		_, err = opener.Reseal(path, data, []string{recipient})
		return err
	})
	if err != nil || n < 20 {
		t.Errorf("%d files: %v", n, err)
	}
	if d := cmp.Diff("# DO NOT USE THIS KEY.", string(key)[:22]); d != "" {
		t.Errorf("the key file must say so first: %s", d)
	}
}
