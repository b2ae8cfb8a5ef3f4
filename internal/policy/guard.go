package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxTime bounds the judging of one document by one pack. It is ten thousand times what the base pack
// takes.
const maxTime = time.Second

var (
	errTime   = fmt.Errorf("the rules did not finish within %v: look for loops over everything within each other", maxTime)
	errMemory = errors.New("the rules use too much memory: look for what grows text or lists step by step")
	errStuck  = errors.New("the rules did not stop when told to, on an earlier document, and judge no more: simplify them")
	errSpent  = errors.New("the rules did not finish, or took too much memory, on several documents, and judge no more: simplify them")
	errPanic  = errors.New("the rules make the Rego engine fail: simplify them")
)

// guard stops one evaluation: at the end of its context or of maxTime, or when the heap grows fast
// while it has been running for unusually long.
type guard struct {
	ctx     context.Context
	limits  limits
	cancel  topdown.Cancel
	overdue chan struct{} // closed when the evaluation should have noticed the cancellation long ago
	reason  atomic.Pointer[error]
	quit    chan struct{}
	timer   *time.Timer
	unhook  func() bool
}

// limits of one evaluation.
type limits struct {
	patience time.Duration // from here on it is watched closely; hardly any gets here
	time     time.Duration
	grace    time.Duration // between the cancellation and giving up
	growth   uint64        // bytes of heap, of the whole process, once it is watched
}

func defaultLimits() limits {
	return limits{patience: maxTime / 20, time: maxTime, grace: maxTime, growth: 256 << 20}
}

func newGuard(ctx context.Context, l limits) *guard {
	g := &guard{ctx: ctx, limits: l, cancel: topdown.NewCancel(), overdue: make(chan struct{}), quit: make(chan struct{})}
	g.unhook = context.AfterFunc(ctx, g.cancel.Cancel)
	g.timer = time.AfterFunc(l.patience, g.watch)
	return g
}

func (g *guard) stop() {
	close(g.quit)
	g.timer.Stop()
	g.unhook()
}

func (g *guard) watch() {
	start, heap := time.Now(), heapBytes()
	tick := time.NewTicker(g.limits.patience / 5)
	defer tick.Stop()
	var reason error
	for reason == nil {
		select {
		case <-g.quit:
			return
		case <-g.ctx.Done():
			reason = g.ctx.Err()
		case <-tick.C:
			switch now := heapBytes(); {
			case time.Since(start) > g.limits.time-g.limits.patience:
				reason = errTime
			case now > heap && now-heap > g.limits.growth:
				reason = errMemory
			}
		}
	}
	g.reason.Store(&reason)
	g.cancel.Cancel()
	select {
	case <-g.quit:
	case <-time.After(g.limits.grace):
		close(g.overdue)
	}
}

func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// explain drops the engine's own words, which quote values: the place in the rules must do.
func (g *guard) explain(err error) error {
	if g.ctx.Err() != nil {
		return g.ctx.Err()
	}
	if r := g.reason.Load(); r != nil {
		return *r
	}
	if errors.Is(err, errGrown) {
		return errMemory
	}
	var at string
	if e := (*topdown.Error)(nil); errors.As(err, &e) && e.Location != nil && e.Location.File != "" {
		at = fmt.Sprintf(" at %s:%d", e.Location.File, e.Location.Row)
	}
	return fmt.Errorf("a rule fails%s: a built-in got a value it cannot take, or two results conflict; test the value first, with is_string and the like", at)
}
