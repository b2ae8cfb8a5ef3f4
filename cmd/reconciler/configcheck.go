package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

func (c *cli) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Look at the daemon's configuration", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(c.configCheckCommand())
	return cmd
}

func (c *cli) configCheckCommand() *cobra.Command {
	online := false
	cmd := &cobra.Command{
		Use: "check", Short: "Say all that is wrong with the configuration, where, and what would be right", Args: wrapArgs(cobra.NoArgs),
		Long: "check reads the configuration as the daemon does at its start, and the files that it names, and opens nothing that a\n" +
			"running daemon holds. With --online it also asks the repositories, with their mirrors, and the targets. It changes\n" +
			"nothing anywhere, and ends with 2 if anything is wrong; else, with --online, with 5 if a target does not answer, and\n" +
			"with 1 if a repository does not.",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.checkConfig(cmd.Context(), online) },
	}
	c.configFlag(cmd)
	c.formatFlag(cmd)
	cmd.Flags().BoolVar(&online, "online", false, "also ask the repositories and the targets")
	return cmd
}

func (c *cli) checkConfig(ctx context.Context, online bool) error {
	if err := c.checkFormat(); err != nil {
		return err
	}
	cfg, findings, err := readConfig(c.config)
	if err != nil {
		return err
	}
	code := exitDone
	if cfg != nil {
		x := &examination{cfg: cfg, app: &app{}, said: io.Discard}
		if err := x.app.openReports(cfg, true, nil); err != nil {
			return err
		}
		if c.format == "text" {
			x.said = c.stdout
		}
		if findings, err = x.examine(ctx, c.config, online); err != nil {
			return err
		}
		if code = x.code; x.bad {
			code = exitUsage
		}
	} else {
		code = exitUsage
	}
	if c.format == "json" {
		err = diag.JSON(c.stdout, diag.Tool{Name: "reconciler", Version: version()}, findings, nil)
	} else if err = diag.Text(c.stdout, findings); err == nil && len(findings) == 0 {
		_, err = fmt.Fprintf(c.stdout, "%s: nothing is wrong\n", c.config)
	}
	return errors.Join(err, ended(code))
}

// examination looks at what a configuration names, which the daemon itself meets only when it opens or uses that.
type examination struct {
	cfg  *daemonConfig
	app  *app      // in which targets are opened
	errs []error   // with their settings
	bad  bool      // something is wrong with the configuration itself
	code int       // of what does not answer
	said io.Writer // for what does
}

func (x *examination) wrong(err error, setting ...string) {
	x.bad = x.bad || err != nil
	x.errs = append(x.errs, below(err, setting...))
}

// unanswered notes what does not answer.
func (x *examination) unanswered(code int, err error, setting ...string) {
	x.code = worst(x.code, code)
	x.errs = append(x.errs, below(err, setting...))
}

func (x *examination) examine(ctx context.Context, file string, online bool) ([]diag.Finding, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	doc, findings := strictyaml.Parse(file, data)
	if doc == nil {
		x.bad = true // it has just become another
		return findings, nil
	}
	x.files(filepath.Dir(file), doc.Value, nil)
	x.keys()
	for _, name := range slices.Sorted(maps.Keys(x.cfg.Targets)) {
		x.target(ctx, name, online)
	}
	if online {
		x.online(ctx)
	}
	return placed(doc, errors.Join(x.errs...)), nil
}

// files demands that every file is there, and can be read, that a setting names from which something is read.
func (x *examination) files(dir string, v any, path []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			x.files(dir, value, append(slices.Clone(path), key))
		}
	case []any:
		for i, value := range v {
			x.files(dir, value, append(slices.Clone(path), strconv.Itoa(i)))
		}
	case string:
		if readFrom(path) {
			x.wrong(readable(absolute(dir, v)), path...)
		}
	}
}

// readFrom reports whether a setting names a file that must be there. What the daemon makes itself need not.
func readFrom(path []string) bool {
	last := path[len(path)-1]
	inside := len(path) > 1 && slices.Contains([]string{"password", "token"}, path[len(path)-2])
	return strings.HasSuffix(last, "File") && last != "identityFile" || last == "file" && inside
}

func readable(file string) error {
	info, err := os.Stat(file)
	if err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name a file", file)
	}
	if err == nil {
		var f *os.File
		if f, err = os.Open(file); err == nil {
			err = f.Close()
		}
	}
	if pathErr := new(os.PathError); errors.As(err, &pathErr) {
		return fmt.Errorf("%s can't be read as this user: %w: put it there, or name another", file, pathErr.Err)
	}
	return err
}

// keys looks at the daemon's own key and those that open secrets.
func (x *examination) keys() {
	if file := x.cfg.Secrets.Age.IdentityFile; file != "" {
		_, err := sopsfile.NewOpener(sopsfile.Config{IdentityFile: file})
		x.wrong(err, "secrets", "age", "identityFile")
	}
	_, err := masterkey.Load(x.cfg.Key.File)
	if masterkey.Missing(err) { // on the first start that is no mistake
		_, err = loadKey(x.cfg, true, io.Discard)
	}
	x.wrong(err, "key", "file")
}
