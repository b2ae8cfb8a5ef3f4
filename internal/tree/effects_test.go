package tree

import (
	"maps"
	"strings"
	"testing"
)

func TestEffects(t *testing.T) {
	before := files{
		"/base/k.yaml": config("1"), "/staging/over.yaml": config("2"), "/base/over.yaml": config("1"),
		"/base/m.yaml": config("{a: 1, b: 2}"), "/production/m.yaml": document("Config", "merge: deep", "value: {a: 3}"),
		"/base/ask.prompt": prompt("{{> sign}}"), "/base/ask.x.prompt": "x", "/base/_sign.prompt": "base", "/base/_idle.prompt": "x",
		"/base/s.sops.yaml": secret("acme/ml/chat/base/s", ", inheritable: true"), "/base/own.yaml": document("Config", "inheritable: false", "value: 1"),
		"/production/p.yaml": config("1"), "/base/bad.yaml": "x\n",
		"namespaces/acme/ml/embed/base/k.yaml": config("1"),
	}
	everywhere := func(file string, envs ...string) (as []string) {
		for _, e := range envs {
			as = append(as, "/"+e+"/"+file)
		}
		return as
	}
	const d, s, p = "development", "production", "staging" // in the order of the names
	for _, c := range []struct {
		name, path, content string // no content: deleted
		want                []string
	}{
		{"value", "/base/k.yaml", config("2"), everywhere("k.yaml", d, s, p)},
		{"only a comment", "/base/k.yaml", config("1") + "# x\n", nil},
		{"metadata", "/base/k.yaml", document("Config", "owner: x", "value: 1"), everywhere("k.yaml", d, s, p)},
		{"kind", "/base/k.yaml", document("Preset", "", "value: 1"), everywhere("k.yaml", d, s, p)},
		{"in the middle", "/staging/k.yaml", config("2"), everywhere("k.yaml", s)},
		{"tombstone", "/staging/k.yaml", document("Tombstone", "", ""), everywhere("k.yaml", s)},
		{"overridden", "/base/over.yaml", config("3"), everywhere("over.yaml", d)},
		{"no longer overridden", "/staging/over.yaml", "", everywhere("over.yaml", s)},
		{"new", "/base/new.yaml", config("1"), everywhere("new.yaml", d, s, p)},
		{"deleted", "/base/k.yaml", "", everywhere("k.yaml", d, s, p)},
		{"merged, hidden", "/base/m.yaml", config("{a: 2, b: 2}"), everywhere("m.yaml", d, p)},
		{"merged, seen", "/base/m.yaml", config("{a: 1, b: 3}"), everywhere("m.yaml", d, s, p)},
		{"variant", "/base/ask.x.prompt", "y", everywhere("ask.x.prompt", d, s, p)},
		{"new variant", "/base/ask.y.prompt", "y", everywhere("ask.y.prompt", d, s, p)},
		{"partial", "/base/_sign.prompt", "other", everywhere("_sign.prompt", d, s, p)},
		{"nearer partial", "/staging/_sign.prompt", "other", everywhere("_sign.prompt", s)},
		{"idle partial", "/base/_idle.prompt", "other", nil},
		{"secret sealed anew", "/base/s.sops.yaml", strings.Replace(secret("acme/ml/chat/base/s", ", inheritable: true"), "mac: ENC[AES256_GCM,data:a", "mac: ENC[AES256_GCM,data:b", 1),
			everywhere("s.sops.yaml", d, s, p)},
		{"not inheritable", "/base/own.yaml", config("2"), everywhere("own.yaml", d, s, p)},
		{"still not inheritable", "/base/own.yaml", document("Config", "inheritable: false", "value: 2"), nil},
		{"own environment", "/production/p.yaml", config("2"), nil},
		{"broken", "/base/k.yaml", "x\n", everywhere("k.yaml", d, s, p)},
		{"broken before and after", "/base/bad.yaml", "y\n", everywhere("bad.yaml", d, s, p)},
		{"no document", "/base/README.md", "x", nil},
		{"outside", "README.md", "x", nil},
		{"seals", ".sops.yaml", rule, nil},
		{"routes", "lcm.yaml", strings.Replace(settingsYAML, "acme/**", "bolt/**", 1), nil},
		{"chain", "lcm.yaml", strings.Replace(settingsYAML, "{inherits: staging}", "{inherits: development}", 1), []string{"/production/bad.yaml", "/production/over.yaml"}},
		{"abstract", "lcm.yaml", strings.Replace(settingsYAML, "production: {", "production: {abstract: true, ", 1), []string{
			"/production/ask.prompt", "/production/bad.yaml", "/production/k.yaml", "/production/m.yaml", "/production/over.yaml",
			"/production/p.yaml", "/production/s.sops.yaml", "namespaces/acme/ml/embed/production/k.yaml"}},
	} {
		after := maps.Clone(before)
		if after[c.path] = c.content; c.content == "" {
			delete(after, c.path)
		}
		oldTree, _ := Load(before.fs())
		newTree, _ := Load(after.fs())
		path := c.path
		if strings.HasPrefix(path, "/") {
			path = "namespaces/acme/ml/chat" + path
		}
		got, err := Effects(oldTree, newTree, []string{path, path + "x"})
		if err != nil {
			t.Fatal(err)
		}
		var as []string
		for _, e := range got {
			if e.Path != path {
				t.Errorf("%s: an effect of %s", c.name, e.Path)
			}
			as = short(e.As)
		}
		diff(t, c.name, as, c.want)
	}
}

// A side without usable settings hides what it publishes, so that whoever repairs it answers for all.
func TestEffectsWithoutSettings(t *testing.T) {
	tr := load(t, files{"/base/k.yaml": config("1"), "/production/k.yaml": config("2")}.fs())
	for _, c := range [][2]*Tree{{nil, tr}, {tr, nil}} {
		got, err := Effects(c[0], c[1], []string{SettingsFile, "namespaces/acme/ml/chat/base/k.yaml"})
		if err != nil || len(got) != 2 {
			t.Fatal(got, err)
		}
		for _, e := range got {
			diff(t, e.Path, short(e.As), []string{"/development/k.yaml", "/production/k.yaml", "/staging/k.yaml"})
		}
	}
	if got, err := Effects(nil, nil, []string{SettingsFile, "namespaces/acme/ml/chat/base/k.yaml"}); err != nil || len(got) > 0 {
		t.Error(got, err)
	}
}

// What one path can change is bounded; the caller refuses what is beyond (trust/effects).
func TestTooManyEffects(t *testing.T) {
	before, after := load(t, files{"/base/k.yaml": config("1")}.fs()), load(t, files{"/base/k.yaml": config("2")}.fs())
	for most, want := range map[int]bool{3: true, 2: false} {
		if _, err := effects(before, after, []string{"namespaces/acme/ml/chat/base/k.yaml"}, most); (err == nil) != want {
			t.Errorf("of %d: %v", most, err)
		}
	}
}
