package jsonschema

import (
	"testing"

	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

func TestEveryDefinitionTranslates(t *testing.T) {
	d, err := Read(lcmcue.Files())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(d.Kinds())
	for _, name := range d.names {
		if _, err := d.Schema(name); err != nil {
			t.Errorf("%v", err)
		}
	}
	s, err := d.Documents()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", len(s))
}

func TestPages(t *testing.T) {
	d, err := Read(lcmcue.Files())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range d.names {
		if _, err := d.Page(name, ""); err != nil {
			t.Error(err)
		}
	}
	p, _ := d.Page("#ModelEndpoint", "")
	t.Log(p)
	p, _ = d.Page("#Secret", "")
	t.Log(p)
	p, _ = d.Page("#Config", "")
	t.Log(p)
}
