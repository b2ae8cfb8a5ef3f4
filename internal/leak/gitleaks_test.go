package leak

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestGitleaks makes credentials up after each pattern, which must be found as just that one, and near misses,
// which must not be: too short by some, and with another beginning.
func TestGitleaks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for line := range strings.Lines(gitleaks) {
		if line[0] == '#' || line == "\n" {
			continue
		}
		f := parseFormat(strings.TrimSuffix(line, "\n"))
		t.Run(f.id, func(t *testing.T) {
			if c := strings.Split(line, "\t"); len(c) != 6 || !strings.Contains("token inside named", c[1]) || f.what == "" {
				t.Fatal("the line has not the form of a format")
			}
			for range 5 {
				token := f.makeUp(random)
				doc, at := any(map[string]any{"value": []any{"See " + token}}), 4
				if f.named {
					at = 0
					doc = map[string]any{f.keywords[0] + "_x": []any{token}}
				}
				if hits := Scan(doc, nil); len(hits) != 1 || hits[0].Rule != f.rule() || hits[0].Unsure != f.named || hits[0].At != at {
					t.Errorf("%s: %+v", token, hits)
				}
				for _, miss := range []string{token[:len(token)*2/3], "~" + token[1:]} {
					if f.inside && miss[0] == '~' {
						continue
					}
					for _, h := range Scan(map[string]any{"x": miss}, nil) {
						if h.Rule == f.rule() {
							t.Errorf("%s is a hit", miss)
						}
					}
				}
			}
		})
	}
}

// TestNamed: in a text the name stands before it.
func TestNamed(t *testing.T) {
	token := filler(17)
	for _, text := range []string{"AIRTABLE_KEY=" + token, "set airtable.key: '" + token + "'.", `{"airtable": "` + token + `"}`} {
		if hits := Scan([]any{text}, nil); len(hits) != 1 || hits[0].Rule != "secret/airtable-api-key" || !hits[0].Unsure {
			t.Errorf("%s: %+v", text, hits)
		}
	}
	for _, text := range []string{token, "airtable " + token, "airtable: " + token + token, "airtable: abcdefghijklmnopq", "Airtable, linear and twitter: three products"} {
		if hits := Scan([]any{text}, nil); len(hits) > 0 {
			t.Errorf("%s: %+v", text, hits)
		}
	}
	if hits := Scan(map[string]any{"airtable_api_key": token}, nil); len(hits) != 1 || hits[0].Unsure {
		t.Errorf("a name for credentials besides makes it sure: %+v", hits)
	}
}
