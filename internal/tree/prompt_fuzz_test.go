package tree

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzPrompt(f *testing.F) {
	for _, s := range []string{prompt("{{> a}}"), "---\n---\n", "# c\n---\nlcm.version: 1.0.0\n--- \r\nx", "text", "---", "---\na: &x\n---\n", "---\nlcm.variants: {a: 1}\n---\nx"} {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, main bool) {
		s := source{path: "f.prompt", data: data, address: chat.In("base").Key("f")}
		variant := "v"
		if main {
			variant = ""
		}
		d, findings := s.prompt(variant)
		if (d == nil) == (len(findings) == 0) {
			t.Fatal("either a document or a finding")
		}
		lines := 1 + strings.Count(strings.NewReplacer("\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(string(data)), "\n") // as YAML counts
		for _, f := range findings {
			if f.Line < 1 || f.Line > lines || f.Column < 1 {
				t.Fatalf("%v, in %d lines", f, lines)
			}
		}
		if d == nil {
			return
		}
		if text := d.Spec["template"].(string); !bytes.Contains(data, []byte(text)) {
			t.Fatal("the template is not in the file")
		}
	})
}
