// Package webhook hears from forges, and from anybody who has the token, that something was pushed, and has the reconciler look at
// once. A webhook only says when to look: what is believed is for signatures to say, so that the worst that a
// forged one could do is one more fetch.
//
//	POST <path>/github    a push of GitHub's, signed with HMAC-SHA256 in X-Hub-Signature-256
//	POST <path>/generic   Authorization: Bearer <token>; {"repository": …, "branch": …}, both optional
//
// Every answer is one of a Result. What was meant for a repository is answered before the pass begins.
package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
)

// Config says who is heard, and what for.
type Config struct {
	Path          string // what the addresses begin with; "": /webhook
	GitHub        string // a file of secrets, one a line, each of which counts; "": GitHub is not heard
	Generic       string // a file of tokens, likewise; "": nobody else is heard
	MaxBody       int64  // in bytes; 0: 2 MiB
	RatePerMinute int    // deliveries that are taken, and wrong ones of one address; 0: 120
	TLS           *TLS   // nil: plain HTTP
	Repositories  []Repository
	Log           *slog.Logger // nil: no log
}

// Repository is one that pushes are meant for.
type Repository struct {
	Name   string   // its own
	Forge  []string // its names at forges, as owner/name, in any case
	Branch string
	Poke   func() // has the reconciler look soon; it returns at once
}

// Result is what became of a delivery.
type Result string

// The results, and what they are answered with.
const (
	Accepted  Result = "accepted"  // 202: a pass will be made
	Ping      Result = "ping"      // 200
	Ignored   Result = "ignored"   // 204: an event, a branch or a repository that nobody waits for
	Malformed Result = "malformed" // 400
	Denied    Result = "denied"    // 401: no signature or token, or a wrong one
	Method    Result = "method"    // 405
	Oversized Result = "oversized" // 413
	Limited   Result = "limited"   // 429
	Failed    Result = "failed"    // 503: the file of secrets can't be read
)

// answers are the status and the text of each result.
var answers = map[Result]struct {
	status int
	text   string
}{
	Accepted:  {http.StatusAccepted, "a pass will be made"},
	Ping:      {http.StatusOK, "heard"},
	Ignored:   {http.StatusNoContent, ""},
	Malformed: {http.StatusBadRequest, "this is no push: see the documentation of the webhook for its form"},
	Denied:    {http.StatusUnauthorized, "the signature or the token is missing or wrong: compare the secret here and there"},
	Method:    {http.StatusMethodNotAllowed, "only POST is answered here"},
	Oversized: {http.StatusRequestEntityTooLarge, "the body is larger than webhook.maxBodyBytes"},
	Limited:   {http.StatusTooManyRequests, "more than webhook.ratePerMinute: wait"},
	Failed:    {http.StatusServiceUnavailable, "the secrets can't be read here: the daemon's log says why"},
}

// Server hears.
type Server struct {
	Config
	taken   *limit // deliveries that are genuine
	wrong   *limits
	counts  map[Result]*atomic.Uint64
	handler http.Handler
}

// WithDefaults fills in what zero values stand for.
func (cfg Config) WithDefaults() Config {
	if cfg.Path = strings.TrimSuffix(cfg.Path, "/"); cfg.Path == "" {
		cfg.Path = "/webhook"
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 2 << 20
	}
	if cfg.RatePerMinute == 0 {
		cfg.RatePerMinute = 120
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// New returns a server that listens nowhere yet. It reads the files once, so that a wrong one is told at the start.
func New(cfg Config) (*Server, error) {
	cfg = cfg.WithDefaults()
	s := &Server{Config: cfg, taken: newLimit(cfg.RatePerMinute), wrong: newLimits(cfg.RatePerMinute), counts: map[Result]*atomic.Uint64{}}
	for r := range answers {
		s.counts[r] = new(atomic.Uint64)
	}
	mux := http.NewServeMux()
	for _, d := range []door{{"github", cfg.GitHub, signed, gitHubPush}, {"generic", cfg.Generic, bears, genericPush}} {
		if d.secrets == "" {
			continue
		}
		if _, err := readSecrets(d.secrets); err != nil {
			return nil, err
		}
		mux.HandleFunc(cfg.Path+"/"+d.name, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, d) })
	}
	s.handler = mux
	return s, s.TLS.check()
}

// Counts returns how many deliveries had which result, since the start.
func (s *Server) Counts() map[string]uint64 {
	out := map[string]uint64{}
	for r, n := range s.counts {
		out[string(r)] = n.Load()
	}
	return out
}

// door is one way in.
type door struct {
	name    string
	secrets string // a file
	genuine func(h http.Header, body []byte, secret string) bool
	read    func(h http.Header, body []byte) (push, Result)
}

// push is what a delivery tells of. "" stands for any repository, or the branch that is followed.
type push struct {
	repository string // as this daemon names it
	forge      string // as the forge names it
	branch     string
}

// answer is the one place that counts, logs and answers.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, d door) {
	result := s.hear(w, r, d)
	s.counts[result].Add(1)
	level := slog.LevelInfo
	if result == Ignored || result == Limited {
		level = slog.LevelDebug // anybody can make any number of them
	}
	s.Log.Log(r.Context(), level, "webhook", "at", d.name, "result", string(result), "from", r.RemoteAddr, "delivery", brief(r.Header.Get("X-GitHub-Delivery")))
	a := answers[result]
	switch result {
	case Method:
		w.Header().Set("Allow", http.MethodPost)
	case Denied:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case Limited:
		w.Header().Set("Retry-After", strconv.Itoa(s.taken.seconds()))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	if a.text != "" {
		_, _ = io.WriteString(w, a.text+"\n") // whoever asked may be gone
	}
}

// brief is what a header may add to a line of the log.
func brief(s string) string { return s[:min(len(s), 64)] }

// hear says what becomes of a delivery. Nothing is parsed before it is known to be genuine.
func (s *Server) hear(w http.ResponseWriter, r *http.Request, d door) Result {
	if r.Method != http.MethodPost {
		return Method
	}
	from := source(r.RemoteAddr)
	if s.wrong.exhausted(from) {
		return Limited
	}
	body, result := s.body(w, r)
	if result == "" {
		result = d.refuse(r.Header, body, s.Log)
	}
	if result != "" {
		s.wrong.take(from)
		return result
	}
	if !s.taken.take() {
		return Limited
	}
	p, result := d.read(r.Header, body)
	if result != Accepted {
		return result
	}
	return s.poke(p)
}

// body reads the body within the limit. Who does not send it in time has none.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, Result) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.MaxBody))
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, Oversized
	} else if err != nil {
		return nil, Malformed
	}
	return body, ""
}

// refuse says why a delivery is not genuine by any of the secrets, as the file has them now; "" if it is.
func (d door) refuse(h http.Header, body []byte, log *slog.Logger) Result {
	secrets, err := readSecrets(d.secrets)
	if err != nil {
		log.Error("webhooks are refused", "error", err)
		return Failed
	}
	for _, secret := range secrets {
		if d.genuine(h, body, secret) {
			return ""
		}
	}
	return Denied
}

// poke has those look whom a push is meant for.
func (s *Server) poke(p push) Result {
	result := Ignored
	for _, r := range s.Repositories {
		if r.meant(p) {
			r.Poke()
			result = Accepted
		}
	}
	return result
}

func (r Repository) meant(p push) bool {
	if p.branch != "" && p.branch != r.Branch || p.repository != "" && p.repository != r.Name {
		return false
	}
	if p.forge == "" {
		return true
	}
	for _, name := range r.Forge {
		if strings.EqualFold(name, p.forge) {
			return true
		}
	}
	return false
}

// The limits on who sends.
const (
	maxHeader      = 16 << 10
	maxConnections = 64
	headerWithin   = 5 * time.Second
	bodyWithin     = 10 * time.Second // with the header
	shutdownWithin = 5 * time.Second
)

// Serve hears on a listener, and closes it, until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	l = netutil.LimitListener(l, maxConnections)
	if s.TLS != nil {
		l = tls.NewListener(l, s.TLS.config(s.Log))
	}
	server := &http.Server{Handler: s.handler, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: headerWithin, ReadTimeout: bodyWithin, WriteTimeout: bodyWithin + 5*time.Second, IdleTimeout: 30 * time.Second}
	stopped := make(chan error, 1)
	defer context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
		defer cancel()
		err := server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close() // who is still sending has had their time
		}
		stopped <- err
	})()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
