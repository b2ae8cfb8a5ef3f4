package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/trust"
)

func (c *cli) heartbeatCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "heartbeat", Short: "Sign what the head of the protected branch is now", Args: cobra.NoArgs,
		Long: "heartbeat signs that the head of the protected branch, as it was last fetched, is that commit at this time. A\n" +
			"daemon that is configured with repository.heartbeat raises an alarm if it sees no recent one, or one that\n" +
			"names a commit which the server does not show it. It is meant for a bot that runs every few minutes, best on\n" +
			"another machine than the server's, and consents to nothing. It is written to refs/lcm/heartbeat and must be pushed.",
		Example: "  git fetch -q origin && lcm heartbeat --key clock.key && git push -q origin +refs/lcm/heartbeat",
		RunE:    func(*cobra.Command, []string) error { return c.heartbeat(time.Now()) },
	}
	c.keyFlag(cmd)
	c.branchFlags(cmd, false)
	return cmd
}

func (c *cli) heartbeat(at time.Time) error {
	d, err := c.openDesk("HEAD", false)
	if err != nil {
		return err
	}
	defer d.repo.Close()
	key, done, err := c.signer()
	if err != nil {
		return err
	}
	defer done()
	who := d.policy.SSHKeyOwner(key.PublicKey().Marshal())
	if who == nil {
		return fmt.Errorf("the key %s belongs to nobody in the policy of the protected branch", ssh.FingerprintSHA256(key.PublicKey()))
	}
	h := trust.Heartbeat{Repository: d.policy.Repository, Branch: d.policy.Branch, Head: d.tip, At: at}
	document, err := h.Sign(gitrepo.SSHSignerFor(trust.HeartbeatNamespace, key))
	if err != nil {
		return err
	}
	ref, err := d.repo.SetHeartbeat(document)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s says that %s was at %s at %s\nPush it: git push origin +%s\n", who.Name, d.branch, d.tip.Short(), at.UTC().Format(time.RFC3339), ref)
	return err
}
