package health

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/llm-config-manager/lcm/internal/reconcile"
)

func (s *Server) metrics() http.Handler {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newGauges(s.watched, s.measures, s.version))
	registry.MustRegister(s.measures.collectors()...)
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(s.collectors...)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// gauges reads statuses as metrics.
type gauges struct {
	watched  []*watched
	measures *Measures // which learns of projects here
	version  string

	ready, fetched, fetchAge, heartbeatAge, heartbeatStale, accepted, refused, held, heldWhole, drifted, failures, down *prometheus.Desc
	byHand, acceptedAt, failed, waiting, suspensions, fetchStale, passing, leader, term, active, build                  *prometheus.Desc
}

func newGauges(all []*watched, m *Measures, version string) *gauges {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"repository"}, labels...), nil)
	}
	return &gauges{
		watched:        all,
		measures:       m,
		version:        version,
		ready:          describe("reconcile_ready", "1 if /health/ready says so."),
		leader:         describe("reconcile_leader", "1 on the replica that makes passes, 0 on those that wait. Missing: there is one daemon only."),
		term:           describe("reconcile_leader_term", "The number of the term of the leader, as far as this replica knows. Missing: it does not."),
		fetched:        describe("reconcile_last_fetch_timestamp_seconds", "When the repository was last fetched with success. Missing: never."),
		fetchAge:       describe("reconcile_last_fetch_age_seconds", "How long ago that was."),
		heartbeatAge:   describe("reconcile_heartbeat_age_seconds", "How old the newest signed heartbeat is. Missing: none was seen, or none is asked for."),
		heartbeatStale: describe("reconcile_heartbeat_stale", "1 if the heartbeat is too old, missing, or names a commit that the server withholds. Missing: none is asked for."),
		accepted:       describe("reconcile_accepted_revision_info", "1; the revision that is believed.", "branch", "revision"),
		refused:        describe("reconcile_refused", "1 if trust refuses what the branch has."),
		held:           describe("reconcile_held_namespaces", "Namespaces that are held by checks."),
		heldWhole:      describe("reconcile_held_whole", "1 if the settings of the repository can't be used, so that everything is held."),
		drifted:        describe("reconcile_drifted_entries", "Entries that targets hold otherwise than they were put there, and that are not put right yet, or only reported."),
		failures:       describe("reconcile_fetch_failures", "How often in a row the repository could not be fetched. Each makes the next pass later."),
		byHand:         describe("reconcile_accepted_by_hand", "1 if an operator, and not trust, accepted the revision that is believed."),
		acceptedAt:     describe("reconcile_accepted_timestamp_seconds", "When the revision was accepted that is believed."),
		failed:         describe("reconcile_failed_namespaces", "Namespaces that a target did not take.", "target"),
		waiting:        describe("reconcile_waiting_namespaces", "Namespaces whose changes wait.", "reason"),
		suspensions:    describe("reconcile_suspensions", "Suspensions in force, of operators and of lcm.yaml."),
		fetchStale:     describe("reconcile_fetch_stale", "1 if the last successful fetch is too long ago, or there was none."),
		passing:        describe("reconcile_pass_running_seconds", "For how long a pass is being made; 0 if none is."),
		active:         describe("active_configurations", "Entries that targets were given. The namespace is the tenant and the project.", "namespace", "environment"),
		build:          prometheus.NewDesc("lcm_build_info", "1; the version of the program.", []string{"version"}, nil),
		down:           describe("reconcile_target_down", "1 for a target that failed some times in a row and is not asked for a while.", "target"),
	}
}

func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.ready, g.fetched, g.fetchAge, g.heartbeatAge, g.heartbeatStale, g.accepted, g.refused, g.held, g.heldWhole, g.drifted, g.failures, g.down, g.byHand, g.acceptedAt, g.failed, g.waiting, g.suspensions, g.fetchStale, g.passing, g.leader, g.term, g.active, g.build} {
		ch <- d
	}
}

// Collect reads the statuses.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(g.build, prometheus.GaugeValue, 1, g.version)
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
	if r := s.Replica; r != nil {
		set(g.leader, number(r.Role == reconcile.Leader))
		if r.Term > 0 {
			set(g.term, float64(r.Term))
		}
		if r.Role != reconcile.Leader {
			return // the others tell the rest
		}
	}
	set(g.refused, number(s.Refusal != nil))
	set(g.held, float64(len(s.Held)))
	set(g.heldWhole, number(s.HeldWhole != nil))
	set(g.drifted, float64(s.Drift.Open))
	set(g.failures, float64(s.Failures))
	failed := map[string]int{}
	for _, f := range s.Failed {
		for _, target := range f.Targets {
			failed[target]++
		}
	}
	for _, t := range s.Targets {
		set(g.down, number(t.Down), t.Target)
		set(g.failed, float64(failed[t.Target]), t.Target)
	}
	set(g.fetchStale, number(s.Fetch.Stale))
	set(g.suspensions, float64(len(s.Suspensions)))
	waiting := map[string]int{"suspended": 0, "window": 0}
	for _, n := range s.Waiting {
		switch {
		case n.Pause == nil: // the next pass carries them out
		case n.Pause.Window():
			waiting["window"]++
		default:
			waiting["suspended"]++
		}
	}
	for reason, n := range waiting {
		set(g.waiting, float64(n), reason)
	}
	if w.Passing != nil {
		set(g.passing, w.Passing().Seconds())
	}
	g.collectActive(w, set)
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
		set(g.acceptedAt, float64(s.Accepted.Since.UnixMilli())/1000)
		set(g.byHand, number(s.ByHand != nil))
	}
}

// collectActive counts entries, and has the counters made of the projects that it meets.
func (g *gauges) collectActive(w *watched, set func(*prometheus.Desc, float64, ...string)) {
	if w.Active == nil {
		return
	}
	areas, err := w.Active()
	if err != nil {
		return // the state can't be read, which reconcile_ready tells
	}
	for a, n := range areas {
		set(g.active, float64(n), a.Project.String(), a.Environment)
		g.measures.knows(w.Name, a.Project.String())
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
