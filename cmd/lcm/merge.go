package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

func (c *cli) mergeCommand() *cobra.Command {
	var message string
	cmd := &cobra.Command{
		Use: "merge BRANCH", Short: "Merge a branch into the protected branch, signed, with the approvals in the message", Args: cobra.ExactArgs(1),
		Long: "merge makes the merge commit as git merge --no-ff -S does, with the signed approvals of the branch as trailers of\n" +
			"its message, and moves the local protected branch to it, if the daemon would believe it. It merges whole\n" +
			"files, and touches no work tree: the protected branch must not be checked out.",
		RunE: func(cmd *cobra.Command, args []string) error { return c.merge(cmd.Context(), args[0], message) },
	}
	cmd.Flags().StringVarP(&message, "message", "m", "", "the message of the merge")
	c.keyFlag(cmd)
	c.branchFlags(cmd, false)
	return cmd
}

func (c *cli) merge(ctx context.Context, spec, message string) error {
	d, err := c.openDesk(spec, true)
	if err != nil {
		return err
	}
	defer d.repo.Close()
	if err := d.isFree(ctx); err != nil {
		return err
	}
	head, err := d.repo.Resolve(spec)
	if err != nil {
		return usagef("%v", err)
	}
	preview, edit, err := d.preview(ctx, head)
	if err != nil {
		return err
	}
	if len(preview.Changed) == 0 {
		return fmt.Errorf("%s changes nothing on %s", spec, d.branch)
	}
	writeLoosens(c.stdout, preview.Loosens)
	key, done, err := c.signer()
	if err != nil {
		return err
	}
	defer done()
	who := d.policy.SSHKeyOwner(key.PublicKey().Marshal())
	if who == nil {
		return fmt.Errorf("the key %s belongs to nobody in the policy of %s", ssh.FingerprintSHA256(key.PublicKey()), d.branch)
	}
	edit.Author, edit.Sign = author(who, d.policy.Repository), gitrepo.SSHSigner(key)
	edit.Message = mergeMessage(cmp.Or(message, "Merge "+spec+" into "+d.branch), preview.Approvals)
	merge, err := d.repo.Write(edit)
	if err != nil {
		return err
	}
	// What the daemon would refuse does not get a name.
	v, err := trust.Verify(ctx, d.repo, d.config(d.tip, now), "", merge)
	if err != nil {
		return err
	}
	if err := d.repo.SetBranch(d.branch, merge); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s is now %s, signed by %s", d.branch, merge.Short(), who.Name)
	if by := slices.DeleteFunc(v.Steps()[0].Approvers, func(name string) bool { return name == who.Name }); len(by) > 0 {
		fmt.Fprintf(c.stdout, ", with the consent of %s", strings.Join(by, ", "))
	}
	_, err = fmt.Fprintf(c.stdout, "\nPush it: git push origin %s\n", d.branch)
	return err
}

// isFree demands that the local branch can be moved: no work tree stands on it, and it is not behind.
func (d *desk) isFree(ctx context.Context) error {
	used, err := d.repo.CheckedOut(d.branch)
	if err != nil {
		return err
	}
	if used {
		return fmt.Errorf("%s is checked out, and this merge touches no files: leave it with `git switch --detach`, merge, and come back with `git switch %[1]s`", d.branch)
	}
	origin, err := d.repo.Resolve("refs/remotes/origin/" + d.branch)
	if err != nil {
		return nil //nolint:nilerr // a repository without a remote
	}
	if base, err := d.repo.MergeBase(ctx, d.tip, origin); err != nil || base != origin {
		return fmt.Errorf("%s here lacks what origin has: git fetch origin %[1]s:%[1]s", d.branch)
	}
	return nil
}

// preview makes the merge, unsigned and without a name, and asks what it lacks.
func (d *desk) preview(ctx context.Context, head lcm.Revision) (*trust.Preview, gitrepo.Edit, error) {
	edit := gitrepo.Edit{Parents: []lcm.Revision{d.tip, head}, Blobs: map[string]gitrepo.Blob{}, Message: "preview\n",
		Author: gitrepo.Ident{Name: "lcm", Email: "lcm@localhost", When: d.committed(head)}}
	if head == d.tip {
		return &trust.Preview{}, edit, nil
	}
	changes, err := d.repo.Merge(ctx, d.tip, head)
	if err != nil {
		return nil, edit, fmt.Errorf("merging %s into %s: %w", head.Short(), d.branch, err)
	}
	for _, ch := range changes {
		edit.Blobs[ch.Path] = ch.New
	}
	merge, err := d.repo.Write(edit)
	if err != nil {
		return nil, edit, err
	}
	p, err := trust.Check(ctx, d.repo, d.config(d.tip, now), d.tip, merge)
	return p, edit, err
}

// author is who makes the merge, as the environment says or else as the policy does. Nobody relies on it.
func author(who *trust.Principal, repository string) gitrepo.Ident {
	return gitrepo.Ident{Name: cmp.Or(os.Getenv("GIT_AUTHOR_NAME"), who.Name), Email: cmp.Or(os.Getenv("GIT_AUTHOR_EMAIL"), who.Name+"@"+repository)}
}

func mergeMessage(text string, approvals [][]byte) string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(text, "\n") + "\n")
	for i, document := range approvals {
		if i == 0 {
			b.WriteString("\n")
		}
		b.WriteString(trust.ApprovalTrailer(document))
	}
	return b.String()
}
