package reconcile

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/apply"
	"github.com/llm-config-manager/lcm/internal/store"
)

// hanging is a target whose writes wait until they are let go, or their context ends.
type hanging struct {
	store.Target
	begun, let chan struct{}
}

func (s *hanging) Apply(ctx context.Context, b store.Batch) error {
	s.begun <- struct{}{}
	select {
	case <-s.let:
		return s.Target.Apply(ctx, b)
	case <-ctx.Done():
		return ctx.Err()
	}
}

const stopped = apply.Parallel + 6 // so many namespaces: some can't be begun at once

// stop has a pass stopped in the midst of its writes, of which so many have begun then. It returns once the pass has.
func (w *world) stopPass(grace time.Duration, then func(*hanging)) {
	w.Helper()
	w.r.Grace = grace
	s := &hanging{Target: w.faults["runtime"].Target, begun: make(chan struct{}, stopped), let: make(chan struct{})}
	w.faults["runtime"].Target = s
	ctx, cancel := context.WithCancel(w.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := w.r.Pass(ctx, Options{})
		ended <- err
	}()
	for range apply.Parallel {
		<-s.begun
	}
	cancel()
	then(s)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		w.Errorf("the pass ends with %v", err)
	}
	if more := len(s.begun); more > 0 {
		w.Errorf("%d namespaces were begun after the pass was stopped", more)
	}
	w.faults["runtime"].Target = s.Target
}

func (w *world) written() (n int) {
	w.Helper()
	for i := range stopped {
		if w.stands("runtime", fmt.Sprintf("acme/shop/s%d/production/greeting", i)) != "" {
			n++
		}
	}
	return n
}

func manyServices() map[string]string {
	files := map[string]string{}
	for i := range stopped {
		files[fmt.Sprintf("namespaces/acme/shop/s%d/production/greeting.yaml", i)] = config("1")
	}
	return files
}

// What is being written when a pass is to stop is written to the end, and nothing else is begun.
func TestStoppedPassWritesToTheEnd(t *testing.T) {
	w := newWorld(t, manyServices())
	w.stopPass(time.Minute, func(s *hanging) { close(s.let) })
	if n := w.written(); n != apply.Parallel {
		t.Errorf("%d of %d are written", n, apply.Parallel)
	}
	if pending, err := w.r.State.Pending(); err != nil || len(pending) > 0 {
		t.Errorf("%v %v", pending, err)
	}
	w.stop()
	w.start()
	if r := w.pass(Options{}); len(r.Plan.Namespaces) != stopped-apply.Parallel || w.written() != stopped {
		t.Errorf("%d namespaces are changed by the next pass, and %d written", len(r.Plan.Namespaces), w.written())
	}
}

// A target that hangs stops nobody from stopping.
func TestStoppedPassOfHangingTarget(t *testing.T) {
	w := newWorld(t, manyServices())
	w.stopPass(50*time.Millisecond, func(*hanging) {})
	if n := w.written(); n != 0 {
		t.Errorf("%d are written", n)
	}
	w.stop()
	w.start()
	w.pass(Options{})
	if n := w.written(); n != stopped {
		t.Errorf("%d are written by the next pass", n)
	}
}
