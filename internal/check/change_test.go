package check

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/rule"
)

// difference compares two repositories file by file.
func difference(base, head fstest.MapFS) *Difference {
	d := &Difference{Base: base}
	all := maps.Clone(base)
	maps.Copy(all, head)
	for _, p := range slices.Sorted(maps.Keys(all)) {
		a, b := base[p], head[p]
		if a == nil || b == nil || a.Mode != b.Mode || !bytes.Equal(a.Data, b.Data) {
			d.Paths = append(d.Paths, p)
		}
	}
	return d
}

// missed are the findings that a whole check of head has, one of base has not, and one of the difference does not tell.
func missed(t *testing.T, packs *Packs, base, head fstest.MapFS) ([]diag.Finding, diag.Scope) {
	t.Helper()
	find := func(fsys fs.FS, d *Difference) ([]diag.Finding, diag.Scope) {
		findings, scope, err := packs.Since(t.Context(), fsys, d)
		if err != nil {
			t.Fatal(err)
		}
		return findings, scope
	}
	before, _ := find(base, nil)
	after, _ := find(head, nil)
	told, scope := find(head, difference(base, head))
	told = slices.DeleteFunc(told, func(f diag.Finding) bool { return strings.HasPrefix(f.Rule, "prompt/version-") }) // which compare
	if more := slices.DeleteFunc(slices.Clone(told), func(f diag.Finding) bool { return slices.Contains(after, f) }); len(more) > 0 {
		t.Errorf("the check of a difference makes up %v", more)
	}
	return slices.DeleteFunc(after, func(f diag.Finding) bool { return slices.Contains(before, f) || slices.Contains(told, f) }), scope
}

// Whatever rule a change breaks, a check of the change alone tells it: from the valid repository and from the good
// example of each rule to its bad one.
func TestDifferenceOfEveryRule(t *testing.T) {
	rules, err := rule.All()
	if err != nil {
		t.Fatal(err)
	}
	more, err := rule.Cases(os.DirFS("../rule/testdata/cases"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range more {
		rules = append(rules, rule.Rule{ID: c.Name, Bad: c.Bad, Before: c.Before})
	}
	var packs Packs
	valid := mapFS(rule.Base())
	for _, r := range rules {
		if r.Daemon {
			continue
		}
		if r.Before != nil {
			continue // it compares, and TestRules lints the change
		}
		bad, bases := example(t, r.Bad), []fstest.MapFS{valid}
		if r.Good != nil {
			bases = append(bases, example(t, r.Good))
		}
		for _, base := range bases {
			if m, _ := missed(t, &packs, base, bad); len(m) > 0 {
				t.Errorf("%s: a check of the change misses %v", r.ID, m)
			}
		}
	}
}

func example(t *testing.T, e *rule.Example) fstest.MapFS {
	t.Helper()
	if e == nil {
		return mapFS(rule.Base())
	}
	r, err := e.Repository()
	if err != nil {
		t.Fatal(err)
	}
	return mapFS(r)
}

func mapFS(r rule.Repository) fstest.MapFS {
	m := fstest.MapFS{}
	for name, f := range r {
		m[name] = &fstest.MapFile{Data: f.Data, Mode: f.Mode}
	}
	return m
}

// TestDifferenceMisses makes random changes of random repositories, whose documents refer to each other across services:
// whatever a whole check newly finds, a check of the change tells.
func TestDifferenceMisses(t *testing.T) {
	var packs Packs
	rnd := rand.New(rand.NewPCG(5, 6))
	skipped, found := 0, 0
	for round := range 60 {
		w := randomWorld{rnd: rnd, files: valid(), own: round%100 >= 50, spends: round%3 == 0}
		for range 40 {
			w.disturb()
		}
		base := w.fs()
		for range 1 + rnd.IntN(3) {
			w.disturb()
		}
		head := w.fs()
		m, scope := missed(t, &packs, base, head)
		if len(m) > 0 {
			t.Fatalf("round %d: a check of what changed in %q misses %v", round, difference(base, head).Paths, m)
		}
		skipped += scope.Skipped
		found += len(difference(base, head).Paths)
	}
	if skipped == 0 || found == 0 {
		t.Errorf("nothing was skipped (%d) or changed (%d): this shows nothing", skipped, found)
	}
}

// A new value is nobody else's concern, whoever refers to the service.
func TestDifferenceStaysNear(t *testing.T) {
	files := map[string]string{
		chat + "development/a.sops.yaml":  strings.Replace(secret("chat", "a"), "\nspec:", "\n  sharedWith: [acme/shop/search]\nspec:", 1),
		search + "development/model.yaml": model("/acme/shop/chat/a"),
	}
	base := repository(files)
	files[chat+"base/greeting.yaml"] = config("value: Good day")
	var packs Packs
	_, scope, err := packs.Since(t.Context(), repository(files), difference(base, repository(files)))
	if err != nil || scope.Namespaces != 2 || scope.Skipped != 1 {
		t.Errorf("checked are %+v, %v; want the two of the service that changed, and the other skipped", scope, err)
	}
	files[chat+"development/a.sops.yaml"] = secret("chat", "a")
	findings, scope, err := packs.Since(t.Context(), repository(files), difference(base, repository(files)))
	if err != nil || scope.Skipped != 0 || len(findings) != 1 || findings[0].Rule != "ref/not-shared" {
		t.Errorf("where a Secret is shared no more, found is %v, checked are %+v, %v", findings, scope, err)
	}
}

// randomWorld changes a repository of four services of one project.
type randomWorld struct {
	rnd    *rand.Rand
	files  map[string]string
	own    bool // with a policy of its own that looks at what is referred to
	spends bool // with budgets, a change of which concerns all
}

const lookingPolicy = `package lcm.look

deny contains {"rule": "public", "path": [], "message": "it refers to what is public"} if {
	some r in input.references
	r.classification == "public"
}

warn contains {"rule": "many", "path": [], "message": "there are many keys"} if count(input.service.keys) > 4
`

func (w *randomWorld) fs() fstest.MapFS {
	if w.own {
		w.files["policies/rego/look.rego"] = lookingPolicy
	}
	m := fstest.MapFS{}
	for name, text := range w.files {
		m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return m
}

func (w *randomWorld) one(of ...string) string { return of[w.rnd.IntN(len(of))] }

// disturb writes or removes one file.
func (w *randomWorld) disturb() {
	service, environment := w.one("chat", "search", "mail", "shop"), w.one("base", "base", "development", "staging")
	key := w.one("a", "b", "c", "d")
	dir := "namespaces/acme/shop/" + service + "/" + environment + "/"
	name := dir + key + w.one(".yaml", ".yaml", ".yaml", ".yaml", ".sops.yaml", ".prompt")
	switch {
	case w.rnd.IntN(6) == 0:
		delete(w.files, name)
	case w.rnd.IntN(40) == 0:
		w.files[dir+w.one("README.md", "B.yaml")] = "x"
	case strings.HasSuffix(name, ".sops.yaml"):
		w.files[name] = strings.NewReplacer("/development/", "/"+environment+"/", "\nspec:", "\n  sharedWith: [acme/shop/"+w.one("chat", "search", "mail")+
			"]\n  classification: "+w.one("restricted", "restricted", "confidential")+"\nspec:").Replace(secret(service, key))
	case strings.HasSuffix(name, ".prompt"):
		w.files[name] = "---\nlcm.version: 1.0." + fmt.Sprint(w.rnd.IntN(3)) + "\nlcm.owner: me\nmodel: " + w.one("a", "b") + "\n---\n{{>tone}} hello\n"
		w.files[dir+"_tone.prompt"] = w.one("Be brief.\n", "{{>other}}\n")
	default:
		w.files[name] = w.document()
	}
}

func (w *randomWorld) document() string {
	head := "apiVersion: lcm/v1\nkind: " + w.one("Config", "Config", "Config", "Config", "Tombstone", "Confg") + "\nmetadata: {classification: " +
		w.one("public", "internal", "internal", "confidential") + ", inheritable: " + w.one("true", "true", "false") + ", merge: " + w.one("replace", "replace", "deep") + "}\n"
	if strings.Contains(head, "Tombstone") {
		return head
	}
	ref := w.one("a", "b", "c") // of the same service, of another, or written so that it does not show
	switch w.rnd.IntN(4) {
	case 0:
		ref = "/acme/shop/" + w.one("chat", "search", "mail", "shop") + "/" + ref
	case 1:
		ref = `"\/acme\x2fshop/` + w.one("chat", "search", "mail", "shop") + "/" + ref + `"`
	}
	switch w.rnd.IntN(8) {
	case 0, 1:
		return model(ref)
	case 2:
		return strings.TrimSuffix(model(ref), "\n") + "\n      region: " + w.one("eu-west-1", "us-east-1") + "\n  fallbacks: [{ref: /acme/shop/" +
			w.one("chat/", "search/", "mail/") + w.one("a", "b", "c", "d") + "}]\n"
	case 3:
		if !w.spends {
			break
		}
		return "apiVersion: lcm/v1\nkind: Budget\nspec: {scope: " + w.one("org", "project", "service", "environment") + ", max_budget: \"" + w.one("1", "20", "300") +
			"\", budget_duration: " + w.one("1d", "1w", "30d") + ", on_exceed: block}\n"
	}
	return head + "spec: {value: {" + w.one("x", "y") + ": " + w.one("1", "{ref: "+ref+"}", "{ref: "+ref+"}", "~") + "}}\n"
}
