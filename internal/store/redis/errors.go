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

// fault is an error that is told as it is.
type fault string

func (f fault) Error() string { return string(f) }

// Is says which of them are outages.
func (f fault) Is(target error) bool {
	return target == store.ErrOutage && (f == errConnection || f == errMoving || f == errCrowded)
}

const (
	errConnection = fault("redis: no answer")
	errNil        = fault("redis: nothing stands there")
	errType       = fault("redis: something stands there that is no entry of ours: remove it, or move it away")
	errOld        = fault("redis: it does not know what is asked of it: Redis 7.0 or newer is needed")
	errNoCluster  = fault("redis: it is not a node of a Cluster: configure server in place of cluster")
	errMoving     = fault("redis: the Cluster is moving slots or changing its masters: it is tried again")
	errCrowded    = fault("redis: it takes no further connections (maxclients)")
	errDenied     = fault("redis: permission denied: the user needs all that user.acl grants")
)

// answerError is an answer of Redis other than success. It says what its code means and never what Redis
// wrote, which quotes what it was sent.
type answerError struct{ code string }

func (e *answerError) Error() string {
	means, ok := meanings[e.code]
	if !ok {
		return "redis: it refuses what is asked of it: its own log may say why"
	}
	return fmt.Sprintf("redis: answered %s: %s", e.code, means)
}

// Is says which codes are outages: it can't do what is asked of it just now, whatever that is.
func (e *answerError) Is(target error) bool {
	switch e.code {
	case "READONLY", "MISCONF", "OOM", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "BUSY", "TRYAGAIN", "UNBLOCKED":
		return target == store.ErrOutage
	}
	return false
}

// meanings are those of the codes that Redis' errors begin with.
var meanings = map[string]string{
	"READONLY":    "this server is a replica that only reads: give the master's address, or Sentinels that know it",
	"MISCONF":     "it can't write to its disk, and takes nothing until it can: its own log says why",
	"OOM":         "its memory is full: raise maxmemory, or remove something",
	"NOPERM":      "permission denied: the user needs all that user.acl grants",
	"WRONGPASS":   "the login is refused: check username and password",
	"NOAUTH":      "a login is needed: configure login",
	"LOADING":     "it is still reading its data from disk",
	"MASTERDOWN":  "this server is a replica that has lost its master",
	"CLUSTERDOWN": "the Cluster is down, or some of its slots are served by nobody",
	"NOREPLICAS":  "fewer replicas are connected than min-replicas-to-write asks for",
	"BUSY":        "a script of somebody else keeps it busy",
	"TRYAGAIN":    "the slot is being moved: it is tried again",
	"ASK":         "the slot is being moved: it is tried again",
	"MOVED":       "it is a node of a Cluster: configure cluster in place of server",
	"CROSSSLOT":   "a namespace must be on one slot: something between rewrites the names of keys",
	"UNBLOCKED":   "the server became a replica meanwhile",
	"NOPROTO":     "it does not know the protocol: Redis 7.0 or newer is needed",
}

// sentences are how Redis begins the errors without a code of their own; the client takes their ERR away.
var sentences = map[string]error{
	"unknown command":                            errOld,
	"unknown subcommand":                         errOld,
	"Error compiling script":                     errOld,
	"Unexpected engine in script shebang":        errOld,
	"DB index is out of range":                   fault("redis: it has no database of that number"),
	"SELECT is not allowed in cluster mode":      &answerError{"MOVED"},
	"This instance has cluster support disabled": errNoCluster,
	"max number of clients reached":              errCrowded,
	"WAITAOF cannot be used when numlocal is set but appendonly is disabled": fault("redis: it keeps no append-only file: set appendonly yes"),
}

// meaning makes an error of what Redis answered, which it does not quote.
func meaning(text string) error {
	text = strings.TrimPrefix(text, "ERR ")
	for begins, err := range sentences {
		if strings.HasPrefix(text, begins) {
			return err
		}
	}
	code, _, _ := strings.Cut(text, " ")
	if code == "WRONGTYPE" {
		return errType
	}
	if _, ok := meanings[code]; !ok {
		code = "ERR"
	}
	return &answerError{code}
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
	if isOurs(err) {
		return err
	}
	return connection(ctx, err)
}

// isOurs reports whether an error was made here, and quotes nothing.
func isOurs(err error) bool {
	var f fault
	var answer *answerError
	return errors.As(err, &f) || errors.As(err, &answer)
}

// translateAnswer is translate for what Redis itself says.
func translateAnswer(err error) error {
	e, ok := rueidis.IsRedisErr(err)
	if !ok {
		return translate(context.Background(), err)
	}
	return meaning(e.Error())
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
