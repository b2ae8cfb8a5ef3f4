package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/llm-config-manager/lcm/internal/tracing/otlptest"
)

func openFor(t *testing.T, cfg Config) *Tracing {
	t.Helper()
	cfg.Service, cfg.Version, cfg.Instance, cfg.Log = "reconciler", "test", "host", slog.New(slog.DiscardHandler)
	tr, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// pass makes a trace of a root with some stages, of which the last may fail.
func pass(tracer trace.Tracer, stages int, fail bool) trace.TraceID {
	ctx, root := tracer.Start(context.Background(), "pass")
	defer root.End()
	for i := range stages {
		_, span := tracer.Start(ctx, fmt.Sprint("stage", i))
		if fail && i == stages-1 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
	return root.SpanContext().TraceID()
}

func TestOverHTTPAndGRPC(t *testing.T) {
	for _, protocol := range []string{"http", "grpc"} {
		t.Run(protocol, func(t *testing.T) {
			c := &otlptest.Collector{}
			endpoint := map[string]func(testing.TB) string{"http": c.HTTP, "grpc": c.GRPC}[protocol](t)
			tr := openFor(t, Config{Endpoint: endpoint, Protocol: protocol, Headers: map[string]string{"authorization": "Bearer canary"}, Successes: 1})
			pass(tr.Tracer(), 3, false)
			if err := tr.Close(); err != nil {
				t.Fatal(err)
			}
			spans := c.Spans()
			if len(spans) != 4 {
				t.Fatalf("%d spans, want 4", len(spans))
			}
			root := spans[0]
			if root.Name != "pass" || len(root.ParentSpanId) != 0 || root.Service != "reconciler" || root.Authorization != "Bearer canary" || root.Failed() {
				t.Errorf("the root is %v, of service %q, sent with %q", root.Span, root.Service, root.Authorization)
			}
			for i, s := range spans[1:] {
				if s.Name != fmt.Sprint("stage", i) || string(s.ParentSpanId) != string(root.SpanId) || string(s.TraceId) != string(root.TraceId) {
					t.Errorf("span %d: %v", i, s.Span)
				}
			}
			if n := tr.Counts(); n["sent"] != 4 || n["dropped"] != 0 {
				t.Error(n)
			}
		})
	}
}

// TestSampling: all traces with an error are sent whole, and about one in ten of the others, chosen by their ids.
func TestSampling(t *testing.T) {
	c := &otlptest.Collector{}
	tr := openFor(t, Config{Endpoint: c.HTTP(t), Protocol: "http", Successes: 0.1})
	const traces = 1000
	want := map[string]bool{}
	for i := range traces {
		fail := i%20 == 0
		if id := pass(tr.Tracer(), 2, fail); fail || sampled(id, 0.1) {
			want[string(id[:])] = true
		}
		if i%25 == 0 {
			if err := tr.tail.ForceFlush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, s := range c.Spans() {
		got[string(s.TraceId)]++
	}
	for id, n := range got {
		if n != 3 || !want[id] {
			t.Errorf("trace %x: %d spans, wanted: %t", id, n, want[id])
		}
	}
	if len(got) != len(want) || len(want) < 50+50 || len(want) > 50+170 { // 50 with errors, and 950/10 give or take eight deviations
		t.Errorf("%d traces, want %d", len(got), len(want))
	}
}

// TestCollectorDown: whoever makes spans never waits, and what is lost is counted.
func TestCollectorDown(t *testing.T) {
	release := make(chan struct{})
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer hung.Close()
	defer close(release)
	tr := openFor(t, Config{Endpoint: hung.URL, Protocol: "http", Successes: 1})
	const traces = 10 * maxQueued
	done := make(chan struct{})
	go func() {
		for range traces {
			pass(tr.Tracer(), 1, true)
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(exportTimeout / 2): // one export alone would take longer
		t.Fatal("making spans waits for the collector")
	}
	if n := tr.Counts(); n["dropped"] < 2*(traces-maxQueued-2) {
		t.Error(n)
	}
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	if n := tr.Counts(); n["sent"] != 0 || n["dropped"] != 2*traces {
		t.Errorf("%v of %d", n, 2*traces)
	}
}

// TestBounds: a trace that never ends, or is too long, keeps a bounded number of spans.
func TestBounds(t *testing.T) {
	var exported int
	tail := newTail(func(_ context.Context, s []sdk.ReadOnlySpan) error { exported += len(s); return nil }, 1, slog.New(slog.DiscardHandler))
	p := sdk.NewTracerProvider(sdk.WithSampler(sdk.AlwaysSample()), sdk.WithSpanProcessor(tail))
	tracer := p.Tracer("test")
	pass(tracer, maxSpans+5, false)
	for range maxOpen + 5 {
		tracer.Start(t.Context(), "pass", trace.WithNewRoot()) // which never ends
	}
	pass(tracer, 1, false) // and finds no room
	if len(tail.open) != maxOpen {
		t.Errorf("%d traces are open", len(tail.open))
	}
	if err := tail.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if exported != maxSpans+1 || tail.dropped.Load() != 5+2 {
		t.Errorf("exported %d spans, dropped %d", exported, tail.dropped.Load())
	}
}

func TestRecovers(t *testing.T) {
	down := true
	tail := newTail(func(context.Context, []sdk.ReadOnlySpan) error {
		if down {
			return errors.New("down")
		}
		return nil
	}, 1, slog.New(slog.DiscardHandler))
	tracer := sdk.NewTracerProvider(sdk.WithSpanProcessor(tail)).Tracer("test")
	pass(tracer, 1, false)
	for tail.dropped.Load() != 2 {
		time.Sleep(time.Millisecond)
	}
	down = false
	pass(tracer, 1, false)
	if err := tail.Shutdown(t.Context()); err != nil || tail.sent.Load() != 2 {
		t.Errorf("%v, sent %d", err, tail.sent.Load())
	}
}

func TestRefusesConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no URL":      {Endpoint: "localhost:4318", Protocol: "http"},
		"no host":     {Endpoint: "http://", Protocol: "http"},
		"a path":      {Endpoint: "http://localhost:4317/v1/traces", Protocol: "grpc"},
		"no protocol": {Endpoint: "http://localhost:4317"},
	} {
		if _, err := Open(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
