package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func (c *cli) bundleFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.bundle, "bundle", "", "take commits from this file, made by `git bundle create`, not from the server; - for standard input")
	_ = cmd.MarkFlagFilename("bundle")
}

// load reads the configuration, and notes which repository is meant and where commits come from.
func (c *cli) load() (*daemonConfig, error) {
	cfg, err := loadConfig(c.config)
	if err != nil {
		return nil, err
	}
	if err := cfg.only(c.repository); err != nil {
		return nil, err
	}
	if cfg.bundle = c.bundle; c.bundle != "" && c.bundle != "-" {
		if _, err := os.Stat(c.bundle); err != nil {
			return nil, configErrorf("--bundle: %v", err)
		}
	}
	return cfg, nil
}

// bundleFile returns the file of the bundle, "" for none. What comes by standard input is put into a file
// first: a fetch may read it twice.
func (a *app) bundleFile(c *daemonConfig, limit int64) (string, error) {
	if c.bundle != "-" {
		return c.bundle, nil
	}
	f, err := os.CreateTemp("", "lcm-bundle-")
	if err != nil {
		return "", err
	}
	a.onClose(func() error { return os.Remove(f.Name()) })
	n, err := io.Copy(f, io.LimitReader(os.Stdin, limit+1))
	if n > limit {
		err = configErrorf("the bundle on standard input is larger than limits.maxFetchBytes, %d bytes", limit)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("reading the bundle: %w", err)
	}
	return f.Name(), nil
}
