package health

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// reloads are the metrics of how the configuration was last read.
func reloads(last func() *reconcile.StatusReload) []prometheus.Collector {
	if last == nil {
		return nil
	}
	gauge := func(name, help string, value func(*reconcile.StatusReload) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(last()) })
	}
	return []prometheus.Collector{
		gauge("reconcile_config_reload_success", "Whether the last reload of the configuration, or the start, succeeded.", func(r *reconcile.StatusReload) float64 { return flag(r.Success) }),
		gauge("reconcile_config_reload_timestamp_seconds", "When the configuration was last reloaded, or tried to be.", func(r *reconcile.StatusReload) float64 { return float64(r.At.UnixNano()) / 1e9 }),
	}
}

func flag(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
