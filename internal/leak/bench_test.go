package leak

import (
	"strings"
	"testing"
)

// BenchmarkScan is of one usual document; throughput is of its texts.
func BenchmarkScan(b *testing.B) {
	template := strings.Repeat("You are a helpful assistant of the support team. ", 20)
	doc := map[string]any{"spec": map[string]any{
		"model_name": "chat", "template": template,
		"targets": []any{map[string]any{"provider": "openai", "model": "openai/gpt-4o-2024-11-20", "api_base": "https://api.openai.com/v1"}},
	}}
	b.SetBytes(int64(len(template)))
	for b.Loop() {
		Scan(doc, nil)
	}
}

// BenchmarkText is of 1 MiB on one line: prose without any keyword, prose with some, and nothing but keywords.
func BenchmarkText(b *testing.B) {
	var words []string
	for _, f := range formats().formats {
		words = append(words, f.keywords...)
	}
	for name, text := range map[string]string{
		"prose": "You are a helpful assistant and answer in few words. ", "keywords": strings.Join(words, " "), "run": strings.Join(words, ""), "sk": "sk-",
		"talkative": "See https://example.com/help, an alternative to airtable: context, basic risk-assessment of the linear model. ",
	} {
		text := strings.Repeat(text, 1<<20/len(text))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Scan(text, nil)
			}
		})
	}
}
