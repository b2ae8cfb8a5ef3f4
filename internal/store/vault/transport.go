package vault

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"
)

// transport refuses answers that are no answers: redirects, which the api would take for success
// and which could lead a token elsewhere, and bodies beyond a limit.
type transport struct {
	next  *http.Transport
	limit int64
}

func newTransport(t *tls.Config, limit int64, connections int) *transport {
	return &transport{
		next: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:     t,
			TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: connections,
			IdleConnTimeout:     time.Minute,
			ForceAttemptHTTP2:   true,
		},
		limit: limit,
	}
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		resp.Body.Close()
		return nil, &statusError{resp.StatusCode}
	}
	resp.Body = &limitedBody{body: resp.Body, left: t.limit}
	return resp, nil
}

func (t *transport) CloseIdleConnections() { t.next.CloseIdleConnections() }

// limitedBody fails where io.LimitReader would pretend that the body had ended.
type limitedBody struct {
	body io.ReadCloser
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

func (b *limitedBody) Close() error { return b.body.Close() }
