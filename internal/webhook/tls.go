package webhook

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLS is the certificate that is shown. It is read again when one of its files has changed; until both fit together, the last
// that did is shown.
type TLS struct {
	CertFile, KeyFile string

	mu    sync.Mutex // guards what follows
	of    [2]time.Time
	shown *tls.Certificate
}

// check reads the certificate once.
func (t *TLS) check() error {
	if t == nil {
		return nil
	}
	_, err := t.current()
	return err
}

func (t *TLS) config(log *slog.Logger) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := t.current()
		if err != nil {
			log.Error("the new certificate of the webhook can't be used, the old one stays", "error", err)
		}
		return c, nil
	}}
}

// current is the certificate to show, and why it is not the newest.
func (t *TLS) current() (*tls.Certificate, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var now [2]time.Time
	for i, file := range []string{t.CertFile, t.KeyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return t.shown, err
		}
		now[i] = info.ModTime()
	}
	if t.shown != nil && now == t.of {
		return t.shown, nil
	}
	c, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return t.shown, fmt.Errorf("certificate %s with key %s: %w", t.CertFile, t.KeyFile, err)
	}
	t.of, t.shown = now, &c
	return t.shown, nil
}
