package schema

import (
	"math/rand/v2"
	"strings"
	"testing"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

func TestEveryKindHasClasses(t *testing.T) {
	all, err := classesOf()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		if all[kind] == nil {
			t.Errorf("the definition of %s uses something that collector does not know", kind)
		}
	}
}

// What could make a verdict depend on more than classes tell leaves a definition without any.
func TestUnknownConstructsHaveNoClasses(t *testing.T) {
	for _, text := range []string{
		"#X: {a: string, b: a}",
		"#X: {a: string, b: \"\\(a)-x\"}",
		"#X: {a: int, b: a + 1}",
		"#X: {a: int, if a > 3 {b!: int}}",
		"#X: {a: string, c: string, if a == c {b!: int}}",
		"#X: {a: [...int], if len(a) > 3 {b!: int}}",
		"#X: {a: [...int], for x in a {\"\\(x)\": int}}",
		"#X: {a: {...}, let y = a, b: y}",
		"#X: {a: >=1.5}",
		"#X: {a: <\"m\"}",
		"#X: {a: strings.MinBytes(3)}",
		"#X: {a: A=string, b: A}",
		"#X: {a: #Y}",
		"#X: {a: *1 | int}",
		"#X: {a: [string, int]}",
		"#X: {a: 3.5}",
		"#X: {(a): 3}",
		"#X: {a: bytes}",
		"import \"strings\"\n#X: {a: strings.MaxRunes(b), b: int}",
		"#X: {a: int}\n#X: {a: >3}",
	} {
		f, err := parser.ParseFile("x.cue", text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		c := &collector{top: map[string][]ast.Expr{}, done: map[string]bool{}, classes: &classes{texts: map[string]int{}}}
		for _, d := range f.Decls {
			if field, ok := d.(*ast.Field); ok {
				c.top["#X"] = append(c.top["#X"], field.Value)
			}
		}
		if c.definition("#X"); !c.unknown {
			t.Errorf("%s: has classes", text)
		}
	}
}

// Documents with one digest have one verdict: tried on documents of every kind with values replaced at random.
func TestClassesDecideVerdicts(t *testing.T) {
	s := newSchema(t, nil)
	texts := []string{"", "x", "a b", "a\nb", "3", "60s", "12.50", "1.0", "unpriced", "openai", "azure", "api-key", "opaque", "gcp", "single", "map", "string", "duration",
		"url", "https://x.example", "http://", "openai/gpt-4o", "openai-key", "/a/b/c/d", "a/b/c/d/e", "2027-01-31T00:00:00Z", "lcm/v1", "json_schema", "ENC[x]",
		strings.Repeat("ä", 256), strings.Repeat("ä", 257), strings.Repeat("x", 4096), strings.Repeat("x", 4097), "\xff", "restricted", "deep", "1.2.3", "_", "A"}
	numbers := []any{int64(0), int64(1), int64(-1), int64(2), int64(-2), int64(-3), int64(3), int64(100), int64(101), int64(599), int64(600), int64(1 << 53), 0.0, 1.0, 0.5, 2.5, -2.0, 100.0, 1e300}
	random := rand.New(rand.NewPCG(1, 2))
	verdicts := map[verdict]bool{}
	again := 0
	for _, kind := range sortedKeys(full) {
		for range 150 {
			doc := parse(t, full[kind])
			for range 1 + random.IntN(3) {
				scramble(random, doc, texts, numbers)
			}
			key, ok := s.classes[lcm.Kind(kind)].digest(kind, doc)
			if !ok {
				continue
			}
			passes := len(s.checkDocument(lcm.Kind(kind), true, doc)) == 0
			before, seen := verdicts[key]
			if seen {
				again++
			}
			if seen && before != passes {
				t.Errorf("%s: %v passes: %t, one of its digest: %t", kind, doc, passes, before)
			}
			verdicts[key] = passes
		}
	}
	if again < 80 {
		t.Errorf("only %d documents had the digest of another", again)
	}
}

// scramble replaces a value, or removes a field, somewhere in a document.
func scramble(random *rand.Rand, v any, texts []string, numbers []any) {
	replace := func(old any) any {
		switch old.(type) {
		case string:
			return texts[random.IntN(len(texts))]
		case int64, float64:
			return numbers[random.IntN(len(numbers))]
		}
		scramble(random, old, texts, numbers)
		return old
	}
	switch v := v.(type) {
	case map[string]any:
		if keys := sortedKeys(v); len(keys) > 0 {
			key := keys[random.IntN(len(keys))]
			if v[key] = replace(v[key]); random.IntN(12) == 0 {
				delete(v, key)
			}
		}
	case []any:
		if len(v) > 0 {
			i := random.IntN(len(v))
			v[i] = replace(v[i])
		}
	}
}

func TestDigestsDiffer(t *testing.T) {
	s := newSchema(t, nil)
	doc := parse(t, "metadata: {owner: team-inference}"+full["Preset"])
	c := s.classes[lcm.KindPreset]
	first, _ := c.digest("Preset", doc)
	for edits, same := range map[string]bool{
		"metadata.owner = team-search":    true,
		"spec.config.max_tokens = 2048":   true,
		"spec.config.max_tokens = 0":      false,
		"spec.config.max_tokens = 2048.0": false,
		"spec.config.temperature = 2.5":   false,
		"spec.slug = another-name":        true,
		"spec.slug = Not A Name":          false,
		"kind = Budget":                   false,
		"spec.unknown = 3":                false,
	} {
		got, ok := c.digest("Preset", change(t, doc, edits))
		if !ok || (got == first) != same {
			t.Errorf("%s: same digest %t, want %t", edits, got == first, same)
		}
	}
}
