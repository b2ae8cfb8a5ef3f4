package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// route is where a history begins and ends; it stands beside it, for the process that verifies it.
type route struct {
	Introduction, Before, Head lcm.Revision // Before is what Head follows
	Commits                    int          // from the introduction to Before, of side branches too
}

const routeFile = "route.json"

// walked is what verifying a history took.
type walked struct {
	Cold, One, Nothing walk
	Library            time.Duration // processor time of one signature by crypto/ed25519 alone
}

type walk struct {
	Steps      int
	Signatures int64
	Took, CPU  time.Duration
}

// walkHistory verifies a history from the introduction on, then its last step, then that nothing is new, and
// prints what it took as JSON. It is a process of its own, so that the memory is that of verifying alone.
func (b *bench) walkHistory(ctx context.Context, out io.Writer, dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, routeFile))
	if err != nil {
		return err
	}
	var r route
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	m, err := mirrorOf(dir)
	if err != nil {
		return err
	}
	defer m.Close()
	stop, err := b.profiled("walk")
	if err != nil {
		return err
	}
	defer stop()
	return r.walk(ctx, out, m)
}

func (r route) walk(ctx context.Context, out io.Writer, repo *gitrepo.Repo) error {
	now, steps := time.Now(), 0
	cfg := trust.Config{Repository: repositoryName, Branch: "main", Tenants: []string{"*"}, Introduction: r.Introduction,
		FirstSeen: func(lcm.Revision) time.Time { return now }, OnStep: func(trust.Step) { steps++ }, Cache: &trust.Cache{}}
	var w walked
	var checked int64
	for _, x := range []struct {
		took       *walk
		last, head lcm.Revision
	}{{&w.Cold, "", r.Before}, {&w.One, r.Before, r.Head}, {&w.Nothing, r.Head, r.Head}} {
		steps = 0
		start, cpu := time.Now(), cpuTime()
		v, err := trust.Verify(ctx, repo, cfg, x.last, x.head)
		if err != nil {
			return err
		}
		*x.took = walk{steps, v.Policy().Checked() - checked, time.Since(start), cpuTime() - cpu}
		checked = v.Policy().Checked()
		cfg.AcceptedAt = func(lcm.Revision) (time.Time, bool) { return now, true } // as the state will say
	}
	if w.Cold.Signatures != int64(r.Commits) || w.One.Steps != 1 || w.Nothing.Signatures != 0 {
		return fmt.Errorf("of %d commits: %+v", r.Commits, w)
	}
	w.Library = library()
	return json.NewEncoder(out).Encode(w)
}

// library measures what one signature takes at the least without tables, here and now: the measure of a
// machine that does other work, too.
func library() time.Duration {
	const rounds = 2000
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat("b", ed25519.SeedSize)))
	public, message := private.Public().(ed25519.PublicKey), make([]byte, 100)
	signature := ed25519.Sign(private, message)
	start := cpuTime()
	for range rounds {
		ed25519.Verify(public, message, signature)
	}
	return (cpuTime() - start) / rounds
}

// cpuTime is the processor time of this process, in the program and the kernel.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
