package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/rueidis"

	"github.com/llm-config-manager/lcm/internal/store"
)

var (
	errConnection = errors.New("redis: no answer")
	errNil        = errors.New("redis: nothing stands there")
	errType       = errors.New("redis: something stands there that is no entry of ours: remove it, or move it away")
	errMoving     = errors.New("redis: the Cluster is moving slots or changing its masters: it is tried again")
)

const denied = "redis: permission denied: the user needs all that user.acl grants"

// answerError is an answer of Redis other than success. It says what its code means and never what Redis
// wrote, which quotes what it was sent.
type answerError struct{ code string }

func (e *answerError) Error() string {
	return fmt.Sprintf("redis: answered %s: %s", e.code, meanings(e.code))
}

func meanings(code string) string {
	switch code {
	case "READONLY":
		return "this server is a replica that only reads: give the master's address, or Sentinels that know it"
	case "MISCONF":
		return "it can't write to its disk, and takes nothing until it can: its own log says why"
	case "OOM":
		return "its memory is full: raise maxmemory, or remove something"
	case "NOPERM":
		return "permission denied: the user needs all that user.acl grants"
	case "WRONGPASS", "NOAUTH":
		return "the login is refused: check username and password"
	case "LOADING":
		return "it is still reading its data from disk"
	case "MASTERDOWN":
		return "this server is a replica that has lost its master"
	case "CLUSTERDOWN":
		return "the Cluster is down, or some of its slots are served by nobody"
	case "NOREPLICAS":
		return "fewer replicas are connected than min-replicas-to-write asks for"
	case "BUSY":
		return "a script of somebody else keeps it busy"
	case "TRYAGAIN", "ASK":
		return "the slot is being moved: it is tried again"
	case "MOVED":
		return "it is a node of a Cluster: configure cluster in place of address"
	case "CROSSSLOT":
		return "a namespace must be on one slot: something between rewrites the names of keys"
	case "UNBLOCKED":
		return "the server became a replica meanwhile"
	case "NOPROTO":
		return "it does not know the protocol: Redis 7.0 or newer is needed"
	case "old":
		return "it does not know what is asked of it: Redis 7.0 or newer is needed"
	case "database":
		return "it has no database of that number"
	case "no-cluster":
		return "it is not a node of a Cluster: configure address in place of cluster"
	case "clients":
		return "it takes no further connections (maxclients)"
	}
	return "unexpected: its own log may say why"
}

// code gives the first word of what Redis answered, which is the code of an error, or a word of ours for
// those that have none but ERR.
func code(text string) string {
	for _, known := range []struct{ says, code string }{
		{"ERR unknown command", "old"},
		{"ERR unknown subcommand", "old"},
		{"ERR Error compiling script", "old"},
		{"ERR Unexpected engine in script shebang", "old"},
		{"ERR DB index is out of range", "database"},
		{"ERR SELECT is not allowed in cluster mode", "MOVED"},
		{"ERR This instance has cluster support disabled", "no-cluster"},
		{"ERR max number of clients reached", "clients"},
	} {
		if strings.HasPrefix(text, known.says) {
			return known.code
		}
	}
	word, _, _ := strings.Cut(text, " ")
	if word == "" || len(word) > 32 || strings.ContainsFunc(word, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return "ERR"
	}
	return word
}

func isLogin(err error) bool {
	var e *answerError
	return errors.As(err, &e) && (e.code == "WRONGPASS" || e.code == "NOAUTH")
}

// translate makes the client's errors into ours, without what they quote.
func translate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if rueidis.IsRedisNil(err) {
		return errNil
	}
	if _, ok := rueidis.IsRedisErr(err); ok {
		return translateAnswer(err)
	}
	var ours *answerError
	var unconfirmed *unconfirmedError
	for _, known := range []error{errAnswer, errTooLarge, errMoving, errConnection, store.ErrNotFound, store.ErrConflict} {
		if errors.Is(err, known) {
			return err
		}
	}
	if errors.As(err, &ours) || errors.As(err, &unconfirmed) {
		return err
	}
	return connection(ctx, err)
}

// translateAnswer is translate for what Redis itself says.
func translateAnswer(err error) error {
	e, ok := rueidis.IsRedisErr(err)
	if !ok {
		return translate(context.Background(), err)
	}
	switch c := code(e.Error()); c {
	case "WRONGTYPE":
		return errType
	default:
		return &answerError{c}
	}
}

// connection names the cause of a failed connection where the cause is known to quote nothing that was
// sent or received.
func connection(ctx context.Context, err error) error {
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", errConnection, context.Cause(ctx))
	case errors.As(err, &certificate): // trying again would not help
		return fmt.Errorf("redis: the server's certificate is not accepted: %w", certificate)
	case errors.As(err, &dial):
		return fmt.Errorf("%w: %w", errConnection, dial)
	case errors.Is(err, rueidis.ErrNoSlot):
		return &answerError{"CLUSTERDOWN"}
	case errors.Is(err, rueidis.ErrNoAddr):
		return fmt.Errorf("%w: no Sentinel names a master", errConnection)
	}
	return fmt.Errorf("%w: the connection broke", errConnection)
}
