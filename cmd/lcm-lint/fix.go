package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/llm-config-manager/lcm/internal/fix"
	"github.com/llm-config-manager/lcm/internal/jsonschema"
	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

// mend fixes in the folder what leaves no choice, and names the files that changed.
func mend(dir string, o options, stderr io.Writer) error {
	d, err := jsonschema.Read(lcmcue.Files())
	if err != nil {
		return err
	}
	own := o.schemas
	if own == "" {
		own = filepath.Join(dir, "schemas", "cue")
	}
	if more, err := d.And(os.DirFS(own)); err == nil { // what is wrong with them is a finding later on
		d = more
	}
	files, err := fix.Files(dir, ".")
	if err != nil {
		return err
	}
	changed, err := fix.Each(dir, files, true, func(name string, text []byte) []byte { return fix.Mend(d, name, text) })
	for _, name := range changed {
		fmt.Fprintf(stderr, "fixed %s\n", filepath.Join(dir, filepath.FromSlash(name)))
	}
	return err
}
