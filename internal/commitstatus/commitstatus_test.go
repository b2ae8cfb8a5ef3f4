package commitstatus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// board takes statuses, and fails as it is told to.
type board struct {
	mu    sync.Mutex
	shown []string
	at    []time.Time
	fail  []error // of the next calls
}

func (b *board) SetStatus(_ context.Context, s Status) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = append(b.at, time.Now())
	if len(b.fail) > 0 {
		err := b.fail[0]
		if b.fail = b.fail[1:]; err != nil {
			return err
		}
	}
	b.shown = append(b.shown, fmt.Sprint(s.Revision, " ", s.State, " ", s.Description))
	return nil
}

// run has what put puts sent to a board, for a day of synctest's time.
func run(t *testing.T, b *board, put func(*Queue)) (log string) {
	t.Helper()
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(b, slog.New(slog.NewTextHandler(&out, nil)))
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		go q.Run(ctx)
		put(q)
		<-ctx.Done()
		synctest.Wait()
	})
	return out.String()
}

func (b *board) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(b.shown, want) {
		t.Errorf("shown\n  %s\nwant\n  %s", strings.Join(b.shown, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestEachIsShownOnce(t *testing.T) {
	b := &board{}
	run(t, b, func(q *Queue) {
		q.Seen("a")
		for _, s := range []Status{{"a", Failure, "x"}, {"a", Failure, "x"}, {"a", Success, "in force"}, {"a", Success, "in force"}} {
			time.Sleep(time.Second)
			q.Put(s)
			q.Seen("a")
		}
		q.Seen("b")
	})
	b.expect(t, "a pending seen", "a failure x", "a success in force", "b pending seen")
}

// TestRetries: a forge that is down, or asks for patience, is asked again, with growing pauses.
func TestRetries(t *testing.T) {
	down := &Retry{Err: errors.New("down")}
	b := &board{fail: []error{down, down, down, &Retry{After: 10 * time.Minute, Err: errors.New("slow down")}, nil}}
	run(t, b, func(q *Queue) { q.Put(Status{"a", Success, ""}) })
	b.expect(t, "a success ")
	least := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 10 * time.Minute}
	for i, d := range least {
		if got := b.at[i+1].Sub(b.at[i]); got < d || got > d*3/2 {
			t.Errorf("pause %d is %v", i, got)
		}
	}
}

func TestGivesUp(t *testing.T) {
	down := &Retry{Err: errors.New("down")}
	for name, c := range map[string]struct {
		fail     []error
		attempts int
	}{
		"final":     {[]error{errors.New("no such repository")}, 1},
		"too often": {slices.Repeat([]error{down}, maxAttempts), maxAttempts},
		"too long":  {[]error{&Retry{After: 3 * time.Hour, Err: errors.New("later")}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := &board{fail: c.fail}
			log := run(t, b, func(q *Queue) {
				q.Put(Status{"a", Success, ""})
				time.Sleep(2 * time.Hour)
				q.Put(Status{"b", Success, ""})
			})
			if strings.Count(log, "given up") != 1 || len(b.at) != c.attempts+1 {
				t.Errorf("%d attempts; log:\n%s", len(b.at)-1, log)
			}
			b.expect(t, "b success ")
		})
	}
}

// TestOnlyTheNewest: what a commit was while the forge was down is not shown any more.
func TestOnlyTheNewest(t *testing.T) {
	b := &board{fail: slices.Repeat([]error{&Retry{Err: errors.New("down")}}, 5)}
	run(t, b, func(q *Queue) {
		q.Put(Status{"a", Pending, ""})
		time.Sleep(time.Second / 2)
		q.Put(Status{"a", Error, ""})
		q.Put(Status{"a", Success, ""})
	})
	b.expect(t, "a success ")
}

// TestBounds: whoever puts never waits, and what waits is bounded, as is what is remembered.
func TestBounds(t *testing.T) {
	q := NewQueue(&board{}, slog.New(slog.DiscardHandler))
	for i := range 5 * maxRemembered {
		q.Put(Status{lcm.Revision(fmt.Sprint(i)), Pending, ""})
	}
	if len(q.waiting) != maxWaiting || len(q.last) != maxRemembered || len(q.order) != maxRemembered {
		t.Error(len(q.waiting), len(q.last), len(q.order))
	}
	if got := q.waiting[0].Revision; got != lcm.Revision(fmt.Sprint(5*maxRemembered-maxWaiting)) {
		t.Error("the oldest that waits is", got)
	}
}
