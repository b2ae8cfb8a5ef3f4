package health

import "github.com/prometheus/client_golang/prometheus"

// Counted is a counter of another part of the daemon, which counts by the values of one label itself. Those are bounded, and all there from the start.
func Counted(name, help, label string, counts func() map[string]uint64) prometheus.Collector {
	return counted{prometheus.NewDesc(name, help, []string{label}, nil), counts}
}

type counted struct {
	desc   *prometheus.Desc
	counts func() map[string]uint64
}

func (c counted) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c counted) Collect(ch chan<- prometheus.Metric) {
	for value, n := range c.counts() {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(n), value)
	}
}
