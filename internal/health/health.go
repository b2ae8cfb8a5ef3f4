// Package health tells those who watch the daemon how it stands, over HTTP: Prometheus, a load balancer's
// or Kubernetes' probes, and `reconciler status`.
//
//	/health/live    the process serves
//	/health/ready   what it serves can be relied on: fetched lately, no alarm, the state readable; or why not
//	/status         lcm.status/v1
//	/metrics        Prometheus
//
// Nobody logs in here and nothing can be changed. No value of a document is in any answer.
package health

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"

	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// Config says what is told. All fields are required but Collectors.
type Config struct {
	Repository string                            // its name, in the label of every metric
	Status     func() (*reconcile.Status, error) // called at any time, from any goroutine
	Log        *slog.Logger
	Collectors []prometheus.Collector // metrics of other parts of the daemon; their labels must be bounded
}

// Server answers those who watch.
type Server struct {
	Config
	passes  *passes
	handler http.Handler

	mu   sync.Mutex // guards what follows
	last answer
}

// answer is what Status said, and when.
type answer struct {
	at     time.Time
	status *reconcile.Status
	err    error
}

// New returns a server, which listens nowhere yet.
func New(cfg Config) *Server {
	s := &Server{Config: cfg, passes: newPasses(cfg.Repository)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/live", s.live)
	mux.HandleFunc("GET /health/ready", s.ready)
	mux.HandleFunc("GET /status", s.status)
	mux.Handle("GET /metrics", s.metrics())
	s.handler = http.MaxBytesHandler(mux, maxBody)
	return s
}

// The limits on who asks. Nobody has a reason to send a body.
const (
	maxBody        = 1 << 10
	maxHeader      = 16 << 10
	maxConnections = 64
	remembered     = time.Second // a status is told again for that long, so that asking costs little
	shutdownWithin = 5 * time.Second
)

// Serve answers on a listener, and closes it, until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: s.handler, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	stopped := make(chan error, 1)
	defer context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
		defer cancel()
		err := server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close() // who is still reading has had their time
		}
		stopped <- err
	})()
	if err := server.Serve(netutil.LimitListener(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// now returns the status, at most a second old.
func (s *Server) now() (*reconcile.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.at.IsZero() || time.Since(s.last.at) >= remembered {
		status, err := s.Status()
		s.last = answer{time.Now(), status, err}
	}
	return s.last.status, s.last.err
}

func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	s.tell(w, http.StatusOK, map[string]bool{"live": true})
}

// readiness is the answer of /health/ready.
type readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"`
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	status, err := s.now()
	switch {
	case err != nil:
		s.tell(w, http.StatusServiceUnavailable, readiness{Reasons: []string{"the state cannot be read: " + err.Error()}})
	case !status.Ready:
		s.tell(w, http.StatusServiceUnavailable, readiness{Reasons: status.NotReady})
	default:
		s.tell(w, http.StatusOK, readiness{Ready: true, Reasons: []string{}})
	}
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	status, err := s.now()
	if err != nil {
		s.tell(w, http.StatusServiceUnavailable, failure{err.Error()})
		return
	}
	s.tell(w, http.StatusOK, status)
}

// failure is what is told where there is no status.
type failure struct {
	Error string `json:"error"`
}

func (s *Server) tell(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.Log.Debug("answering", "error", err) // whoever asked has gone
	}
}
