// Package commitstatus shows at a forge, beside each commit, what became of it. It is a courtesy: nothing waits for it, and
// what a forge does not take is given up after a while.
package commitstatus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// State is one of the four that forges know.
type State string

// The states of a commit.
const (
	Pending State = "pending" // it was seen
	Success State = "success" // it is in force, whole
	Failure State = "failure" // trust refuses it, or checks hold something of it
	Error   State = "error"   // a target does not take it
)

// Status is what is shown.
type Status struct {
	Revision    lcm.Revision
	State       State
	Description string // one line, without any value
}

// Setter is a forge. It may be called again with what it took already.
type Setter interface {
	// SetStatus shows a status in place of an earlier one. With a *Retry it is worth another try; any other error is final.
	SetStatus(ctx context.Context, s Status) error
}

// Retry is that a status was not taken now.
type Retry struct {
	After time.Duration // not before; 0: whenever
	Err   error
}

func (r *Retry) Error() string { return r.Err.Error() }
func (r *Retry) Unwrap() error { return r.Err }

// The bounds on what waits and is remembered.
const (
	maxWaiting    = 100  // commits
	maxRemembered = 1000 // commits
	maxAttempts   = 10   // for one status
	firstPause    = time.Second
	longestPause  = 5 * time.Minute
	maxRetryAfter = 2 * time.Hour
)

// Queue sends statuses one after the other, in the background. It is safe for concurrent use.
type Queue struct {
	setter Setter
	log    *slog.Logger
	bell   chan struct{} // of capacity 1

	mu      sync.Mutex // guards what follows
	waiting []Status   // the oldest first, one for a commit
	last    map[lcm.Revision]Status
	order   []lcm.Revision // of last, the oldest first
}

// NewQueue returns a queue, which sends nothing until Run is called.
func NewQueue(setter Setter, log *slog.Logger) *Queue {
	return &Queue{setter: setter, log: log, bell: make(chan struct{}, 1), last: map[lcm.Revision]Status{}}
}

// Seen says of a commit that it was seen, unless something was said of it already.
func (q *Queue) Seen(rev lcm.Revision) {
	q.mu.Lock()
	_, known := q.last[rev]
	q.mu.Unlock()
	if !known {
		q.Put(Status{rev, Pending, "seen"})
	}
}

// Put takes a status, and never waits. One that was the last of its commit already is not sent again; one that still waits gives
// way to a newer.
func (q *Queue) Put(s Status) {
	q.mu.Lock()
	defer q.mu.Unlock()
	was, known := q.last[s.Revision]
	if was == s {
		return
	}
	q.remember(s, known)
	for i, w := range q.waiting {
		if w.Revision == s.Revision {
			q.waiting[i] = s
			return
		}
	}
	if len(q.waiting) == maxWaiting {
		q.log.Warn("too many commit statuses wait: the oldest is given up", "commit", q.waiting[0].Revision)
		q.waiting = q.waiting[1:]
	}
	q.waiting = append(q.waiting, s)
	select {
	case q.bell <- struct{}{}:
	default:
	}
}

func (q *Queue) remember(s Status, known bool) {
	if q.last[s.Revision] = s; known {
		return
	}
	if q.order = append(q.order, s.Revision); len(q.order) > maxRemembered {
		delete(q.last, q.order[0])
		q.order = q.order[1:]
	}
}

// Run sends until ctx ends. What waits then is not sent.
func (q *Queue) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if s, ok := q.first(); ok {
			q.send(ctx, s)
			continue
		}
		select {
		case <-ctx.Done():
		case <-q.bell:
		}
	}
}

func (q *Queue) first() (Status, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return Status{}, false
	}
	return q.waiting[0], true
}

// newest is what is to be shown of a commit now.
func (q *Queue) newest(s Status) Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.waiting {
		if w.Revision == s.Revision {
			return w
		}
	}
	return s
}

// done takes a status out, unless a newer one took its place meanwhile.
func (q *Queue) done(s Status) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.waiting {
		if w == s {
			q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
			return
		}
	}
}

// send tries until the status is taken, is refused for good, or was tried often enough.
func (q *Queue) send(ctx context.Context, s Status) {
	var err error
	for n := range maxAttempts {
		s = q.newest(s)
		if err = q.setter.SetStatus(ctx, s); err == nil {
			q.done(s)
			return
		}
		retry := new(Retry)
		if !errors.As(err, &retry) || retry.After > maxRetryAfter {
			break
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause(n, retry.After)):
		}
		err = fmt.Errorf("after %d attempts: %w", n+1, err)
	}
	q.done(s)
	q.log.Warn("a commit status can't be shown, and is given up", "commit", s.Revision, "state", s.State, "error", err)
}

// pause grows with each attempt, by chance a little more, and is never shorter than what the forge asks for.
func pause(n int, asked time.Duration) time.Duration {
	p := min(firstPause<<n, longestPause)
	return max(p, asked) + rand.N(p/4)
}
