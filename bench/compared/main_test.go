package main

import (
	"os"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/rule"
)

// The page shows what lcm-lint prints today. What the others print changes only with their versions.
func TestPageIsFresh(t *testing.T) {
	page, err := os.ReadFile("../../docs/lint-compared.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(mistakes) < 30 {
		t.Errorf("%d mistakes", len(mistakes))
	}
	for _, m := range mistakes {
		r, ok := rule.Find(m.rule)
		if !ok || r.Finding == "" || !strings.Contains(string(page), r.Finding) {
			t.Errorf("%s is not in docs/lint-compared.md as it is found: run make compared", m.rule)
		}
	}
}
