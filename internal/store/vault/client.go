package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// client sends requests: one login for all, bounded answers, errors that quote nothing of them.
type client struct {
	api     *api.Client
	http    *http.Client
	login   login
	timeout time.Duration
	observe func(operation string, took time.Duration)
}

func newClient(c Config) (*client, error) {
	tlsConfig, err := c.tls()
	if err != nil {
		return nil, err
	}
	httpClient := &http.Client{
		Transport: newTransport(tlsConfig, c.MaxResponseBytes, c.Concurrency),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	// The time limit is set around each request by send: the api's own ends the context before the
	// answer is read.
	a, err := api.NewClient(&api.Config{Address: c.Address, HttpClient: httpClient, DisableRedirects: true, ReadYourWrites: true})
	if err != nil {
		return nil, errors.New("vault: the VAULT_… variables of the environment are unusable: unset them, they count for nothing here")
	}
	// NewClient takes these from the environment.
	a.ClearToken()
	a.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	a.SetWrappingLookupFunc(func(string, string) string { return "" })
	if c.Namespace != "" {
		a.SetNamespace(c.Namespace)
	}
	return &client{api: a, http: httpClient, login: login{static: c.Token, file: c.TokenFile, method: c.method()}, timeout: c.Timeout, observe: c.Observe}, nil
}

func (c *client) close() {
	c.logout()
	c.http.CloseIdleConnections()
}

// request is one call of Vault's API.
type request struct {
	method string
	path   string // below /v1/
	query  url.Values
	body   any // sent as JSON; nil: none
}

// operation is what a request is, as metrics tell it.
func (r request) operation() string {
	switch {
	case strings.HasPrefix(r.path, "auth/"):
		return "login"
	case r.query.Has("list"):
		return "list"
	case r.method == http.MethodGet:
		return "read"
	case r.method == http.MethodDelete:
		return "delete"
	}
	return "write"
}

const maxTries = 3

// read gets path into data. Reading changes nothing, so it is tried again when that may help.
func (c *client) read(ctx context.Context, path string, data any) error {
	return c.retry(ctx, request{method: http.MethodGet, path: path}, data)
}

// list gets the names directly below path.
func (c *client) list(ctx context.Context, path string) ([]string, error) {
	var listing struct {
		Keys *[]string `json:"keys"`
	}
	r := request{method: http.MethodGet, path: path, query: url.Values{"list": {"true"}}}
	if err := c.retry(ctx, r, &listing); err != nil {
		return nil, err
	}
	if listing.Keys == nil {
		return nil, errAnswer
	}
	return *listing.Keys, nil
}

func (c *client) retry(ctx context.Context, r request, data any) (err error) {
	pause := 100 * time.Millisecond
	for try := 1; ; try++ {
		err = c.do(ctx, r, data)
		if err == nil || try == maxTries || !passing(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// write changes something. It is never repeated: nobody knows whether a write that failed was done.
func (c *client) write(ctx context.Context, method, path string, body, data any) error {
	return c.do(ctx, request{method: method, path: path, body: body}, data)
}

// do sends a request under the login. If Vault refuses it because the token is no longer good, do
// logs in once more and repeats it once: a refused request was not carried out.
func (c *client) do(ctx context.Context, r request, data any) error {
	token, err := c.token(ctx)
	if err != nil {
		return err
	}
	err = c.send(ctx, token, r, data)
	if !isStatus(err, http.StatusForbidden) {
		return err
	}
	fresh, ok, loginErr := c.replace(ctx, token)
	switch {
	case loginErr != nil:
		return loginErr
	case !ok:
		return err // the token is good: the policy forbids it
	}
	return c.send(ctx, fresh, r, data)
}

// send sends one request and decodes the data of its answer.
func (c *client) send(ctx context.Context, token string, r request, data any) error {
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	err := c.exchange(ctx, token, r, &answer)
	absent := errors.Is(err, errAbsent) && len(answer.Data) > 0 // KV tells of a deleted version so
	if err != nil && !absent || data == nil {
		return err
	}
	if len(answer.Data) == 0 || json.Unmarshal(answer.Data, data) != nil {
		return errAnswer
	}
	return err
}

// exchange sends one request and decodes its answer. An answer that nobody waits for may be empty.
func (c *client) exchange(ctx context.Context, token string, r request, answer any) error {
	if c.observe != nil {
		defer func(began time.Time) { c.observe(r.operation(), time.Since(began)) }(time.Now())
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.newRequest(token, r)
	if err != nil {
		return err
	}
	//lint:ignore SA1019 the calls that replace it take a 404 with an empty body for success, also on a write
	resp, err := c.api.RawRequestWithContext(ctx, req)
	if resp != nil && resp.Body != nil {
		defer resp.Body.Close()
	}
	if err != nil && (resp == nil || resp.StatusCode != http.StatusNotFound) {
		return translate(ctx, err)
	}
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return translate(ctx, err)
	case resp.StatusCode == http.StatusNotFound:
		return notFound(body, answer)
	case len(body) > 0 && json.Unmarshal(body, answer) != nil:
		return errAnswer
	}
	return nil
}

// notFound tells the 404 by which Vault says that something does not exist from all others: that
// one has an empty list of errors, or data on a deleted version.
func notFound(body []byte, answer any) error {
	var says struct {
		Errors *[]string       `json:"errors"`
		Data   json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &says) != nil || says.Errors == nil && len(says.Data) == 0 ||
		says.Errors != nil && len(*says.Errors) > 0 || json.Unmarshal(body, answer) != nil {
		return &statusError{http.StatusNotFound}
	}
	return errAbsent
}

func (c *client) newRequest(token string, r request) (*api.Request, error) {
	req := c.api.NewRequest(r.method, "/v1/"+r.path)
	req.ClientToken = token
	for k, v := range r.query {
		req.Params[k] = v
	}
	if r.method == http.MethodPatch {
		req.Headers.Set("Content-Type", "application/merge-patch+json")
	}
	if r.body == nil {
		return req, nil
	}
	body, err := json.Marshal(r.body)
	if err != nil {
		return nil, fmt.Errorf("vault: encoding a request to %s failed", r.path)
	}
	req.BodyBytes = body
	return req, nil
}
