package etcd

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// client sends requests: one login for all, bounded answers and times, errors that quote nothing of them.
type client struct {
	config  clientv3.Config // without the password
	login   func() (string, error)
	timeout time.Duration
	pause   time.Duration // before a read is tried again; it doubles
	holds   time.Duration // that a refused login is not tried again with the same password

	mu      sync.Mutex // held while logging in: one login for all that wait
	api     *clientv3.Client
	end     context.CancelFunc // of api
	closed  bool
	refused refusal
}

// refusal is the last login that etcd refused. It is not tried again at once: many namespaces are written at a time,
// and etcd takes long to compare a password.
type refusal struct {
	password string
	at       time.Time
}

const (
	maxTries     = 5 // of a read: it outlasts the election of a leader
	firstPause   = 200 * time.Millisecond
	refusalHolds = 5 * time.Second
	messageSlack = 512 << 10 // what a message may have beyond the request in it, as etcd has it
	minReceive   = 16 << 20
)

func newClient(c Config) (*client, error) {
	tlsConfig, err := c.tls()
	if err != nil {
		return nil, err
	}
	e := &client{timeout: c.Timeout, pause: firstPause, holds: refusalHolds, config: clientv3.Config{
		Endpoints:            c.Endpoints,
		TLS:                  tlsConfig,
		Username:             c.Username,
		DialTimeout:          c.Timeout, // of a login
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,
		MaxCallSendMsgSize:   int(c.MaxRequestBytes) + messageSlack,
		MaxCallRecvMsgSize:   max(minReceive, int(2*c.MaxRequestBytes)+messageSlack), // a value and its mark
		MaxUnaryRetries:      2,                                                      // the second is for a login that has run out
		Logger:               zap.NewNop(),
		DialOptions:          dialOptions(c),
	}}
	if c.Username != "" {
		e.login = c.password
	}
	return e, nil
}

// dialOptions make a connection that fails when it can't be made, with the cause, and that is soon made again: the
// client would wait for the time limit, and up to two minutes between its attempts.
func dialOptions(c Config) []grpc.DialOption {
	failFast := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return invoke(ctx, method, req, reply, cc, append(opts, grpc.WaitForReady(false))...)
	}
	options := []grpc.DialOption{
		grpc.WithUserAgent("lcm-reconciler"),
		grpc.WithChainUnaryInterceptor(failFast),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: c.Timeout,
		}),
	}
	if c.TLS != nil && c.TLS.ServerName != "" { // of tls.Config it is not taken
		options = append(options, grpc.WithAuthority(c.TLS.ServerName))
	}
	return options
}

// connected returns the connection, which is made, and logged in for, if there is none. Only a login asks
// anything of etcd.
func (c *client) connected(ctx context.Context) (*clientv3.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.New("etcd: closed")
	}
	if c.api != nil {
		return c.api, nil
	}
	config := c.config
	if c.login != nil {
		password, err := c.login()
		if err != nil {
			return nil, err
		}
		if password == c.refused.password && time.Since(c.refused.at) < c.holds {
			return nil, errLogin
		}
		config.Password = password
	}
	return c.connect(ctx, config)
}

// connect makes the connection. c.mu is held.
func (c *client) connect(ctx context.Context, config clientv3.Config) (_ *clientv3.Client, err error) {
	life, end := context.WithCancel(context.Background())
	keep := context.AfterFunc(ctx, end) // a login ends with the caller, a connection does not
	config.Context = life
	api, err := clientv3.New(config)
	if err == nil && !keep() {
		_ = api.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		end()
		err = translate(ctx, err)
		if errors.Is(err, errLogin) {
			c.refused = refusal{config.Password, time.Now()}
		}
		return nil, err
	}
	c.api, c.end = api, end
	return api, nil
}

// drop closes a connection whose login is not accepted any more, so that the next use reads the password anew.
func (c *client) drop(api *clientv3.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.api != api {
		return // somebody else was faster
	}
	_ = api.Close()
	c.end()
	c.api = nil
}

func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.api == nil {
		return
	}
	_ = c.api.Close()
	c.end()
	c.api = nil
}

// read asks something. Reading changes nothing, so it is tried again when that may help, if the first answer did
// not take all the time there is.
func (c *client) read(ctx context.Context, ask func(context.Context, *clientv3.Client) error) (err error) {
	pause, until := c.pause, time.Now().Add(c.timeout)
	for try := 1; ; try++ {
		err = c.do(ctx, ask)
		if err == nil || try == maxTries || !passing(err) || time.Now().After(until) {
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

// do sends one request. It is never repeated here if etcd may have carried it out: a login that is refused
// is made anew, once, and only what came with it is sent again.
func (c *client) do(ctx context.Context, ask func(context.Context, *clientv3.Client) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	for again := false; ; again = true {
		api, err := c.connected(ctx)
		if err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), c.timeout)
		err = ask(bounded, api)
		cancel()
		if c.login == nil || again || !errors.Is(err, rpctypes.ErrAuthFailed) {
			return translate(ctx, err)
		}
		c.drop(api)
	}
}
