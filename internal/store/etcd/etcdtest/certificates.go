package etcdtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificates are the PEM files of a Cluster with TLS.
type Certificates struct {
	CAFile                        string // of the authority that vouches for members and clients
	serverCertFile, serverKeyFile string

	folder string
	ca     *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newCertificates(t testing.TB) Certificates {
	c := Certificates{folder: t.TempDir(), key: newKey(t)}
	c.ca = template("etcdtest")
	c.ca.IsCA, c.ca.BasicConstraintsValid, c.ca.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, c.ca, c.ca, c.key.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	c.CAFile = c.write(t, "ca.pem", "CERTIFICATE", der)
	c.serverCertFile, c.serverKeyFile = c.issue(t, "server", func(x *x509.Certificate) {
		x.IPAddresses, x.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost", "etcd.example.com"}
	})
	return c
}

// ClientCert issues a certificate for a user, whose name is its common name.
func (c Certificates) ClientCert(t testing.TB, user string) (certFile, keyFile string) {
	t.Helper()
	return c.issue(t, user, func(*x509.Certificate) {})
}

func (c Certificates) issue(t testing.TB, name string, change func(*x509.Certificate)) (certFile, keyFile string) {
	t.Helper()
	key, x := newKey(t), template(name)
	change(x)
	der, err := x509.CreateCertificate(rand.Reader, x, c.ca, key.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return c.write(t, name+".pem", "CERTIFICATE", der), c.write(t, name+".key", "EC PRIVATE KEY", secret)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func (c Certificates) write(t testing.TB, name, kind string, der []byte) string {
	file := filepath.Join(c.folder, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// operatorTLS is for the user root.
func (c Certificates) operatorTLS(t testing.TB) *tls.Config {
	pair, err := tls.LoadX509KeyPair(c.ClientCert(t, "root"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if text, err := os.ReadFile(c.CAFile); err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatalf("etcdtest: %s: %v", c.CAFile, err)
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}
