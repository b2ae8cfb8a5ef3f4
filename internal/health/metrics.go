package health

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// passes are the metrics that are counted; all others are read from the status when somebody asks.
type passes struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	drift   *prometheus.CounterVec
}

func newPasses() *passes {
	return &passes{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "reconcile_passes_total", Help: "Passes, by how they went."}, []string{"repository", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "reconcile_pass_duration_seconds", Help: "How long the passes took that could be made.",
			Buckets: prometheus.ExponentialBuckets(0.005, 3, 11)}, []string{"repository"}),
		drift: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "reconcile_drift_total",
			Help: "Entries that a target was found to hold otherwise than they were put there, each time that a pass found them."}, []string{"repository", "target", "kind"}),
	}
}

// begin makes the counters of a repository: one that does not exist yet cannot be alarmed on.
func (p *passes) begin(repository string) {
	for _, r := range reconcile.Results() {
		p.total.WithLabelValues(repository, string(r))
	}
	p.seconds.WithLabelValues(repository)
}

// Passed counts a pass. How long it took does not matter for one that could not be made.
func (s *Server) Passed(repository string, r reconcile.Result, took time.Duration) {
	s.passes.total.WithLabelValues(repository, string(r)).Inc()
	if took > 0 {
		s.passes.seconds.WithLabelValues(repository).Observe(took.Seconds())
	}
}

// Drifted counts what a pass found changed in the targets.
func (s *Server) Drifted(repository string, found reconcile.DriftCount) {
	for target, kinds := range found {
		for kind, n := range kinds {
			s.passes.drift.WithLabelValues(repository, target, string(kind)).Add(float64(n))
		}
	}
}

func (s *Server) metrics() http.Handler {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(s.passes.total, s.passes.seconds, s.passes.drift, newGauges(s.watched))
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(s.collectors...)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// gauges reads statuses as metrics.
type gauges struct {
	watched []*watched

	ready, fetched, fetchAge, heartbeatAge, heartbeatStale, accepted, refused, held, drifted, failures, down *prometheus.Desc
}

func newGauges(all []*watched) *gauges {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"repository"}, labels...), nil)
	}
	return &gauges{
		watched:        all,
		ready:          describe("reconcile_ready", "1 if /health/ready says so."),
		fetched:        describe("reconcile_last_fetch_timestamp_seconds", "When the repository was last fetched with success. Missing: never."),
		fetchAge:       describe("reconcile_last_fetch_age_seconds", "How long ago that was."),
		heartbeatAge:   describe("reconcile_heartbeat_age_seconds", "How old the newest signed heartbeat is. Missing: none was seen, or none is asked for."),
		heartbeatStale: describe("reconcile_heartbeat_stale", "1 if the heartbeat is too old, missing, or names a commit that the server withholds. Missing: none is asked for."),
		accepted:       describe("reconcile_accepted_revision_info", "1; the revision that is believed.", "branch", "revision"),
		refused:        describe("reconcile_refused", "1 if trust refuses what the branch has."),
		held:           describe("reconcile_held_namespaces", "Namespaces that are held by checks."),
		drifted:        describe("reconcile_drifted_entries", "Entries that targets hold otherwise than they were put there, and that are not put right yet, or only reported."),
		failures:       describe("reconcile_fetch_failures", "How often in a row the repository could not be fetched. Each makes the next pass later."),
		down:           describe("reconcile_target_down", "1 for a target that failed some times in a row and is not asked for a while.", "target"),
	}
}

func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.ready, g.fetched, g.fetchAge, g.heartbeatAge, g.heartbeatStale, g.accepted, g.refused, g.held, g.drifted, g.failures, g.down} {
		ch <- d
	}
}

// Collect reads the statuses.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	for _, w := range g.watched {
		g.collect(ch, w)
	}
}

// collect reads one status. While there is none, all that is told is that the repository is not ready.
func (g *gauges) collect(ch chan<- prometheus.Metric, w *watched) {
	set := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{w.Name}, labels...)...)
	}
	s, err := w.now()
	if err != nil {
		set(g.ready, 0)
		return
	}
	set(g.ready, number(s.Ready))
	set(g.refused, number(s.Refusal != nil))
	set(g.held, float64(len(s.Held)))
	set(g.drifted, float64(s.Drift.Open))
	set(g.failures, float64(s.Failures))
	for _, t := range s.Targets {
		set(g.down, number(t.Down), t.Target)
	}
	if s.Fetch.At != nil {
		set(g.fetched, float64(s.Fetch.At.UnixMilli())/1000)
		set(g.fetchAge, *s.Fetch.Age)
	}
	if h := s.Heartbeat; h != nil {
		set(g.heartbeatStale, number(h.Stale))
		if h.Age != nil {
			set(g.heartbeatAge, *h.Age)
		}
	}
	if s.Accepted != nil {
		set(g.accepted, 1, s.Branch, string(s.Accepted.Revision))
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
