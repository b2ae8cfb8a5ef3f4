package health

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Measures are the metrics that are counted as things happen; all others are read from the status when somebody asks. What they
// are counted by is known beforehand wherever that can be, and then they exist from the start: one that does
// not exist yet cannot be alarmed on. It is safe for concurrent use.
type Measures struct {
	passes, drift, operations, events *prometheus.CounterVec
	seconds, policies, vault          *prometheus.HistogramVec
}

// NewMeasures makes the metrics of a daemon that serves some repositories.
func NewMeasures(repositories ...string) *Measures {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &Measures{
		passes:     counter("reconcile_passes_total", "Passes, by how they went.", "repository", "result"),
		drift:      counter("reconcile_drift_total", "Entries that a target was found to hold otherwise than they were put there, each time that a pass found them.", "repository", "target", "kind"),
		operations: counter("config_operations_total", "Entries that were to be created, updated, deleted, or marked anew in a target. The namespace is the tenant and the project.", "repository", "operation", "namespace", "status"),
		events:     counter("reconcile_events_total", "What happened.", "repository", "event"),
		seconds:    histogram("reconcile_pass_duration_seconds", "How long the passes took that could be made.", prometheus.ExponentialBuckets(0.005, 3, 11), "repository"),
		policies:   histogram("policy_evaluation_duration_seconds", "How long the policies took for one document.", prometheus.ExponentialBuckets(0.00001, 4, 10), "repository", "result"),
		vault:      histogram("vault_latency_seconds", "How long Vault took to answer one request, or not to.", prometheus.ExponentialBuckets(0.001, 2.5, 12), "target", "operation"),
	}
	for _, r := range repositories {
		m.begin(r)
	}
	return m
}

func (m *Measures) begin(repository string) {
	for _, r := range reconcile.Results() {
		m.passes.WithLabelValues(repository, string(r))
	}
	for _, k := range reconcile.EventKinds() {
		m.events.WithLabelValues(repository, string(k))
	}
	for _, result := range []string{allowed, denied} {
		m.policies.WithLabelValues(repository, result)
	}
	m.seconds.WithLabelValues(repository)
}

func (m *Measures) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.passes, m.drift, m.operations, m.events, m.seconds, m.policies, m.vault}
}

// What policies say of a document.
const (
	allowed = "allowed"
	denied  = "denied"
)

// Passed counts a pass. Of one that could not be made there is no report.
func (m *Measures) Passed(repository string, r *reconcile.Report) {
	if r == nil {
		m.passes.WithLabelValues(repository, string(reconcile.ResultFailed)).Inc()
		return
	}
	m.passes.WithLabelValues(repository, string(r.Result())).Inc()
	m.seconds.WithLabelValues(repository).Observe(r.Took.Seconds())
	for target, kinds := range r.Drifted {
		for kind, n := range kinds {
			m.drift.WithLabelValues(repository, target, string(kind)).Add(float64(n))
		}
	}
	for o, n := range r.Operations {
		m.operation(repository, o.Project.String(), o.Action, o.Failed).Add(float64(n))
	}
}

func (m *Measures) operation(repository, project string, a store.Action, failed bool) prometheus.Counter {
	status := "applied"
	if failed {
		status = "failed"
	}
	return m.operations.WithLabelValues(repository, string(a), project, status)
}

// knows makes the counters of a project.
func (m *Measures) knows(repository, project string) {
	for _, a := range []store.Action{store.Create, store.Update, store.Delete, store.Remark} {
		m.operation(repository, project, a, false)
		m.operation(repository, project, a, true)
	}
}

// Happened counts an event.
func (m *Measures) Happened(e reconcile.Event) {
	m.events.WithLabelValues(e.Repository, string(e.Event)).Inc()
}

// Evaluated returns what counts the evaluations of policies for a repository.
func (m *Measures) Evaluated(repository string) func(took time.Duration, refused bool) {
	no, yes := m.policies.WithLabelValues(repository, allowed), m.policies.WithLabelValues(repository, denied)
	return func(took time.Duration, refused bool) {
		if refused {
			yes.Observe(took.Seconds())
		} else {
			no.Observe(took.Seconds())
		}
	}
}

// Vault returns what counts the requests to a target that is a Vault.
func (m *Measures) Vault(target string) func(operation string, took time.Duration) {
	for _, o := range []string{"read", "list", "write", "delete", "login"} {
		m.vault.WithLabelValues(target, o)
	}
	return func(operation string, took time.Duration) {
		m.vault.WithLabelValues(target, operation).Observe(took.Seconds())
	}
}
