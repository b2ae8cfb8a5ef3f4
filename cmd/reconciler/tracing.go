package main

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/llm-config-manager/lcm/internal/tracing"
)

// tracingConfig says where traces of passes are sent.
type tracingConfig struct {
	OTLP struct {
		Endpoint    string     `json:"endpoint"`
		Protocol    string     `json:"protocol"`
		TLS         *targetTLS `json:"tls"`
		HeadersFile string     `json:"headersFile"`
	} `json:"otlp"`
	Successes *float64 `json:"successes"`
}

// complete makes paths absolute, fills in defaults, and sees to it that no credential crosses a network in the clear.
func (t *tracingConfig) complete(dir string) error {
	if t == nil {
		return nil
	}
	o := &t.OTLP
	o.HeadersFile = absolute(dir, o.HeadersFile)
	if o.TLS != nil {
		o.TLS.complete(dir)
	}
	if o.Protocol == "" {
		o.Protocol = "http"
	}
	if t.Successes == nil {
		t.Successes = new(float64)
		*t.Successes = 0.1
	}
	u, err := url.Parse(o.Endpoint)
	switch {
	case err != nil || u.Host == "":
		return below(wrong("endpoint", "%q is no URL of a collector: give one such as https://collector.example.com:4318", o.Endpoint), "otlp")
	case u.Scheme == "http" && o.TLS != nil:
		return below(wrong("endpoint", "it is http, and tls is configured: make it https, or remove tls"), "otlp")
	case u.Scheme == "http" && o.HeadersFile != "" && !loopback(u.Hostname()):
		return below(wrong("headersFile", "it would be sent in the clear: make the endpoint https"), "otlp")
	case o.Protocol == "grpc" && strings.Trim(u.Path, "/") != "":
		return below(wrong("endpoint", "there is no path in gRPC: give scheme, host and port alone"), "otlp")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// open opens the way to the collector; nil if none is configured.
func (t *tracingConfig) open(log *slog.Logger) (*tracing.Tracing, error) {
	if t == nil {
		return nil, nil
	}
	cfg := tracing.Config{Endpoint: t.OTLP.Endpoint, Protocol: t.OTLP.Protocol, Successes: *t.Successes, Service: "reconciler", Version: version(), Log: log}
	var err error
	if cfg.TLS, err = t.OTLP.TLS.config(); err != nil {
		return nil, configErrorf("tracing.otlp.tls: %v", err)
	}
	if cfg.Headers, err = readHeaders(t.OTLP.HeadersFile); err != nil {
		return nil, configErrorf("tracing.otlp.headersFile: %v", err)
	}
	if cfg.Instance, err = os.Hostname(); err != nil {
		return nil, err
	}
	return tracing.Open(cfg)
}

var header = regexp.MustCompile(`^([A-Za-z0-9-]{1,100}): *([ -~]*[!-~])$`)

// readHeaders reads a file with a line "Name: value" for each header.
func readHeaders(file string) (map[string]string, error) {
	out := map[string]string{}
	if file == "" {
		return out, nil
	}
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	n := 0
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		if n++; strings.TrimSpace(s.Text()) == "" {
			continue
		}
		m := header.FindStringSubmatch(s.Text())
		if m == nil { // what stands there is not told: it is a credential
			return nil, fmt.Errorf("line %d of %s is not a header, as in Authorization: Bearer …", n, file)
		}
		out[strings.ToLower(m[1])] = m[2]
	}
	return out, nil
}
