package reconcile

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/llm-config-manager/lcm/internal/store"
)

// A pass is a trace: its root is called "pass", and below it is a span for each stage, named as in the comment of this
// package. No attribute holds a value, a message or a name from a repository but that of a target: counts, results
// and revisions are all that is told.

// stage begins the span of a stage; what it returns ends it, with the error that the stage ends with.
func (r *Reconciler) stage(ctx context.Context, name string) (context.Context, func(*error)) {
	ctx, span := r.Tracer.Start(ctx, name)
	return ctx, func(err *error) {
		if *err != nil {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// begin starts the trace of a pass.
func (r *Reconciler) begin(ctx context.Context, o Options) (context.Context, trace.Span) {
	return r.Tracer.Start(ctx, "pass", trace.WithNewRoot(), trace.WithAttributes(
		attribute.String("lcm.repository", r.Repository),
		attribute.Bool("lcm.dry_run", o.DryRun),
		attribute.Bool("lcm.drift_search", o.Everything)))
}

// end tells how a pass went.
func (p *Report) end(span trace.Span, err error) {
	result := p.Result()
	if err != nil {
		result = ResultFailed
	}
	if result != ResultDone {
		span.SetStatus(codes.Error, string(result))
	}
	span.SetAttributes(
		attribute.String("lcm.result", string(result)),
		attribute.String("lcm.head", string(p.Head)),
		attribute.String("lcm.revision", string(p.Revision)),
		attribute.Int("lcm.namespaces", p.Worked),
		attribute.Int("lcm.changes", p.changes()),
		attribute.Int("lcm.held", len(p.Held)),
		attribute.Int("lcm.failed", len(p.Failed)),
		attribute.Int("lcm.drifted", p.Drifted.Total()))
	span.End()
}

// refused marks the span of the stage that found out that trust refuses something.
func refused(ctx context.Context, rule string) {
	span := trace.SpanFromContext(ctx)
	span.SetStatus(codes.Error, string(ResultRefused))
	span.SetAttributes(attribute.String("lcm.rule", rule))
}

// lapse is a stage that is gone through for many namespaces at a time. It becomes one span, from where the first of them begins
// to where the last ends; the attribute lcm.busy_seconds is the time of all together. The zero value has not begun.
type lapse struct {
	mu          sync.Mutex // guards what follows
	first, last time.Time
	busy        time.Duration
	n, bad      int
}

// took notes one run of the stage, which began then and ends now.
func (l *lapse) took(began time.Time, good bool) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == 0 || began.Before(l.first) {
		l.first = began
	}
	if now.After(l.last) {
		l.last = now
	}
	l.busy += now.Sub(began)
	if l.n++; !good {
		l.bad++
	}
}

// span makes the span, if the stage was gone through at all. What is made within is below it.
func (l *lapse) span(ctx context.Context, t trace.Tracer, name string, within func(context.Context), attrs ...attribute.KeyValue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == 0 {
		return
	}
	ctx, span := t.Start(ctx, name, trace.WithTimestamp(l.first), trace.WithAttributes(attrs...), trace.WithAttributes(
		attribute.Int("lcm.runs", l.n), attribute.Int("lcm.bad", l.bad), attribute.Float64("lcm.busy_seconds", l.busy.Seconds())))
	if l.bad > 0 {
		span.SetStatus(codes.Error, "")
	}
	if within != nil {
		within(ctx)
	}
	span.End(trace.WithTimestamp(l.last))
}

// lapses are the stages of one pass that are gone through in parts.
type lapses struct {
	resolve, open, check   lapse // of each namespace
	intent, apply, outcome lapse // of some namespaces together
	targets                map[string]*lapse
}

func (r *Reconciler) newLapses() *lapses {
	l := &lapses{targets: map[string]*lapse{}}
	for name := range r.Targets {
		l.targets[name] = &lapse{}
	}
	return l
}

func (l *lapses) judged(ctx context.Context, t trace.Tracer) {
	l.resolve.span(ctx, t, "resolve", nil)
	l.open.span(ctx, t, "open", nil)
	l.check.span(ctx, t, "check", nil)
}

func (l *lapses) carriedOut(ctx context.Context, t trace.Tracer) {
	l.intent.span(ctx, t, "intent", nil)
	l.apply.span(ctx, t, "apply", func(ctx context.Context) {
		for name, target := range l.targets {
			target.span(ctx, t, "target", nil, attribute.String("lcm.target", name))
		}
	})
	l.outcome.span(ctx, t, "outcome", nil)
}

// timed are the targets of a pass whose writes are timed.
func (l *lapses) timed(targets map[string]store.Target) map[string]store.Target {
	out := make(map[string]store.Target, len(targets))
	for name, t := range targets {
		out[name] = timedTarget{t, l.targets[name]}
	}
	return out
}

type timedTarget struct {
	store.Target
	lapse *lapse
}

func (t timedTarget) Apply(ctx context.Context, b store.Batch) error {
	began := time.Now()
	err := t.Target.Apply(ctx, b)
	t.lapse.took(began, err == nil)
	return err
}
