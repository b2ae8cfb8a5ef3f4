package rule

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/leak"
	"github.com/llm-config-manager/lcm/internal/policy"
)

const root = "../.."

// Where no example can show a rule of the linter's, and why.
var unshown = map[string]string{
	"layout/unreadable":        "a file that cannot be read is none that Git could hold",
	"policy/test":              "lcm-lint --test alone gives it, which judges no documents",
	"policy/failed":            "it takes a rule that runs until its time is up",
	"policy/routing/no-target": "route/none comes first",
}

func TestCatalogue(t *testing.T) {
	anchors := map[string]string{}
	examples := 0
	for _, r := range catalogue(t) {
		if other := anchors[r.Anchor()]; other != "" {
			t.Errorf("%s and %s share the anchor %s", r.ID, other, r.Anchor())
		}
		anchors[r.Anchor()] = r.ID
		if !strings.HasSuffix(r.Title, ".") || strings.Contains(r.Title, "\n") || !strings.ContainsAny(r.Fix[len(r.Fix)-1:], ".?)`") {
			t.Errorf("%s: title and fix are whole sentences", r.ID)
		}
		if r.Bad == nil && !r.Daemon && unshown[r.ID] == "" {
			t.Errorf("%s: has no example, and it is not said why", r.ID)
		}
		if r.Bad != nil {
			examples++
			checkFinding(t, r.Finding, r.ID, r.Severity)
		}
	}
	cases, err := Cases(os.DirFS("testdata/cases"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		r, known := Find(c.Rule)
		if !known && c.Rule != "policy/names/greeting" {
			t.Errorf("%s: there is no such rule", c.Name)
		}
		if c.About == "" {
			t.Errorf("%s: needs a sentence", c.Name)
		}
		if known {
			checkFinding(t, c.Finding, c.Rule, r.Severity)
		}
	}
	t.Logf("%d rules, %d of them shown by a bad and a good example; %d further cases", len(anchors), examples, len(cases))
	if len(anchors) < 220 || examples+len(cases) < 240 {
		t.Error("rules or cases were lost")
	}
}

var oneFinding = regexp.MustCompile(`^[^:\n]+:[1-9][0-9]*:[1-9][0-9]*: (error|warning): ([a-z0-9-]+(?:/[a-z0-9_-]+)+): [^\n]+$`)

func checkFinding(t *testing.T, finding, id string, severity diag.Severity) {
	t.Helper()
	if m := oneFinding.FindStringSubmatch(finding); m == nil || m[2] != id || m[1] != string(severity) {
		t.Errorf("%s: must give one finding of its own, as %s, and not: %s", id, severity, finding)
	}
}

func catalogue(t *testing.T) []Rule {
	t.Helper()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The built-in policies have their titles and severities twice: in Rego, for its readers, and here.
func TestPoliciesAgree(t *testing.T) {
	rules, err := policy.Rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range rules {
		if r, _ := Find(p.ID); r.Title != p.Title || r.Severity != p.Severity {
			t.Errorf("%s: %q, %s in Rego and %q, %s in the catalogue", p.ID, p.Title, p.Severity, r.Title, r.Severity)
		}
	}
}

// What the code can emit is in the catalogue, and nothing else is.
func TestWhole(t *testing.T) {
	emitted := emitted(t)
	known := IDs()
	for id, where := range emitted {
		if !slices.Contains(known, id) {
			t.Errorf("%s, which %s emits, is not in the catalogue", id, where)
		}
	}
	for _, id := range known {
		if emitted[id] == "" {
			t.Errorf("%s is in the catalogue, and no code emits it", id)
		}
	}
}

// The tests that are named in place of examples exist, and speak of the rule.
func TestTestsExist(t *testing.T) {
	for _, r := range catalogue(t) {
		for _, name := range r.Tests {
			if err := shows(t, r.ID, name); err != nil {
				t.Errorf("%s: %s: %v", r.ID, name, err)
			}
		}
	}
}

// Example and its parser must not fail on what nobody would write.
func TestScripts(t *testing.T) {
	for script, want := range map[string]string{
		"edit lcm.yaml 'limits:' 'limit:'": "",
		"edit lcm.yaml 'nowhere' 'limit:'": "0 times",
		"edit nowhere.yaml 'a' 'b'":        "0 times",
		"edit lcm.yaml 'a":                 "not closed",
		"rm nowhere":                       "not exist",
		"show lcm.yaml":                    "",
		"show nowhere":                     "not exist",
		"boil lcm.yaml":                    "the commands are",
		"write a.txt '3*x' y":              "",
		`write a.txt '\q'`:                 "invalid syntax",
		"chmod 999 lcm.yaml":               "invalid syntax",
	} {
		e := &Example{files: map[string][]byte{}}
		err := e.add("", []byte(script+"\n"))
		if err == nil {
			_, err = e.Repository()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", script, err, want)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// docs/rules.md is what the catalogue says; `make rules` writes it.
func TestPageIsFresh(t *testing.T) {
	want, err := Markdown()
	if err != nil {
		t.Fatal(err)
	}
	if read(t, "docs/rules.md") != want {
		t.Error("docs/rules.md is stale: run make rules")
	}
	for _, r := range catalogue(t) {
		if heading := "\n### `" + r.ID + "`\n"; !r.Format && !strings.Contains(want, heading) || r.Format && !strings.Contains(want, `<a id="`+r.Anchor()+`">`) {
			t.Errorf("%s has no anchor", r.ID)
		}
	}
}

// Explanations are read by people and by scanners: nothing in them looks like a credential, and nothing is invisible.
func TestExplanationsShowNoCredential(t *testing.T) {
	for _, r := range catalogue(t) {
		text, err := r.Text()
		if err != nil {
			t.Error(r.ID, err)
		}
		for line := range strings.Lines(text) {
			if leak.Contains(line) {
				t.Errorf("%s shows a credential", r.ID)
			}
			if strings.ContainsFunc(strings.TrimRight(line, "\n"), func(c rune) bool { return c != '\t' && !unicode.IsPrint(c) }) {
				t.Errorf("%s: not all of this can be seen: %q", r.ID, line)
			}
		}
		if r.Bad == nil {
			continue
		}
		if bad, good, _ := r.Panes(); len(bad) == 0 || len(good) == 0 {
			t.Errorf("%s: shows %d files of the bad example and %d of the good one", r.ID, len(bad), len(good))
		}
	}
}

func TestLeaks(t *testing.T) {
	e := &Example{files: map[string][]byte{"a": []byte("key: sk-Canary0123456789 and more")}, secrets: []string{"abcdefgh1jklmnop"}}
	for text, want := range map[string]bool{
		"x sk-Canary0123456789 y": true, "0123456789": true, "…ary0123456…": true, "a CANARY": true, "and more": false, "efgh1jklmn": true, "efgh1jklm": false, "": false,
	} {
		if e.Leaks(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
