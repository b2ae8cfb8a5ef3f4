package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/policyfile"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// edited is what became of the policy, for people and as JSON.
type edited struct {
	Schema   string              `json:"schema"`
	DryRun   bool                `json:"dryRun"`
	Files    []editedFile        `json:"files"`
	Changes  []policyfile.Change `json:"changes"`
	Warnings []string            `json:"warnings,omitempty"`
}

type editedFile struct {
	File    string `json:"file"`
	Was     int64  `json:"was"` // the version that the next commit is judged against; 0: the file is new
	Version int64  `json:"version"`
	Needs   []need `json:"needs"` // by the policy in force; nothing before the introduction
}

// need is a rule that a change of a file must meet.
type need struct {
	Rule      string   `json:"rule"`
	Approvals int      `json:"approvals"`
	Signed    bool     `json:"signedConsent,omitempty"`
	Rollback  int      `json:"rollbackApprovals,omitempty"`
	Of        []string `json:"of"`
	Rotation  []string `json:"rotation,omitempty"`
}

func needsOf(p *trust.Policy, file string) []need {
	var all []need
	for _, r := range p.Matching(file) {
		all = append(all, need{r.String(), r.Approvals, r.SignedConsent, r.RollbackApprovals, p.PersonsFor(r, file), r.Rotation})
	}
	return all
}

func (c *cli) editFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "tell what would change, and write nothing")
	cmd.Flags().StringVar(&c.branch, "branch", "", "the protected branch (default: what the policy says)")
	c.formatFlag(cmd)
}

// editPolicy changes the policy in the work tree, and tells what must follow.
func (c *cli) editPolicy(ctx context.Context, edit func(*policyfile.Draft) error) error {
	if err := c.checkFormat(); err != nil {
		return err
	}
	root, err := os.OpenRoot(c.repo)
	if err != nil {
		return usagef("%v", err)
	}
	defer root.Close()
	d, err := c.baseDesk()
	if err != nil {
		return err
	}
	if d != nil {
		defer d.repo.Close()
	}
	draft, err := policyfile.Open(root.FS())
	if err != nil {
		return c.unsound(err)
	}
	before := draft.Policy()
	if err := edit(draft); err != nil {
		return c.unsound(err)
	}
	return c.finishEdit(ctx, d, root, before, draft)
}

func (c *cli) finishEdit(ctx context.Context, d *desk, root *os.Root, before *trust.Policy, draft *policyfile.Draft) error {
	var base fs.FS
	if d != nil {
		t, err := d.repo.Tree(d.tip)
		if err != nil {
			return err
		}
		base = t
	}
	if err := draft.Finish(base); err != nil {
		return c.unsound(err)
	}
	after := draft.Policy()
	if findings := after.LockedAt(time.Now()); len(findings) > 0 {
		return c.unsound(&policyfile.UnsoundError{Findings: findings})
	}
	texts := draft.Changed()
	out := edited{Schema: "lcm.policy-edit/v1", DryRun: c.dryRun, Files: []editedFile{}, Changes: policyfile.Changes(before, after)}
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		f := editedFile{File: file, Version: after.VersionOf(file), Needs: []need{}}
		if d != nil {
			f.Was, f.Needs = d.policy.VersionOf(file), append(f.Needs, needsOf(d.policy, file)...)
		}
		out.Files = append(out.Files, f)
	}
	out.Warnings = append(lockedLater(after), c.inFlight(ctx, d, out.Changes)...)
	if !c.dryRun {
		if err := writeFiles(root, texts); err != nil {
			return err
		}
	}
	return c.tellEdited(out)
}

// baseDesk sees the revision that the next commit will be judged against: on the protected branch the last commit
// there, on another branch, which is merged as a whole, the protected branch itself. It is nil before the first commit.
func (c *cli) baseDesk() (*desk, error) {
	d, err := c.openDesk("HEAD", false)
	if err != nil {
		if c.unborn() {
			return nil, nil
		}
		return nil, err
	}
	on, err := d.repo.CheckedOut(d.branch)
	if err == nil && on {
		if d.tip, err = d.repo.Resolve("HEAD"); err == nil {
			d.policy, err = d.policyOf(c, d.tip)
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.repo.Close())
	}
	return d, nil
}

func writeFiles(root *os.Root, texts map[string][]byte) error {
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		if err := root.MkdirAll(path.Dir(file), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(file, texts[file], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// unsound prints what is wrong with a policy.
func (c *cli) unsound(err error) error {
	if u := new(policyfile.UnsoundError); errors.As(err, &u) && len(u.Findings) > 0 {
		for _, f := range u.Findings {
			fmt.Fprintln(c.stderr, f)
		}
		return errors.New("nothing was written: the daemon would refuse this policy")
	}
	return err
}

// lockedLater warns of the day from which keys that end leave too few persons for the settings.
func lockedLater(p *trust.Policy) []string {
	var ends []time.Time
	for _, who := range p.Principals() {
		for _, k := range who.Keys {
			if !k.NotAfter.IsZero() {
				ends = append(ends, k.NotAfter)
			}
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	for _, end := range ends {
		if findings := p.LockedAt(end.Add(time.Second)); len(findings) > 0 && end.After(time.Now()) {
			return []string{fmt.Sprintf("after %s nobody could change the settings any more: %s", end.UTC().Format(time.RFC3339), findings[0].Message)}
		}
	}
	return nil
}

func (c *cli) tellEdited(e edited) error {
	if c.format == "json" {
		return c.json(e)
	}
	var b strings.Builder
	for _, f := range e.Files {
		fmt.Fprintf(&b, "%s, version %s%d\n", f.File, was(f.Was), f.Version)
	}
	for _, ch := range e.Changes {
		fmt.Fprintf(&b, "  %s\n", ch)
	}
	for _, w := range e.Warnings {
		fmt.Fprintf(c.stderr, "warning: %s\n", w)
	}
	switch {
	case len(e.Files) == 0:
		b.WriteString("nothing to change\n")
	case e.DryRun:
		b.WriteString("Nothing was written (--dry-run).\n")
	default:
		b.WriteString(next(e.Files))
	}
	_, err := fmt.Fprint(c.stdout, b.String())
	return err
}

func was(version int64) string {
	if version == 0 {
		return ""
	}
	return fmt.Sprintf("%d → ", version)
}

// next says what to do with a change of the policy.
func next(files []editedFile) string {
	var b strings.Builder
	b.WriteString("\nNext: commit with a signature (git commit -S).")
	seen := map[string]bool{}
	for _, f := range files {
		for _, n := range f.Needs {
			text := fmt.Sprintf("\n  %d of %s must consent, by the rule %s", n.Approvals, orNobodyOf(n.Of), n.Rule)
			if !seen[text] {
				b.WriteString(text)
			}
			seen[text] = true
		}
	}
	if len(seen) > 0 {
		b.WriteString("\n  lcm trust check tells what is missing then")
	}
	return b.String() + "\n"
}
