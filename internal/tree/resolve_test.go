package tree

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func TestInheritance(t *testing.T) {
	tr := load(t, files{
		"/base/near.yaml": config("base"), "/staging/near.yaml": config("staging"),
		"/base/far.yaml":         config("base"),
		"/base/gone.yaml":        config("base"),
		"/staging/gone.yaml":     document("Tombstone", "", ""),
		"/base/own.yaml":         config("base"),
		"/staging/own.yaml":      document("Config", "inheritable: false", "value: staging"),
		"/base/a.sops.yaml":      secret("acme/ml/chat/base/a", ""),
		"/base/b.sops.yaml":      secret("acme/ml/chat/base/b", ", inheritable: true"),
		"/development/only.yaml": document("Tombstone", "inheritable: false", ""),
		"/base/only.yaml":        config("base"),
		"/base/back.yaml":        document("Tombstone", "", ""),
		"/production/back.yaml":  config("production"),
	}.fs())
	for env, want := range map[string]map[string]any{
		"development": {"near": "base", "far": "base", "gone": "base", "own": "base"},
		"staging":     {"near": "staging", "far": "base", "own": "staging", "only": "base"},
		"production":  {"near": "staging", "far": "base", "own": "base", "only": "base", "back": "production"},
	} {
		got := map[string]any{}
		r := tr.Resolve(chat.In(env))
		for _, e := range r.Entries {
			if e.Kind != lcm.KindSecret {
				got[e.Address.Key] = e.Spec["value"]
			}
		}
		diff(t, env, got, want)
		if !slices.Contains(keys(r), "b") || slices.Contains(keys(r), "a") {
			t.Errorf("%s has the secrets %v", env, keys(r))
		}
	}
}

func TestDeepMerge(t *testing.T) {
	tr := load(t, files{
		"/base/k.yaml":        document("Config", "classification: confidential, owner: b", "value: {a: 1, b: {c: 2, d: [1, 2]}, e: 5}"),
		"/development/k.yaml": document("Config", "merge: deep, classification: public", "value: {b: {d: [3], x: ~}, e: ~}"),
		"/staging/k.yaml":     document("Config", "merge: deep, owner: s", "value: {n: {m: ~, o: 1}, a: {z: 1}}"),
		"/production/k.yaml":  config("plain"),
	}.fs())
	want := map[string]map[string]any{
		"development": {"value": map[string]any{"a": int64(1), "b": map[string]any{"c": int64(2), "d": []any{int64(3)}}}},
		"staging": {"value": map[string]any{"a": map[string]any{"z": int64(1)}, "n": map[string]any{"o": int64(1)},
			"b": map[string]any{"c": int64(2), "d": []any{int64(3)}}}},
		"production": {"value": "plain"},
	}
	for _, env := range []string{"production", "staging", "development", "staging"} {
		diff(t, env, entry(t, tr, env, "k").Spec, want[env])
	}
	e := entry(t, tr, "staging", "k")
	if e.Metadata.Classification != lcm.Confidential || e.Metadata.Owner != "s" || len(e.Documents) != 3 || e.Origin.Environment != "staging" {
		t.Errorf("%+v", e)
	}
	if e := entry(t, tr, "production", "k"); e.Metadata.Classification != lcm.Internal {
		t.Errorf("a replaced document still classifies: %v", e.Metadata.Classification)
	}
	for path, want := range map[string]string{
		"spec value b c": "/base/k.yaml:4:29", "spec value b d 0": "/development/k.yaml:4:24", "spec value a z": "/staging/k.yaml:4:40",
		"spec value missing": "/base/k.yaml:4:15", "spec value b missing": "/base/k.yaml:4:25", "spec value n o missing": "/staging/k.yaml:4:29",
		"spec value b d 1": "/development/k.yaml:4:23", "spec value a c": "/staging/k.yaml:4:36", "spec value e f": "/development/k.yaml:4:38",
		"spec value": "/staging/k.yaml:4:15", "metadata owner": "/staging/k.yaml:3:32", "kind": "/staging/k.yaml:2:7",
	} {
		if got := short([]string{e.Position(strings.Fields(path)...).String()})[0]; got != want {
			t.Errorf("%s stands at %s, want %s", path, got, want)
		}
	}
	diff(t, "value", e.Value()["spec"], any(e.Spec))
}

func TestFindingsOfMerging(t *testing.T) {
	const deep = "merge: deep"
	for name, c := range map[string]struct {
		files files
		want  []string
	}{
		"nothing":       {files{"/staging/k.yaml": document("Config", deep, "value: 1")}, []string{"/staging/k.yaml:3:19 merge/nothing"}},
		"tombstone":     {files{"/base/k.yaml": document("Tombstone", "", ""), "/staging/k.yaml": document("Config", deep, "value: 1")}, []string{"/staging/k.yaml:3:19 merge/nothing"}},
		"not inherited": {files{"/base/k.yaml": document("Config", "inheritable: false", ""), "/staging/k.yaml": document("Config", deep, "value: 1")}, []string{"/staging/k.yaml:3:19 merge/nothing"}},
		"kind":          {files{"/base/k.yaml": document("Preset", "", ""), "/staging/k.yaml": document("Config", deep, "value: 1")}, []string{"/staging/k.yaml:3:19 merge/kind"}},
		"prompt":        {files{"/base/k.prompt": prompt("x"), "/staging/k.yaml": document("Config", deep, "value: 1")}, []string{"/staging/k.yaml:3:19 merge/forbidden"}},
		"secret":        {files{"/base/k.sops.yaml": secret("acme/ml/chat/base/k", ", inheritable: true"), "/staging/k.yaml": document("Config", deep, "value: 1")}, []string{"/staging/k.yaml:3:19 merge/forbidden"}},
		"broken":        {files{"/base/k.yaml": "x: 1\n", "/staging/k.yaml": document("Config", deep, "value: 1")}, nil},
		"reference":     {files{"/base/o.yaml": config("1"), "/base/k.yaml": config("{a: {ref: o}}"), "/staging/k.yaml": document("Config", deep, "value: {a: {b: 1}}")}, []string{"/staging/k.yaml:4:19 merge/reference"}},
	} {
		m := c.files.fs()
		got := short(brief(all(m)))
		got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "/base/") })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
		tr, _ := Load(m)
		if got := keys(tr.Resolve(chat.In("production"))); slices.Contains(got, "k") {
			t.Errorf("%s: k is there", name)
		}
	}
}

// A broken file in a layer is no reason to serve what stands further up.
func TestBrokenIsNotAbsent(t *testing.T) {
	tr, _ := Load(files{"/base/k.yaml": config("1"), "/staging/k.yaml": "a: [\n", "/base/o.yaml": config("2")}.fs())
	diff(t, "development", keys(tr.Resolve(chat.In("development"))), []string{"k", "o"})
	r := tr.Resolve(chat.In("production"))
	diff(t, "production", keys(r), []string{"o"})
	if len(r.Findings) != 1 {
		t.Error(r.Findings)
	}
}

// A broken file that a nearer document overrides is a finding all the same, and costs no entry.
func TestBrokenButOverridden(t *testing.T) {
	tr, _ := Load(files{"/base/k.yaml": "a: [\n", "/staging/k.yaml": config("1")}.fs())
	r := tr.Resolve(chat.In("production"))
	diff(t, "production", keys(r), []string{"k"})
	diff(t, "findings", short(brief(r.Findings)), []string{"/base/k.yaml:1:1 yaml/syntax"})
}

func TestNoRoute(t *testing.T) {
	m := files{SettingsFile: strings.Replace(settingsYAML, `kinds: ["*"]`, "kinds: [Preset]", 1), "/base/k.yaml": config("1")}.fs()
	diff(t, "findings", short(brief(all(m))), []string{"/base/k.yaml:1:1 route/none"})
	tr, _ := Load(m)
	diff(t, "keys", keys(tr.Resolve(chat.In("production"))), []string(nil))
}

func TestUndeclaredEnvironment(t *testing.T) {
	r := load(t, files{"/base/k.yaml": config("1")}.fs()).Resolve(chat.In("prod"))
	if len(r.Entries) > 0 || len(r.Findings) != 1 || r.Findings[0].Rule != "layout/environment" {
		t.Errorf("%+v", r)
	}
}

func TestReferences(t *testing.T) {
	tr := load(t, files{
		"/base/k.yaml":   config("[{a: {ref: own}}, {ref: /acme/ml/embed/key}, {ref: x, b: 1}]"),
		"/base/own.yaml": config("1"),
		"namespaces/acme/ml/embed/production/key.sops.yaml":  secret("acme/ml/embed/production/key", ", sharedWith: [acme/ml/chat]"),
		"namespaces/acme/ml/embed/development/key.sops.yaml": secret("acme/ml/embed/development/key", ", sharedWith: [acme/ml/chat, acme/a/b]"),
		"namespaces/acme/ml/embed/staging/key.sops.yaml":     secret("acme/ml/embed/staging/key", ", sharedWith: [acme/ml/chat]"),
	}.fs())
	for range 2 { // what is cached is not changed by resolving
		e := entry(t, tr, "production", "k")
		diff(t, "spec", e.Spec["value"], any([]any{
			map[string]any{"a": map[string]any{"ref": "acme/ml/chat/production/own"}},
			map[string]any{"ref": "acme/ml/embed/production/key"},
			map[string]any{"ref": "x", "b": int64(1)},
		}))
		var got []string
		for _, r := range e.References {
			got = append(got, strings.Join(r.Path, ".")+" "+r.To.String()+" "+r.Origin.Address.String())
		}
		diff(t, "references", got, []string{
			"value.0.a acme/ml/chat/production/own acme/ml/chat/base/k", "value.1 acme/ml/embed/production/key acme/ml/chat/base/k"})
	}
	if e := entry(t, tr, "staging", "k"); e.References[1].To.String() != "acme/ml/embed/staging/key" {
		t.Error(e.References)
	}
	diff(t, "services", tr.Resolve(chat.In("staging")).Services, []lcm.Service{{Org: "acme", Project: "ml", Name: "embed"}})
}

func TestFindingsOfReferences(t *testing.T) {
	other := func(env, metadata string) string { return secret("acme/ml/embed/"+env+"/key", metadata) }
	for name, c := range map[string]struct {
		files files
		want  []string
	}{
		"syntax":        {files{"/base/k.yaml": config("{ref: No}")}, []string{"/base/k.yaml:3:21 ref/syntax"}},
		"relative":      {files{"/base/k.yaml": config("{ref: a/b}")}, []string{"/base/k.yaml:3:21 ref/syntax"}},
		"environment":   {files{"/base/k.yaml": config("{ref: /acme/ml/chat/production/k}")}, []string{"/base/k.yaml:3:21 ref/syntax"}},
		"short":         {files{"/base/k.yaml": config("{ref: /k}")}, []string{"/base/k.yaml:3:21 ref/syntax"}},
		"not a string":  {files{"/base/k.yaml": config("{ref: [k]}")}, []string{"/base/k.yaml:3:21 ref/syntax"}},
		"reserved":      {files{"/base/k.yaml": config("{ref: bulk}")}, []string{"/base/k.yaml:3:21 ref/syntax"}},
		"dangling":      {files{"/base/k.yaml": config("[1, {ref: x}]")}, []string{"/base/k.yaml:3:25 ref/dangling"}},
		"no service":    {files{"/base/k.yaml": config("{ref: /acme/ml/no/k}")}, []string{"/base/k.yaml:3:21 ref/dangling"}},
		"tenant":        {files{"/base/k.yaml": config("{ref: /bolt/ml/x/k}"), "namespaces/bolt/ml/x/base/k.yaml": config("1")}, []string{"/base/k.yaml:3:21 ref/tenant"}},
		"tombstone":     {files{"/base/k.yaml": config("{ref: x}"), "/base/x.yaml": document("Tombstone", "", "")}, []string{"/base/k.yaml:3:21 ref/dangling"}},
		"not inherited": {files{"/production/k.yaml": config("{ref: x}"), "/staging/x.yaml": document("Config", "inheritable: false", "")}, []string{"/production/k.yaml:3:21 ref/dangling"}},
		"merged": {files{"/base/o.yaml": config("1"), "/base/k.yaml": config("{a: {ref: o}, b: {ref: o}}"), "/production/k.yaml": document("Config", "merge: deep", "value: {b: {ref: x}}")},
			[]string{"/production/k.yaml:4:25 ref/dangling"}},
		"not shared": {files{"/production/k.yaml": config("{ref: /acme/ml/embed/key}"), "namespaces/acme/ml/embed/production/key.sops.yaml": other("production", ", sharedWith: [acme/ml/chats]")},
			[]string{"/production/k.yaml:3:21 ref/not-shared"}},
		"self":   {files{"/base/k.yaml": config("{ref: k}")}, []string{"/base/k.yaml:3:21 ref/cycle"}},
		"circle": {files{"/base/a.yaml": config("{ref: b}"), "/base/b.yaml": config("{ref: c}"), "/base/c.yaml": config("{ref: a}"), "/base/d.yaml": config("{ref: a}")}, []string{"/base/a.yaml:3:21 ref/cycle"}},
		"circle of services": {files{"/base/k.yaml": config("{ref: /acme/ml/embed/k}"), "namespaces/acme/ml/embed/base/k.yaml": config("[{ref: o}, {ref: /acme/ml/chat/k}]"),
			"namespaces/acme/ml/embed/base/o.yaml": config("1")}, []string{"/base/k.yaml:3:21 ref/cycle"}},
		"to what is broken": {files{"/base/k.yaml": config("{ref: x}"), "/base/x.yaml": "x\n"}, []string{"/base/x.yaml:1:1 document/shape"}},
	} {
		if got := short(brief(all(c.files.fs()))); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// What is on a circle is left out, what only leads to it is not; each namespace on it hears of it.
func TestCircleConcernsItsNamespaces(t *testing.T) {
	tr := load(t, files{"/base/k.yaml": config("{ref: /acme/ml/embed/k}"), "/base/d.yaml": config("{ref: k}"),
		"namespaces/acme/ml/embed/base/k.yaml": config("{ref: /acme/ml/chat/k}"),
		"namespaces/acme/ml/third/base/k.yaml": config("{ref: /acme/ml/chat/k}")}.fs())
	a, b := tr.Resolve(chat.In("production")), tr.Resolve(lcm.Service{Org: "acme", Project: "ml", Name: "embed"}.In("staging"))
	diff(t, "keys", keys(a), []string{"d"})
	diff(t, "same finding", a.Findings, b.Findings)
	third := tr.Resolve(lcm.Service{Org: "acme", Project: "ml", Name: "third"}.In("staging"))
	if len(third.Findings) > 0 || len(third.Services) != 2 {
		t.Errorf("%+v", third)
	}
}

// One mistake in a base document is one finding, however many environments inherit it.
func TestFindingsDoNotNameEnvironments(t *testing.T) {
	tr := load(t, files{"/base/k.yaml": config("{ref: x}"), "/base/p.prompt": prompt("{{> no}}")}.fs())
	first := tr.Resolve(chat.In("development")).Findings
	diff(t, "findings", first, tr.Resolve(chat.In("production")).Findings)
	diff(t, "number", len(first), 2)
}

func TestConcurrentResolve(t *testing.T) {
	m := files{}
	for _, s := range []string{"a", "b", "c", "d"} {
		maps.Copy(m, files{"namespaces/acme/ml/" + s + "/base/k.yaml": config("{ref: /acme/ml/a/x}"), "namespaces/acme/ml/" + s + "/base/x.yaml": config("1")})
	}
	tr := load(t, m.fs())
	tr.cache.max = 3 // so that layers are dropped all the time
	done := make(chan int)
	for range 4 {
		go func() {
			n := 0
			for range 20 {
				for _, ns := range tr.Namespaces() {
					n += len(tr.Resolve(ns).Entries)
				}
			}
			done <- n
		}()
	}
	for range 4 {
		if n := <-done; n != 20*4*3*2 {
			t.Errorf("%d entries", n)
		}
	}
	if tr.cache.total > 3+3 || len(tr.cache.layers) != len(tr.cache.queue) {
		t.Errorf("the cache keeps %d documents, %d layers, a queue of %d", tr.cache.total, len(tr.cache.layers), len(tr.cache.queue))
	}
}

// What goes into no entry is named all the same: it is in the repository, and somebody may look into it.
func TestPassed(t *testing.T) {
	tr := load(t, files{
		"/base/k.yaml": config("1"), "/development/k.yaml": config("2"), "/base/gone.yaml": config("1"),
		"/production/gone.yaml": document("Tombstone", "owner: t", "reason: x"),
		"/base/ask.prompt":      prompt("{{>used}}"), "/base/_used.prompt": "x", "/base/_unused.prompt": "x",
		"/staging/ask.prompt": prompt("new"), "/staging/ask.warm.prompt": "warm",
	}.fs())
	for env, want := range map[string][]string{
		"development": {"/base/_unused.prompt", "/base/k.yaml"},
		"production":  {"/base/_unused.prompt", "/base/_used.prompt", "/base/ask.prompt", "/base/gone.yaml", "/base/k.yaml", "/production/gone.yaml"},
	} {
		var got []string
		for _, d := range tr.Resolve(chat.In(env)).Passed {
			got = append(got, d.File)
		}
		diff(t, env, short(got), want)
	}
}
