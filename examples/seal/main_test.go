package main

import (
	"testing"

	"github.com/llm-config-manager/lcm/internal/schema"
)

// What is sealed into the example has the shape that the daemon demands once it is opened.
func TestSecretsHaveTheirShape(t *testing.T) {
	s, findings := schema.New(nil)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	list, err := secrets()
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]bool{}
	for _, one := range list {
		types[one.kind] = true
		for _, v := range s.CheckOpened(one.kind, one.data) {
			t.Errorf("%s: %+v", one.file(), v)
		}
	}
	if len(types) != 10 {
		t.Errorf("%d types of Secret are shown, of 10", len(types))
	}
}
