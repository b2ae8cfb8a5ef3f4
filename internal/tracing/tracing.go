// Package tracing sends the traces of passes to an OpenTelemetry collector, by OTLP over HTTP or gRPC: all that hold an
// error, and a share of the others. That is decided when a trace has ended. A collector that is slow or
// down delays nobody: what does not fit into a short queue is dropped, and counted.
package tracing

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/credentials"
)

// Config says where traces go. All fields are required unless they say otherwise.
type Config struct {
	Endpoint  string            // http:// or https://, host and port; over HTTP a path too, /v1/traces if it has none
	Protocol  string            // http or grpc
	TLS       *tls.Config       // nil: the system's authorities, and no client certificate
	Headers   map[string]string // sent with every request, to log in; nil: none
	Successes float64           // the share of traces without an error that is sent, from 0 to 1
	Service   string            // service.name of the spans
	Version   string            // service.version
	Instance  string            // service.instance.id: which of several daemons it is
	Log       *slog.Logger
}

// Tracing hands out a tracer. It is safe for concurrent use.
type Tracing struct {
	provider *sdk.TracerProvider
	tail     *tail
	exporter *otlptrace.Exporter
}

// The bounds on one export.
const (
	exportTimeout = 10 * time.Second // of one attempt
	exportRetried = 30 * time.Second // after which what is to be sent is dropped
	closeWithin   = 5 * time.Second
)

// Open checks the configuration. It asks nobody: the first export does.
func Open(cfg Config) (*Tracing, error) {
	client, err := clientOf(cfg)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	exporter := otlptrace.NewUnstarted(client)
	if err := exporter.Start(context.Background()); err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	tail := newTail(exporter.ExportSpans, cfg.Successes, cfg.Log)
	provider := sdk.NewTracerProvider( // everything is said here, so that no variable of the environment says it otherwise
		sdk.WithSampler(sdk.AlwaysSample()),
		sdk.WithRawSpanLimits(sdk.SpanLimits{AttributeValueLengthLimit: 1024, AttributeCountLimit: 64, EventCountLimit: 16, LinkCountLimit: 4, AttributePerEventCountLimit: 16, AttributePerLinkCountLimit: 4}),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", cfg.Service), attribute.String("service.version", cfg.Version), attribute.String("service.instance.id", cfg.Instance))),
		sdk.WithSpanProcessor(tail))
	return &Tracing{provider, tail, exporter}, nil
}

// Tracer returns the tracer of passes.
func (t *Tracing) Tracer() trace.Tracer {
	return t.provider.Tracer("github.com/llm-config-manager/lcm")
}

// Counts returns how many spans were sent to a collector that took them, and how many were to be sent and were dropped.
func (t *Tracing) Counts() map[string]uint64 {
	return map[string]uint64{"sent": t.tail.sent.Load(), "dropped": t.tail.dropped.Load()}
}

// Close sends what is left, for some seconds at most.
func (t *Tracing) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	err := t.provider.Shutdown(ctx)
	if err := t.exporter.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // the collector is down; what it did not take is counted
	}
	return err
}

func clientOf(cfg Config) (otlptrace.Client, error) {
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no URL of a collector, such as https://collector.example.com:4318", cfg.Endpoint)
	}
	if cfg.Headers == nil {
		cfg.Headers = map[string]string{}
	}
	if cfg.TLS == nil {
		cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	switch {
	case cfg.Protocol == "http":
		return overHTTP(cfg, u), nil
	case cfg.Protocol == "grpc" && u.Path != "" && u.Path != "/":
		return nil, fmt.Errorf("%q has a path, which there is not in gRPC", cfg.Endpoint)
	case cfg.Protocol == "grpc":
		return overGRPC(cfg, u), nil
	}
	return nil, fmt.Errorf("%q is neither http nor grpc", cfg.Protocol)
}

func overHTTP(cfg Config, u *url.URL) otlptrace.Client {
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = cfg.TLS
	return otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(u.String()), otlptracehttp.WithHeaders(cfg.Headers), otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
		otlptracehttp.WithTimeout(exportTimeout), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 5 * time.Second, MaxElapsedTime: exportRetried}),
		otlptracehttp.WithHTTPClient(&http.Client{Transport: transport, Timeout: exportTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("it redirects: it is no collector") }}))
}

func overGRPC(cfg Config, u *url.URL) otlptrace.Client {
	security := otlptracegrpc.WithTLSCredentials(credentials.NewTLS(cfg.TLS))
	if u.Scheme == "http" {
		security = otlptracegrpc.WithInsecure()
	}
	return otlptracegrpc.NewClient(otlptracegrpc.WithEndpoint(u.Host), security, otlptracegrpc.WithHeaders(cfg.Headers), otlptracegrpc.WithCompressor("gzip"),
		otlptracegrpc.WithTimeout(exportTimeout), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 5 * time.Second, MaxElapsedTime: exportRetried}))
}
