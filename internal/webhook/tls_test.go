package webhook

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCertificateIsChanged: a new certificate is shown as soon as it lies there, and one that does not fit its key never is.
func TestCertificateIsChanged(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	writeCertificate(t, cert, key, 1)
	w := newWorld(t, func(c *Config) { c.TLS = &TLS{CertFile: cert, KeyFile: key} })
	if n := shown(t, w); n != 1 {
		t.Error("shown:", n)
	}
	writeCertificate(t, cert, filepath.Join(dir, "other.key"), 2)
	if n := shown(t, w); n != 1 {
		t.Error("with another's key, shown:", n)
	}
	writeCertificate(t, cert, key, 3)
	if n := shown(t, w); n != 3 {
		t.Error("changed, shown:", n)
	}
}

// shown sends a push, and returns the number of the certificate that it was heard under.
func shown(t *testing.T, w *world) int64 {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	req, err := http.NewRequest("POST", strings.Replace(w.url, "http:", "https:", 1)+"/webhook/generic", nil)
	w.check(err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Transport: transport}).Do(req)
	w.check(err)
	w.check(resp.Body.Close())
	if resp.StatusCode != http.StatusAccepted {
		t.Error(resp.Status)
	}
	return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
}

func writeCertificate(t *testing.T, cert, key string, number int64) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(number), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_800_000_000+number, 0) // file systems may not tell times apart that lie close together
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
}
