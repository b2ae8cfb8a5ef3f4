package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/jsonschema"
	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

// editorFolder is where editors find schemas, from the root of a checkout.
const editorFolder = ".vscode/lcm"

// documents is the name of the schema for documents of any kind.
const documents = "document"

// forEditors are the schemas that are installed, and the files they are for, as patterns of yaml.schemas.
var forEditors = []struct{ definition, files string }{
	{documents, "namespaces/**/*.yaml"}, {"Repository", "lcm.yaml"}, {"SealRules", ".sops.yaml"}, {"TrustPolicy", ".lcm/trust.yaml"},
	{"TenantPolicy", ".lcm/tenants/*.yaml"}, {"AccessPolicy", ".lcm/access.yaml"}, {"Daemon", "reconciler.yaml"},
}

func (c *cli) schemaCommand() *cobra.Command {
	var install, list bool
	cmd := &cobra.Command{
		Use:   "schema [NAME]",
		Short: "Print JSON Schema for editors, or install it in a checkout",
		Long: `Print the JSON Schema (draft 7) of documents, or of one kind or settings file, with what schemas/cue/ of the checkout
adds to it. Editors with yaml-language-server complete and check by it as you type; lcm-lint sees more.

With --install, the schemas are written below ` + editorFolder + `, and .vscode/settings.json says which files they are for, unless it
exists: then what to add is printed. Other editors: docs/editors.md.`,
		Example: "  lcm schema --install\n  lcm schema Budget > budget.schema.json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := c.definitions()
			if err != nil {
				return err
			}
			switch {
			case install && (list || len(args) > 0) || list && len(args) > 0:
				return usagef("--install and --list stand alone")
			case list:
				fmt.Fprintln(c.stdout, strings.Join(schemaNames(d), "\n"))
				return nil
			case install:
				return c.installSchemas(d)
			}
			text, err := schemaOf(d, append(args, documents)[0])
			if err != nil {
				return err
			}
			_, err = c.stdout.Write(text)
			return err
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			d, err := c.definitions()
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return schemaNames(d), cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.Flags().BoolVar(&install, "install", false, "write the schemas into the checkout, for its editors")
	cmd.Flags().BoolVar(&list, "list", false, "list the names that there are schemas for")
	return cmd
}

// definitions are those built in, and the repository's own above them.
func (c *cli) definitions() (*jsonschema.Definitions, error) {
	d, err := jsonschema.Read(lcmcue.Files())
	if err != nil {
		return nil, err
	}
	own := filepath.Join(c.repo, "schemas", "cue")
	if _, err := os.Stat(own); errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	d, err = d.And(os.DirFS(own))
	if err != nil {
		return nil, fmt.Errorf("schemas/cue: %w", err)
	}
	return d, nil
}

func schemaNames(d *jsonschema.Definitions) []string {
	names := d.Kinds()
	for _, e := range forEditors {
		names = append(names, e.definition)
	}
	slices.Sort(names)
	return names
}

func schemaOf(d *jsonschema.Definitions, name string) ([]byte, error) {
	if name == documents {
		return d.Documents()
	}
	if !slices.Contains(schemaNames(d), name) {
		return nil, usagef("there is no schema for %q; there are %s", name, strings.Join(schemaNames(d), ", "))
	}
	return d.Schema("#" + name)
}

func (c *cli) installSchemas(d *jsonschema.Definitions) error {
	if _, err := os.Stat(filepath.Join(c.repo, "lcm.yaml")); err != nil {
		return fmt.Errorf("%s is no configuration repository: it has no lcm.yaml", c.repo)
	}
	if err := os.MkdirAll(filepath.Join(c.repo, editorFolder), 0o755); err != nil {
		return err
	}
	uses := map[string]string{}
	for _, e := range forEditors {
		text, err := schemaOf(d, e.definition)
		if err != nil {
			return err
		}
		name := editorFolder + "/" + strings.ToLower(e.definition) + ".schema.json"
		if err := os.WriteFile(filepath.Join(c.repo, name), text, 0o644); err != nil {
			return err
		}
		uses["./"+name] = e.files
		fmt.Fprintf(c.stdout, "%s for %s\n", name, e.files)
	}
	return c.tellEditor(uses)
}

// tellEditor writes the editor's settings if there are none: they may hold comments, which would be lost.
func (c *cli) tellEditor(uses map[string]string) error {
	const name = ".vscode/settings.json"
	text, err := json.MarshalIndent(map[string]any{"yaml.schemas": uses}, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	file := filepath.Join(c.repo, name)
	there, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Fprintln(c.stdout, name)
		return os.WriteFile(file, text, 0o644)
	case err != nil:
		return err
	case !bytes.Contains(there, []byte(editorFolder)):
		fmt.Fprintf(c.stderr, "%s exists and is left as it is; add to it:\n%s", name, text)
	}
	return nil
}
