package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

func (c *cli) demoCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "demo", Short: "Make a signed example repository with fresh keys, and walk through what the daemon does with it", Args: cobra.NoArgs,
		Long: "demo makes, in a new folder, the example repository with fresh SSH and age keys, and a daemon's configuration\n" +
			"with embedded stores. Then it does to it what teams and attackers do, a pass after each. Nothing outside of\n" +
			"the folder is touched; it stays there to be played with.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				tmp, err := os.MkdirTemp("", "lcm-demo-")
				if err != nil {
					return err
				}
				dir = tmp
			}
			return c.demo(cmd.Context(), dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the folder to fill; it must be empty or absent (default: a new temporary folder)")
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}

// What the demo changes. All of it stands in the example repository.
const (
	demoEndpoint  = "acme-corp/support/assistant/production/chat-tuning"
	demoFile      = "namespaces/acme-corp/support/assistant/production/chat-tuning.yaml"
	demoBroken    = "namespaces/acme-corp/support/assistant/development/chat-tuning.yaml"
	demoOtherFile = "namespaces/globex/search/answers/development/tone.yaml"
	demoOther     = "globex/search/answers/development/tone"
)

// demo is the walk. Each step is a commit to the example repository and a pass of the daemon.
func (c *cli) demo(ctx context.Context, dir string) error {
	d, err := newDemo(ctx, c, dir)
	if err != nil {
		return fmt.Errorf("making the example: %w", err)
	}
	defer d.close()
	d.say("The example repository, signed and sealed with fresh keys, is in %s", d.dir)
	for _, step := range []func() error{d.firstPass, d.signedChange, d.unsignedCommit, d.schemaViolation, d.revert} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(); err != nil {
			return err
		}
	}
	config := filepath.Join(d.dir, "reconciler.yaml")
	fmt.Fprintf(c.stdout, "\nTry next:\n  %[1]s plan --config %[2]s\n  %[1]s run --config %[2]s\n  git clone %[3]s\n", program(), config, d.origin())
	return nil
}

// program is how the user called us.
func program() string {
	if len(os.Args) > 0 {
		return os.Args[0]
	}
	return "reconciler"
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.cli.stdout, format+"\n", args...)
}

func (d *demo) step(title string) { d.say("\n%d. %s", d.count(), title) }

func (d *demo) firstPass() error {
	d.step("First pass")
	return d.pass(exitDone)
}

func (d *demo) signedChange() error {
	before, err := d.value(demoEndpoint)
	if err != nil {
		return err
	}
	d.step("bob lowers the temperature in production on a branch; alice merges it, signed: two consents")
	next, err := d.edited(demoFile, "temperature: 0.4", "temperature: 0.2")
	if err != nil {
		return err
	}
	if err := d.merge("bob", "alice", map[string][]byte{demoFile: next}, "assistant: answer more soberly"); err != nil {
		return err
	}
	if err := d.pass(exitDone); err != nil {
		return err
	}
	d.before = before
	return d.showChange(demoEndpoint, before)
}

func (d *demo) unsignedCommit() error {
	good, err := d.value(demoEndpoint)
	if err != nil {
		return err
	}
	d.step("Somebody with write access pushes an unsigned commit")
	next, err := d.edited(demoFile, "temperature: 0.2", "temperature: 1.9")
	if err != nil {
		return err
	}
	if err := d.commit("", map[string][]byte{demoFile: next}, "just a quick fix"); err != nil {
		return err
	}
	if err := d.pass(exitRefused); err != nil {
		return err
	}
	if err := d.showSame(demoEndpoint, good); err != nil {
		return err
	}
	d.say("   the team moves the branch back to the last accepted revision")
	return d.moveBack()
}

func (d *demo) schemaViolation() error {
	d.step("One push: acme-corp breaks its development by a typing error, globex changes its own")
	broken, err := d.edited(demoBroken, "temperature: 0.9", "temperature: hot")
	if err != nil {
		return err
	}
	other, err := d.edited(demoOtherFile, "value: friendly", "value: concise")
	if err != nil {
		return err
	}
	before, err := d.value(demoOther)
	if err != nil {
		return err
	}
	if err := d.commit("bob", map[string][]byte{demoBroken: broken}, "assistant: hotter in development"); err != nil {
		return err
	}
	if err := d.commit("dave", map[string][]byte{demoOtherFile: other}, "answers: be concise"); err != nil {
		return err
	}
	if err := d.pass(exitHeld); err != nil {
		return err
	}
	return d.showChange(demoOther, before)
}

func (d *demo) revert() error {
	d.step("git revert of the broken commit, and of step 2: a way back in production needs one consent, not two")
	was, err := d.value(demoEndpoint)
	if err != nil {
		return err
	}
	for _, file := range []string{demoBroken, demoFile} {
		original, err := d.original(file)
		if err != nil {
			return err
		}
		if err := d.commit("alice", map[string][]byte{file: original}, "Revert the change of "+file); err != nil {
			return err
		}
	}
	if err := d.pass(exitDone); err != nil {
		return err
	}
	if now, err := d.value(demoEndpoint); err != nil || now != d.before {
		return errors.Join(err, errors.New("the demo went wrong: the old value is not back"))
	}
	return d.showChange(demoEndpoint, was)
}

// pass makes one pass, as reconciler once does, prints what it says, and holds the demo to what it tells:
// the pass must end with this exit code.
func (d *demo) pass(code int) error {
	r, err := d.daemon.repositories[0].pass(d.ctx, reconcile.Options{})
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := (&cli{stdout: &b}).printText(r, reconcile.Options{}); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		fmt.Fprintf(d.cli.stdout, "   %s", line)
	}
	if got := passCode(r); got != code {
		return fmt.Errorf("the demo went wrong: the pass ended with %d where %d was to be shown", got, code)
	}
	return nil
}

// value is what the store holds for an address, as JSON; of the tuning only the temperature.
func (d *demo) value(address string) (string, error) {
	a, err := lcm.ParseAddress(address)
	if err != nil {
		return "", err
	}
	v, _, err := d.daemon.targets["runtime"].Get(d.ctx, a)
	if err != nil || address != demoEndpoint {
		return string(v), err
	}
	var preset struct {
		Config struct {
			Temperature json.Number `json:"temperature"`
		} `json:"config"`
	}
	err = json.Unmarshal(v, &preset)
	return "temperature " + preset.Config.Temperature.String(), err
}

func (d *demo) showChange(address, before string) error {
	now, err := d.value(address)
	if err != nil {
		return err
	}
	if now == before {
		return errors.New("the demo went wrong: the value did not change")
	}
	d.say("   store: %s: %s, was %s", address, now, before)
	return nil
}

func (d *demo) showSame(address, want string) error {
	now, err := d.value(address)
	if err != nil {
		return err
	}
	if now != want {
		return errors.New("the demo went wrong: the value is another")
	}
	d.say("   store: %s: still %s", address, now)
	return nil
}

// count numbers the steps.
func (d *demo) count() int {
	d.steps++
	return d.steps
}

// demoTime is the time that the example's commits claim; what counts is when the daemon first saw them.
func demoTime() time.Time { return time.Now().Truncate(time.Second) }
