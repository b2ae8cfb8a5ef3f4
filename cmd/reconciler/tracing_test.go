package main

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"maps"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/tracing/otlptest"
)

// TestTracingOverTLS: the collector must be vouched for by the authority that is configured, and is shown the client's
// certificate.
func TestTracingOverTLS(t *testing.T) {
	c := &otlptest.Collector{}
	s := httptest.NewUnstartedServer(c.Handler())
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	defer s.Close()
	own, key := writePEM(t, "CERTIFICATE", s.Certificate().Raw), writePEM(t, "PRIVATE KEY", keyOf(t, s))
	missing := writePEM(t, "CERTIFICATE", selfSigned(t))
	for name, authority := range map[string]string{"right": own, "another": missing} {
		all := 1.0
		cfg := &tracingConfig{Successes: &all}
		cfg.OTLP.Endpoint = s.URL
		cfg.OTLP.TLS = &targetTLS{CACertFile: authority, ClientCertFile: own, ClientKeyFile: key}
		if err := cfg.complete("/"); err != nil {
			t.Fatal(err)
		}
		tr, err := cfg.open(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		_, span := tr.Tracer().Start(t.Context(), name)
		span.End()
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}
	if spans := c.Spans(); len(spans) != 1 || spans[0].Name != "right" {
		t.Errorf("%d spans came", len(spans))
	}
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func keyOf(t *testing.T, s *httptest.Server) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// selfSigned is the certificate of an authority that vouches for nobody.
func selfSigned(t *testing.T) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(nil, x, x, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestReadHeaders(t *testing.T) {
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "headers")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	got, err := readHeaders(write("Authorization: Bearer canary\n\nX-Scope-OrgID:acme\n"))
	if want := map[string]string{"authorization": "Bearer canary", "x-scope-orgid": "acme"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"canary", "a b: canary", "A: canary\x01", "A:", ": canary"} {
		if _, err := readHeaders(write(text)); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
