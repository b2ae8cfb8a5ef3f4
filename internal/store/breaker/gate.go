package breaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/llm-config-manager/lcm/internal/store"
)

// When a target counts as down, and how long it is left alone: twice as long each time that it is tried in vain.
const (
	threshold   = 3 // failures in a row
	firstPause  = 5 * time.Second
	maxPause    = 5 * time.Minute
	jitterShare = 10 // a pause is up to this part longer, so that many daemons do not come back at once
)

// gate is closed to calls while they would fail. Once its pause is over, one call is let through as a probe, and those that
// come meanwhile wait for what becomes of it. (sony/gobreaker always pauses as long, and refuses them.)
type gate struct {
	log *slog.Logger

	mu    sync.Mutex // guards what follows
	down  store.Down // Until is zero while the gate is open; the rest tells of the failures so far
	pause time.Duration
	probe chan struct{} // not nil while a probe is under way, and closed at its end
}

// call makes a call, unless the gate is closed.
func (g *gate) call(ctx context.Context, f func() error) error {
	probing, err := g.enter(ctx)
	if err != nil {
		return err
	}
	err = f()
	g.leave(probing, err, ctx.Err() != nil)
	return err
}

// enter waits until it is known whether a call is let through. It may be the probe.
func (g *gate) enter(ctx context.Context) (probing bool, err error) {
	for {
		wait, probing, err := g.knock()
		if wait == nil {
			return probing, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

func (g *gate) knock() (wait chan struct{}, probing bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.down.Until.IsZero():
		return nil, false, nil
	case g.probe != nil:
		return g.probe, false, nil
	case time.Now().Before(g.down.Until):
		return nil, false, closed(g.down)
	}
	g.probe = make(chan struct{})
	return nil, true, nil
}

// closed is why a call is not let through.
func closed(d store.Down) error {
	return fmt.Errorf("it is down since %s, and not asked again before %s: %w", stamp(d.Since), stamp(d.Until), d.Err)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// leave takes in how a call ended. One that its caller gave up says nothing.
func (g *gate) leave(probing bool, err error, givenUp bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case givenUp:
	case errors.Is(err, store.ErrOutage):
		g.failed(probing, err)
	default:
		if !g.down.Until.IsZero() {
			g.log.Info("target answers again", "after", time.Since(g.down.Since))
		}
		g.down, g.pause = store.Down{}, 0
	}
	if probing {
		close(g.probe)
		g.probe = nil
	}
}

func (g *gate) failed(probing bool, err error) {
	if g.down.Failures++; g.down.Failures == 1 {
		g.down.Since = time.Now()
	}
	g.down.Err = err
	if !probing && (g.down.Failures < threshold || !g.down.Until.IsZero()) {
		return
	}
	g.pause = min(max(firstPause, 2*g.pause), maxPause)
	g.down.Until = time.Now().Add(g.pause + rand.N(g.pause/jitterShare))
	g.log.Warn("target is down", "since", g.down.Since, "failures", g.down.Failures, "asked again", g.down.Until, "error", err)
}

// standing is nil while the gate is open.
func (g *gate) standing() *store.Down {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down.Until.IsZero() {
		return nil
	}
	d := g.down
	return &d
}
