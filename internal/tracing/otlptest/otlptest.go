// Package otlptest is a collector for tests: it takes traces by OTLP, over HTTP and gRPC, as
// opentelemetry.io/docs/specs/otlp says, and keeps the spans.
package otlptest

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // what is sent is compressed
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// Span is a span with what its resource and the request said.
type Span struct {
	*tracepb.Span
	Service       string
	Authorization string // the header of the request
}

// Attribute is an attribute as text; "" if there is none.
func (s Span) Attribute(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			switch v := a.Value.Value.(type) {
			case *commonpb.AnyValue_StringValue:
				return v.StringValue
			case *commonpb.AnyValue_IntValue:
				return strconv.FormatInt(v.IntValue, 10)
			case *commonpb.AnyValue_BoolValue:
				return strconv.FormatBool(v.BoolValue)
			}
			return a.Value.String()
		}
	}
	return ""
}

// Failed reports whether the status of the span is an error.
func (s Span) Failed() bool { return s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR }

// Collector keeps what it is sent.
type Collector struct {
	collector.UnimplementedTraceServiceServer

	mu    sync.Mutex // guards what follows
	spans []Span
}

// Spans are all that came so far, in the order in which they began.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := slices.Clone(c.spans)
	slices.SortStableFunc(out, func(a, b Span) int { return int(int64(a.StartTimeUnixNano) - int64(b.StartTimeUnixNano)) })
	return out
}

// Await waits until a condition on the spans holds, for half a minute at most.
func (c *Collector) Await(t testing.TB, ok func([]Span) bool) []Span {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if spans := c.Spans(); ok(spans) {
			return spans
		}
	}
	t.Fatalf("the awaited spans did not come; there are %d", len(c.Spans()))
	return nil
}

func (c *Collector) take(req *collector.ExportTraceServiceRequest, authorization string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range req.ResourceSpans {
		service := ""
		for _, a := range r.Resource.GetAttributes() {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, s := range r.ScopeSpans {
			for _, span := range s.Spans {
				c.spans = append(c.spans, Span{span, service, authorization})
			}
		}
	}
}

// HTTP serves OTLP over HTTP until the test ends, and returns the URL.
func (c *Collector) HTTP(t testing.TB) string {
	s := httptest.NewServer(c.Handler())
	t.Cleanup(s.Close)
	return s.URL
}

// Handler takes OTLP over HTTP.
func (c *Collector) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) {
		if err := c.receive(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	})
	return mux
}

func (c *Collector) receive(r *http.Request) error {
	if got := r.Header.Get("Content-Type"); got != "application/x-protobuf" {
		return fmt.Errorf("content type %q", got)
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = unzipped
	}
	data, err := io.ReadAll(io.LimitReader(body, 16<<20))
	if err != nil {
		return err
	}
	var req collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(data, &req); err != nil {
		return err
	}
	c.take(&req, r.Header.Get("Authorization"))
	return nil
}

// Export is the one method of OTLP over gRPC.
func (c *Collector) Export(ctx context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	authorization := ""
	if v := md.Get("authorization"); len(v) > 0 {
		authorization = v[0]
	}
	c.take(req, authorization)
	return &collector.ExportTraceServiceResponse{}, nil
}

// GRPC serves OTLP over gRPC until the test ends, and returns the URL.
func (c *Collector) GRPC(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	collector.RegisterTraceServiceServer(s, c)
	go func() { _ = s.Serve(l) }() // until the test ends it
	t.Cleanup(s.Stop)
	return "http://" + l.Addr().String()
}
