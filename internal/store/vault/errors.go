package vault

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/llm-config-manager/lcm/internal/store"
)

var (
	errAbsent   = errors.New("vault: it does not exist")
	errAnswer   = errors.New("vault: the answer is not what Vault answers: is something else listening at the address?")
	errTooLarge = errors.New("vault: the answer is larger than the configured limit")
)

// statusError is an answer of Vault other than success. It says what the status means and never
// what Vault wrote, which may quote what it was sent.
type statusError struct{ status int }

func (e *statusError) Error() string {
	return fmt.Sprintf("vault: answered %d: %s", e.status, meaning(e.status))
}

// Is says which statuses are outages: it failed, is sealed, or takes no more just now.
func (e *statusError) Is(target error) bool {
	return target == store.ErrOutage && (e.status >= 500 && e.status != http.StatusNotImplemented || e.status == http.StatusTooManyRequests)
}

func meaning(status int) string {
	switch {
	case status >= 300 && status < 400:
		return "it redirects, which is not followed: give the address of the active node, or of its load balancer"
	case status == http.StatusBadRequest:
		return "it refuses the request"
	case status == http.StatusForbidden:
		return "permission denied: the policy of the login must grant what policy.hcl lists"
	case status == http.StatusNotFound:
		return "nothing is served at this path: check address, mount and namespace"
	case status == http.StatusMethodNotAllowed:
		return "it does not know this operation: KV version 2 with PATCH needs Vault 1.9 or later"
	case status == http.StatusPreconditionFailed:
		return "this node has not yet caught up"
	case status == http.StatusRequestEntityTooLarge:
		return "the value is larger than it accepts"
	case status == http.StatusTooManyRequests:
		return "too many requests: a quota of Vault was met"
	case status == http.StatusServiceUnavailable:
		return "it is sealed or in maintenance"
	case status >= 500:
		return "it failed: its own log says why"
	}
	return "unexpected"
}

func errMount(mount, why string) error {
	return fmt.Errorf("vault: mount %s: a KV engine of version 2 is needed: %s", mount, why)
}

func isStatus(err error, status int) bool {
	var e *statusError
	return errors.As(err, &e) && e.status == status
}

// passing reports whether a read may succeed if it is tried again.
func passing(err error) bool {
	if e := (*statusError)(nil); errors.As(err, &e) {
		return e.status >= 500 && e.status != http.StatusNotImplemented ||
			e.status == http.StatusTooManyRequests || e.status == http.StatusPreconditionFailed
	}
	return errors.Is(err, errConnection)
}

// mismatch is the sentence by which Vault says that check-and-set failed. It has no status of its own.
const mismatch = "check-and-set parameter did not match"

// translate makes the api's errors into ours, without what they quote.
func translate(ctx context.Context, err error) error {
	var answered *api.ResponseError
	var status *statusError
	switch {
	case errors.Is(err, errTooLarge):
		return errTooLarge
	case errors.As(err, &status):
		return status
	case errors.As(err, &answered) && answered.StatusCode == http.StatusBadRequest && says(answered, mismatch):
		return store.ErrConflict
	case answered != nil:
		return &statusError{answered.StatusCode}
	}
	return connection(ctx, err)
}

func says(e *api.ResponseError, sentence string) bool {
	return !e.RawError && strings.Contains(strings.Join(e.Errors, "\n"), sentence)
}

var errConnection = store.Outage("vault: no answer")

// connection names the cause of a failed connection where the cause is known to quote nothing that
// was sent or received.
func connection(ctx context.Context, err error) error {
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", errConnection, context.Cause(ctx))
	case errors.As(err, &certificate): // trying again would not help
		return fmt.Errorf("vault: the server's certificate is not accepted: %w", certificate)
	case errors.As(err, &dial):
		return fmt.Errorf("%w: %w", errConnection, dial)
	}
	return fmt.Errorf("%w: the connection broke", errConnection)
}
