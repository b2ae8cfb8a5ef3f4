package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/llm-config-manager/lcm/internal/store"
)

var (
	errConnection = store.Outage("etcd: no answer")
	errLeaderless = store.Outage("etcd: it has no leader: more than half of its members must be up and reach each other")
	errLogin      = errors.New("etcd: login refused: the username or the password is wrong")
	errTooLarge   = errors.New("etcd: the answer is larger than the limit")
	errAnswer     = errors.New("etcd: the answer is not what etcd answers: is something else listening at the endpoint?")
	errCompacted  = errors.New("etcd: the revision that was being read was compacted meanwhile")
)

// meanings says what etcd's own errors mean and what to do. Its words are not passed on, since nobody knows
// what a server between quotes.
var meanings = []struct {
	is  []error
	say error
}{
	{[]error{rpctypes.ErrNoLeader, rpctypes.ErrLeaderChanged, rpctypes.ErrNotLeader, rpctypes.ErrTimeoutDueToLeaderFail, rpctypes.ErrUnhealthy}, errLeaderless},
	{[]error{rpctypes.ErrTimeout, rpctypes.ErrTimeoutDueToConnectionLost, rpctypes.ErrTimeoutWaitAppliedIndex, rpctypes.ErrStopped},
		fmt.Errorf("%w: it gave the request up: its members are too slow, stopping, or can't reach each other", errConnection)},
	{[]error{rpctypes.ErrAuthFailed}, errLogin},
	{[]error{rpctypes.ErrUserEmpty}, errors.New("etcd: it demands a login: configure login, or a client certificate whose common name is a user of it")},
	{[]error{rpctypes.ErrInvalidAuthToken, rpctypes.ErrAuthOldRevision}, errors.New("etcd: the login has run out and could not be renewed: users or roles are being changed just now")},
	{[]error{rpctypes.ErrPermissionDenied}, errors.New("etcd: permission denied: the role of the user must grant readwrite on the prefix")},
	{[]error{rpctypes.ErrNoSpace}, store.Outage("etcd: its space quota is used up (alarm NOSPACE), so it takes no writes: compact, defragment, then etcdctl alarm disarm")},
	{[]error{rpctypes.ErrCorrupt}, errors.New("etcd: its members disagree (alarm CORRUPT): see its documentation on data corruption")},
	{[]error{rpctypes.ErrRequestTooLarge}, errors.New("etcd: the request is larger than it takes: set maxRequestBytes of the target to its --max-request-bytes")},
	{[]error{rpctypes.ErrTooManyOps}, errors.New("etcd: the transaction has more operations than it takes: set maxTxnOps of the target to its --max-txn-ops")},
	{[]error{rpctypes.ErrTooManyRequests}, store.Outage("etcd: it has too many requests to carry out")},
	{[]error{rpctypes.ErrCompacted}, errCompacted},
}

// translate makes the client's errors into ours.
func translate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errConnection, context.Cause(ctx))
	}
	err = rpctypes.Error(err)
	for _, m := range meanings {
		for _, e := range m.is {
			if errors.Is(err, e) {
				return m.say
			}
		}
	}
	return answer(err)
}

// answer tells of what is no error of etcd's own: the connection, or a limit of it.
func answer(err error) error {
	code := status.Code(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), code == codes.DeadlineExceeded:
		return fmt.Errorf("%w within the timeout", errConnection)
	case code == codes.ResourceExhausted:
		return errTooLarge
	case code == codes.Unavailable, code == codes.Canceled:
		return fmt.Errorf("%w: %s", errConnection, cause(status.Convert(err).Message()))
	case code == codes.Unimplemented:
		return errors.New("etcd: it does not know the request: is something else listening at the endpoint?")
	}
	return fmt.Errorf("etcd: it failed (%s): its own log says why", code)
}

// cause takes from a message of the connection what it says of dialling and of certificates. Any other message
// may come from a server, and may quote what it was sent.
func cause(message string) string {
	for _, mark := range []string{"authentication handshake failed: ", "error reading server preface: ", "Error while dialing: "} {
		_, after, found := strings.Cut(message, mark)
		if !found || !strings.Contains(message, "connection error: desc = ") {
			continue
		}
		after = strings.TrimSuffix(after, `"`)
		if len(after) > 300 || strings.ContainsFunc(after, func(r rune) bool { return !unicode.IsPrint(r) }) {
			break
		}
		return after
	}
	return "the connection broke"
}

// passing reports whether a read may succeed if it is tried again.
func passing(err error) bool {
	return errors.Is(err, errConnection) || errors.Is(err, errLeaderless)
}
