package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// maxStatus bounds how much is read of an answer, in bytes.
const maxStatus = 64 << 20

// Ask asks the daemon on this host that serves a repository for its status. Listen is its address, such
// as ":9090"; one without a host, or for all of them, is asked at the loopback address. Nobody there is
// an error like any other.
func Ask(ctx context.Context, listen, repository string) (*reconcile.Status, error) {
	at, err := address(listen)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+"/status?"+url.Values{"repository": {repository}}.Encode(), nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, // and no proxy
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("it redirects: it is no reconciler") }}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	s, err := read(resp)
	if err == nil && s.Repository != repository {
		err = fmt.Errorf("it serves the repository %.80q, not %q", s.Repository, repository)
	}
	if err != nil {
		return nil, fmt.Errorf("the daemon at %s: %w", at, err)
	}
	return s, nil
}

func read(resp *http.Response) (*reconcile.Status, error) {
	d := json.NewDecoder(io.LimitReader(resp.Body, maxStatus))
	if resp.StatusCode != http.StatusOK {
		var f failure
		if d.Decode(&f) == nil && f.Error != "" {
			return nil, fmt.Errorf("it has no status: %.300s", f.Error)
		}
		return nil, fmt.Errorf("it answers %d", resp.StatusCode)
	}
	s := new(reconcile.Status)
	if err := d.Decode(s); err != nil || s.Schema != reconcile.StatusSchema {
		return nil, errors.New("its answer is no status: it is no reconciler, or one of another version")
	}
	return s, nil
}

// address is where a listener is reached from its own host.
func address(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port), nil
}
