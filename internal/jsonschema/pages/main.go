// Command pages writes the reference of every kind and settings file into a folder of pages: docs/kinds/ and docs/settings.md.
package main

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/llm-config-manager/lcm/internal/jsonschema"
	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

//go:embed examples
var examples embed.FS

// settings are the definitions beside those of documents, with the files that they are of.
var settings = []struct{ name, file string }{
	{"Repository", "lcm.yaml"}, {"SealRules", ".sops.yaml"}, {"TrustPolicy", ".lcm/trust.yaml"}, {"TenantPolicy", ".lcm/tenants/<org>.yaml"},
	{"AccessPolicy", ".lcm/access.yaml"},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pages FOLDER")
		os.Exit(2)
	}
	pages, err := all()
	for name, text := range pages {
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], name), []byte(text), 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(1)
	}
}

// all makes every page, by the names of their files.
func all() (map[string]string, error) {
	d, err := jsonschema.Read(lcmcue.Files())
	if err != nil {
		return nil, err
	}
	pages := map[string]string{}
	var index strings.Builder
	index.WriteString("# Kinds\n\nWhat a document of each kind holds. Written from the definitions in `schemas/cue/` by `make kinds`; `lcm schema` gives the same to editors ([editors.md](../editors.md)).\n\n| kind | |\n|---|---|\n")
	add := func(name, title string) error {
		example, err := fs.ReadFile(examples, "examples/"+name+".yaml")
		if err != nil {
			return err
		}
		page, err := d.Page("#"+name, string(example))
		if err != nil {
			return err
		}
		file := strings.ToLower(name) + ".md"
		pages["kinds/"+file] = page
		_, what, _ := strings.Cut(page, "\n\n")
		what, _, _ = strings.Cut(what, "\n")
		fmt.Fprintf(&index, "| [%s](%s) | %s |\n", title, file, what)
		return nil
	}
	for _, kind := range d.Kinds() {
		if err := add(kind, "`"+kind+"`"); err != nil {
			return nil, err
		}
	}
	index.WriteString("\n# Settings\n\n| file | |\n|---|---|\n")
	for _, s := range settings {
		if err := add(s.name, "`"+s.file+"`"); err != nil {
			return nil, err
		}
	}
	index.WriteString("| [`reconciler.yaml`](../settings.md) | The settings of the daemon. |\n")
	pages["kinds/README.md"] = index.String()
	pages["settings.md"], err = settingsPage(d)
	return pages, err
}
