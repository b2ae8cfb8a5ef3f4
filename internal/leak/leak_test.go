package leak

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFormats(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range table {
		t.Run(f.id, func(t *testing.T) {
			if seen[f.id] {
				t.Error("listed twice")
			}
			seen[f.id] = true
			for _, around := range [][2]string{{"", ""}, {"before ", " after"}, {"a: ", "\nb"}, {"(", ")"}} {
				text := around[0] + f.example + around[1]
				hits := Scan(map[string]any{"spec": map[string]any{"value": []any{"x", text}}}, nil)
				if len(hits) != 1 || hits[0].Rule != "secret/"+f.id || !slices.Equal(hits[0].Path, []string{"spec", "value", "1"}) || hits[0].Message != f.message() {
					t.Errorf("%s: %+v", text, hits)
				}
			}
			if hits := Scan(f.example[:min(len(f.example)/3, 14)], nil); len(hits) > 0 {
				t.Error("its beginning alone is a hit")
			}
		})
	}
}

// TestNoHit lists what stands in repositories and is no credential.
func TestNoHit(t *testing.T) {
	for field, values := range map[string][]string{
		"value": {
			"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
			"b5a1e4c5d3f2a1908f7e6d5c4b3a29181716151413", "123e4567-e89b-12d3-a456-426614174000",
			"ENC[AES256_GCM,data:4cFgeXpG2Kw=,iv:aGVsbG8gd29ybGQhISEhISEh,tag:c2VjcmV0IHRhZyBoZXJlISE=,type:str]",
			"age1qpzry9x8gf2tvdw0s3jn54khce6mua7lqpzry9x8gf2tvdw0s3jn54khce6mua7l", "-----BEGIN AGE ENCRYPTED FILE-----",
			"-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGq",
			"sk-learn-based-classifier-for-support-tickets", "the task-force-of-2024", "risk-assessment-of-the-year-2024-for-models",
			"https://api.openai.com/v1/chat?x=1", "https://example.com:8443/path@x", "postgres://app@db.example.com/x",
			"postgres://app:${DB_PASSWORD}@db.example.com/x", "postgres://app:<password>@db/x", "Bearer tokens are sent in a header",
			"Basic understanding of the product", "acme-corp/ml-platform/inference/production/openai-key", "claude-3-5-sonnet-20241022",
			"MASKED", "SKU-0123456789abcdef", "hf_hub", "eyJ", "{{#if api_key}}", "AKIA", "projects/x/locations/y",
		},
		"api_key":    {"", "changeme", "${OPENAI_API_KEY}", "os.environ/OPENAI_API_KEY", "env:OPENAI_KEY_1", "<your-key-123456>", "xxxxxxxxxxxxxxxxxxxx", "/run/secrets/openai-key-1", "acme-corp/ml-platform/inference/production/openai-key2", "123e4567-e89b-12d3-a456-426614174000"},
		"token":      {"<|reserved_special_token_0|>", "0.000003", "2027-01-01T00:00:00Z", "endoftext"},
		"stop_token": {"a1B2c3D4e5F6g7H8"},
		"sticky_key": {"a1B2c3D4e5F6g7H8"},
		"token_url":  {"https://auth.example.com/oauth2/token/v2"},
		"public_key": {"a1B2c3D4e5F6g7H8"},
	} {
		for _, v := range values {
			if hits := Scan(map[string]any{field: v}, nil); len(hits) > 0 {
				t.Errorf("%s: %s: %v", field, v, hits)
			}
		}
	}
	if hits := Scan(map[string]any{"api_key": map[string]any{"ref": "a1B2c3D4e5F6g7H8"}, "password": int64(7), "secret": nil, "token": true}, nil); len(hits) > 0 {
		t.Error(hits)
	}
}

func TestGeneric(t *testing.T) {
	const random = "a1B2c3D4e5F6g7H8"
	for _, doc := range []map[string]any{
		{"password": random}, {"OPENAI_API_KEY": random}, {"dbPassword": random}, {"client-secret": random}, {"tokens": []any{random}},
		{"x": map[string]any{"name": "DB_PASSWORD", "value": random}}, {"azure.api_key": "0123456789abcdef0123456789abcdef"},
	} {
		hits := Scan(doc, nil)
		if len(hits) != 1 || hits[0].Rule != genericID || strings.Contains(fmt.Sprint(hits), random) {
			t.Errorf("%v: %v", doc, hits)
		}
	}
}

func TestNames(t *testing.T) {
	key := table[slices.IndexFunc(table[:], func(f format) bool { return f.id == "github-token" })].example
	hits := Scan(map[string]any{"spec": map[string]any{key: map[string]any{"password": key}}}, nil)
	want := []string{"spec"}
	if len(hits) != 1 || !slices.Equal(hits[0].Path, want) || strings.Contains(fmt.Sprint(hits), key) {
		t.Error(hits)
	}
	if hits := Scan(map[string]any{"api_key": map[string]any{"ref": key}}, nil); len(hits) != 1 {
		t.Error("a key in place of a reference:", hits)
	}
}

func TestManyHits(t *testing.T) {
	list := slices.Repeat([]any{table[0].example}, 3*maxHits)
	if got := len(Scan(list, nil)); got != maxHits {
		t.Error(got)
	}
}

func TestRules(t *testing.T) {
	rules := Rules()
	if len(rules) != len(formats().formats)+2 || !slices.IsSortedFunc(rules, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error(rules)
	}
}

// TestSourcesHoldNoExample: the table must not look like a leak itself to those who scan repositories.
func TestSourcesHoldNoExample(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(data), "\n") {
			if f, _ := newSearch().find(line); f != nil && file != "leak_test.go" {
				t.Errorf("%s:%d: %s", file, n+1, f.id)
			}
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, x := range table {
		f.Add("value", x.example)
		f.Add("api_key", x.example[:len(x.example)/2])
	}
	f.Fuzz(func(t *testing.T, field, text string) {
		for _, h := range Scan(map[string]any{"spec": map[string]any{field: text}}, nil) {
			if len(text) >= minLength && len(text) > len(field) && strings.Contains(h.Message+h.Rule, text) {
				t.Errorf("%+v quotes the text", h)
			}
		}
	})
}
