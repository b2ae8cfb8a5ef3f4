package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

func (t *targetTLS) complete(dir string) {
	for _, p := range []*string{&t.CACertFile, &t.ClientCertFile, &t.ClientKeyFile} {
		*p = absolute(dir, *p)
	}
}

// config reads the files; nil without TLS. The client certificate is read anew for each connection, so that one which is about
// to run out can be replaced.
func (t *targetTLS) config() (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CACertFile != "" {
		pem, err := readFile(t.CACertFile)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no PEM certificate", t.CACertFile)
		}
	}
	if t.ClientCertFile == "" {
		return c, nil
	}
	load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(t.ClientCertFile, t.ClientKeyFile)
		return &pair, err
	}
	c.GetClientCertificate = load
	_, err := load(nil)
	return c, err
}
