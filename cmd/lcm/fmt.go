package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/fix"
	"github.com/llm-config-manager/lcm/internal/jsonschema"
)

func (c *cli) fmtCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt [FILE|FOLDER ...]",
		Short: "Lay out documents: keys in order, two spaces a level, no stray blanks",
		Long: `Lay out documents, lcm.yaml and .sops.yaml, of the whole checkout or of the files and folders named: known keys in the order of
docs/kinds, two spaces a level, no blanks at line ends, a newline at the end. Comments and quotes stay; the meaning is
compared before anything is written. Left alone are sealed files, whose MAC is over their order, and the policies below .lcm/,
unless named: each change of these has to count up a version.

Names of files that changed are printed.`,
		Example: "  lcm fmt\n  lcm fmt --check    # in CI: 1 if anything would change",
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := c.definitions()
			if err != nil {
				return err
			}
			files, err := c.formatted(args)
			if err != nil {
				return err
			}
			return c.formatAll(d, files, check)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; exit 1 if a file is not laid out so")
	return cmd
}

// formatted lists the files to format, by their paths in the checkout.
func (c *cli) formatted(args []string) ([]string, error) {
	if len(args) == 0 {
		return fix.Files(c.repo, ".")
	}
	var files []string
	for _, arg := range args {
		name, err := c.inCheckout(arg)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, ".sops.yaml") && name != ".sops.yaml" {
			return nil, fmt.Errorf("%s is sealed: its MAC is over the order of what it holds; lcm fmt leaves it alone", arg)
		}
		more, err := fix.Files(c.repo, name)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// inCheckout is an argument, which counts from the current folder, as a path in the checkout.
func (c *cli) inCheckout(arg string) (string, error) {
	root, err := filepath.Abs(c.repo)
	if err != nil {
		return "", err
	}
	file, err := filepath.Abs(arg)
	if err != nil {
		return "", err
	}
	name, err := filepath.Rel(root, file)
	if err != nil || !filepath.IsLocal(name) {
		return "", usagef("%s lies outside of the checkout %s", arg, c.repo)
	}
	return filepath.ToSlash(name), nil
}

func (c *cli) formatAll(d *jsonschema.Definitions, files []string, check bool) error {
	broken := 0
	changed, err := fix.Each(c.repo, files, !check, func(name string, text []byte) []byte {
		out, findings := fix.Layout(d, name, text)
		for _, f := range findings {
			broken++
			fmt.Fprintln(c.stderr, f)
		}
		if len(findings) > 0 {
			return text
		}
		return out
	})
	for _, name := range changed {
		fmt.Fprintln(c.stdout, name)
	}
	switch {
	case err != nil:
		return err
	case broken > 0:
		return errors.New("files that are not in form were left alone")
	case check && len(changed) > 0:
		return fmt.Errorf("not laid out as they should be: run lcm fmt (files: %d)", len(changed))
	}
	return nil
}
