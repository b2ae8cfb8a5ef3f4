package tracing

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// The bounds on what is kept of traces.
const (
	maxOpen   = 64   // traces whose root has not ended
	maxSpans  = 1000 // of one trace, besides its root
	maxQueued = 64   // traces that wait to be sent
)

// tail keeps the spans of each trace until its root has ended. Then it is known whether it holds an error, and whether it is
// sent at all. It is a span processor: nothing in it waits for the collector.
type tail struct {
	export        func(context.Context, []sdk.ReadOnlySpan) error
	successes     float64
	log           *slog.Logger
	queue         chan []sdk.ReadOnlySpan
	stopping      context.Context // ends when nothing is to be sent any more
	stop          context.CancelFunc
	done          chan struct{} // closed when the queue has been worked off
	sent, dropped atomic.Uint64 // spans

	mu     sync.Mutex // guards what follows
	open   map[trace.TraceID][]sdk.ReadOnlySpan
	closed bool
}

func newTail(export func(context.Context, []sdk.ReadOnlySpan) error, successes float64, log *slog.Logger) *tail {
	t := &tail{export: export, successes: successes, log: log, queue: make(chan []sdk.ReadOnlySpan, maxQueued), done: make(chan struct{}), open: map[trace.TraceID][]sdk.ReadOnlySpan{}}
	t.stopping, t.stop = context.WithCancel(context.Background())
	go t.work()
	return t
}

// OnStart makes room for a trace when its root starts.
func (t *tail) OnStart(_ context.Context, s sdk.ReadWriteSpan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !s.Parent().IsValid() && len(t.open) < maxOpen {
		t.open[s.SpanContext().TraceID()] = []sdk.ReadOnlySpan{}
	}
}

// OnEnd keeps a span, and with the root decides on its trace.
func (t *tail) OnEnd(s sdk.ReadOnlySpan) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id, root := s.SpanContext().TraceID(), !s.Parent().IsValid()
	spans, known := t.open[id]
	switch {
	case !known || !root && len(spans) >= maxSpans || t.closed:
		t.dropped.Add(1)
	case !root:
		t.open[id] = append(spans, s)
	default:
		delete(t.open, id)
		if spans = append(spans, s); failed(spans) || sampled(id, t.successes) {
			t.put(spans)
		}
	}
}

func (t *tail) put(spans []sdk.ReadOnlySpan) {
	select {
	case t.queue <- spans:
	default:
		t.dropped.Add(uint64(len(spans)))
	}
}

func failed(spans []sdk.ReadOnlySpan) bool {
	for _, s := range spans {
		if s.Status().Code == codes.Error {
			return true
		}
	}
	return false
}

// sampled chooses a share of traces by their ids, which are random, as all that sample by id do.
func sampled(id trace.TraceID, share float64) bool {
	return float64(binary.BigEndian.Uint64(id[8:])>>1) < share*(1<<63)
}

// work sends what is queued, one trace after the other.
func (t *tail) work() {
	defer close(t.done)
	down := false
	for spans := range t.queue {
		err := t.stopping.Err()
		if err == nil {
			err = t.export(t.stopping, spans)
		}
		if err != nil {
			t.dropped.Add(uint64(len(spans)))
		} else {
			t.sent.Add(uint64(len(spans)))
		}
		if err != nil && !down {
			t.log.Warn("traces can't be sent, and are dropped", "error", err)
		} else if err == nil && down {
			t.log.Info("traces are sent again", "droppedSpans", t.dropped.Load())
		}
		down = err != nil
	}
}

// Shutdown sends what is queued, until ctx ends.
func (t *tail) Shutdown(ctx context.Context) error {
	t.mu.Lock()
	if !t.closed {
		t.closed = true
		close(t.queue)
	}
	t.mu.Unlock()
	defer t.stop()
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		t.stop()
		<-t.done
		return ctx.Err()
	}
}

// ForceFlush waits until nothing is queued, or ctx ends.
func (t *tail) ForceFlush(ctx context.Context) error {
	for len(t.queue) > 0 && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	return ctx.Err()
}
