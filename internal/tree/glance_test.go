package tree

import (
	"testing"
	"testing/fstest"
)

func TestGlanceResolvesAsLoad(t *testing.T) {
	fsys := files{
		"/base/a.yaml":         config("base"),
		"/staging/a.yaml":      document("Config", "merge: deep", "value: near"),
		"/base/b.yaml":         config("base"),
		"/production/b.yaml":   document("Tombstone", "", ""),
		"/base/broken.yaml":    "a: [",
		"/production/ref.yaml": document("Config", "", "value: {ref: a}"),
	}.fs()
	whole, glance := load(t, fsys), Glance(fsys)
	for _, environment := range []string{"development", "staging", "production"} {
		want, got := whole.Resolve(chat.In(environment)), glance.Resolve(chat.In(environment))
		diff(t, environment, keys(got), keys(want))
		diff(t, environment+" findings", brief(got.Findings), brief(want.Findings))
		for i, e := range want.Entries {
			diff(t, e.Address.String(), got.Entries[i].Spec, e.Spec)
		}
	}
	if Glance(fstest.MapFS{}) != nil {
		t.Error("no settings, but a tree")
	}
}
