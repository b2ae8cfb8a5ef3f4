// Package health tells those who watch the daemon how it stands, over HTTP: Prometheus, a load balancer's
// or Kubernetes' probes, and `reconciler status`.
//
//	/health/live    the process serves
//	/health/ready   what it serves can be relied on: fetched lately, no alarm, the state readable; or why not
//	/status         lcm.status/v1; of a daemon that serves several repositories lcm.repositories/v1, and ?repository=NAME asks for one
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

// Config says what is told. Repositories and Log are required.
type Config struct {
	Repositories []Repository
	Log          *slog.Logger
	Measures     *Measures                      // what is counted; nil: nothing is
	Version      string                         // of the program
	Reloaded     func() *reconcile.StatusReload // how the configuration was last read; nil: not told
	Collectors   []prometheus.Collector         // metrics of other parts of the daemon; their labels must be bounded
}

// Repository is one that the daemon serves.
type Repository struct {
	Name    string                                 // in the label of every metric
	Status  func() (*reconcile.Status, error)      // called at any time, from any goroutine
	Active  func() (map[reconcile.Area]int, error) // the same; nil: what is active is not told
	Passing func() time.Duration                   // for how long a pass is being made; nil: that is not told
}

// Server answers those who watch.
type Server struct {
	log        *slog.Logger
	watched    []*watched
	measures   *Measures
	version    string
	collectors []prometheus.Collector
	handler    http.Handler
}

// watched is a repository and what was last said of it.
type watched struct {
	Repository

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
	s := &Server{log: cfg.Log, measures: cfg.Measures, version: cfg.Version, collectors: append(cfg.Collectors, reloads(cfg.Reloaded)...)}
	for _, r := range cfg.Repositories {
		s.watched = append(s.watched, &watched{Repository: r})
	}
	if s.measures == nil {
		s.measures = NewMeasures()
	}
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
	server := &http.Server{Handler: s.handler, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
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
func (w *watched) now() (*reconcile.Status, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last.at.IsZero() || time.Since(w.last.at) >= remembered {
		status, err := w.Status()
		w.last = answer{time.Now(), status, err}
	}
	return w.last.status, w.last.err
}

func (s *Server) live(w http.ResponseWriter, _ *http.Request) {
	s.tell(w, http.StatusOK, map[string]bool{"live": true})
}

// readiness is the answer of /health/ready.
type readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"`
}

// ready is that all repositories are.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	answer := readiness{Ready: true, Reasons: []string{}}
	for _, r := range s.watched {
		whose := ""
		if len(s.watched) > 1 {
			whose = r.Name + ": "
		}
		for _, why := range r.unready() {
			answer = readiness{false, append(answer.Reasons, whose+why)}
		}
	}
	code := http.StatusOK
	if !answer.Ready {
		code = http.StatusServiceUnavailable
	}
	s.tell(w, code, answer)
}

// unready says why a repository is not ready; nothing if it is.
func (w *watched) unready() []string {
	status, err := w.now()
	switch {
	case err != nil:
		return []string{"the state cannot be read: " + err.Error()}
	case !status.Ready:
		return status.NotReady
	}
	return nil
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("repository")
	if name == "" && len(s.watched) > 1 {
		all := reconcile.NewDocuments()
		for _, r := range s.watched {
			status, err := r.now()
			all.Add(r.Name, status, err)
		}
		s.tell(w, http.StatusOK, all)
		return
	}
	for _, r := range s.watched {
		if name == "" || r.Name == name {
			s.tellOne(w, r)
			return
		}
	}
	s.tell(w, http.StatusNotFound, failure{"this daemon does not serve such a repository"})
}

func (s *Server) tellOne(w http.ResponseWriter, r *watched) {
	status, err := r.now()
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
		s.log.Debug("answering", "error", err) // whoever asked has gone
	}
}
