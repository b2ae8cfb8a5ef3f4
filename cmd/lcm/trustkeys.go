package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/policyfile"
)

func (c *cli) addKeyCommand() *cobra.Command {
	var until string
	cmd := &cobra.Command{
		Use: "add-key NAME FILE", Short: "Give a principal another key", Args: cobra.ExactArgs(2),
		Long: "add-key adds the keys of a file (a .pub file, a list of keys, an armored OpenPGP key; - is standard input) to a principal,\n" +
			"in whichever file of the policy the principal stands.",
		Example: "  lcm trust add-key alice spare.pub\n  gpg --armor --export bob@example.org | lcm trust add-key bob - --not-after 2028-01-01",
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := c.readKeys(args[1])
			if err != nil {
				return err
			}
			if until != "" {
				at, err := parseEnd(until, time.Now())
				if err != nil {
					return err
				}
				for i := range keys {
					keys[i].NotAfter = at
				}
			}
			return c.editPolicy(cmd.Context(), func(d *policyfile.Draft) error { return d.AddKeys(args[0], keys) })
		},
	}
	cmd.Flags().StringVar(&until, "not-after", "", "the `TIME` from which the key no longer counts: 2028-01-01, 2028-01-01T12:00:00Z, or from now on 90d, 12h")
	c.editFlags(cmd)
	c.completeNames(cmd)
	return cmd
}

func (c *cli) rotateKeyCommand() *cobra.Command {
	var old, file, overlap string
	cmd := &cobra.Command{
		Use: "rotate-key NAME --new FILE", Short: "Replace a key of a principal by another", Args: cobra.ExactArgs(1),
		Long: "rotate-key adds the new key and revokes the old one: at once, or with --overlap after that time, so that what is\n" +
			"under way can still be merged.",
		Example: "  lcm trust rotate-key alice --new new.pub --overlap 7d",
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return usagef("say which key is to come: --new FILE")
			}
			keys, err := c.readKeys(file)
			if err != nil {
				return err
			}
			var end time.Time
			if overlap != "" {
				if end, err = parseEnd(overlap, time.Now()); err != nil {
					return err
				}
			}
			return c.editPolicy(cmd.Context(), func(d *policyfile.Draft) error { return rotate(d, args[0], old, keys, end) })
		},
	}
	cmd.Flags().StringVar(&file, "new", "", "the `FILE` of the new key; - is standard input")
	cmd.Flags().StringVar(&old, "old", "", "the `FINGERPRINT` of the old key (default: the only one)")
	cmd.Flags().StringVar(&overlap, "overlap", "", "how long the old key still counts, 7d, or until when, 2028-01-01")
	_ = cmd.MarkFlagFilename("new")
	c.editFlags(cmd)
	c.completeNames(cmd)
	return cmd
}

func rotate(d *policyfile.Draft, name, old string, keys []policyfile.Key, end time.Time) error {
	if who := d.Policy().Principal(name); old == "" && who != nil {
		if len(who.Keys) != 1 {
			return usagef("%s has %d keys: say which is to go, --old FINGERPRINT (lcm trust show)", name, len(who.Keys))
		}
		old = who.Keys[0].Fingerprint
	}
	if err := d.AddKeys(name, keys); err != nil {
		return err
	}
	if end.IsZero() {
		return d.RemoveKey(name, old)
	}
	return d.EndKey(name, old, end)
}

func (c *cli) revokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "revoke NAME [FINGERPRINT]", Aliases: []string{"remove"}, Short: "Revoke a key, or a principal with all keys", Args: cobra.RangeArgs(1, 2),
		Long: "revoke removes one key, or the principal whole. Once the change is accepted, nothing counts that is signed with it and not\n" +
			"yet accepted, on older branches too; revoke tells which those are. What was accepted stays so.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.editPolicy(cmd.Context(), func(d *policyfile.Draft) error {
				if len(args) == 1 {
					return d.Remove(args[0])
				}
				return d.RemoveKey(args[0], args[1])
			})
		},
	}
	c.editFlags(cmd)
	c.completeNames(cmd)
	return cmd
}

// parseEnd reads a time, a day (its beginning, UTC), or how long from now: in Go's units, or days, 7d.
func parseEnd(text string, now time.Time) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	if days, ok := strings.CutSuffix(text, "d"); err != nil && ok {
		var n int
		if n, err = strconv.Atoi(days); err == nil {
			at = now.AddDate(0, 0, n)
		}
	}
	if err != nil {
		var d time.Duration
		if d, err = time.ParseDuration(text); err == nil {
			at = now.Add(d)
		}
	}
	at = at.UTC().Truncate(time.Second)
	if err != nil || at.Year() > 9999 {
		return at, usagef("%q is no time: write 2028-01-01, 2028-01-01T12:00:00Z, 90d or 12h", text)
	}
	if !at.After(now) {
		return at, usagef("%s is not in the future: to end a key at once, lcm trust revoke", text)
	}
	return at, nil
}
