package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// windowConfig is a maintenance window.
type windowConfig struct {
	Namespaces string `json:"namespaces"`
	Schedule   string `json:"schedule"`
	TimeZone   string `json:"timeZone"`
	Duration   string `json:"duration"`
	Drift      string `json:"drift"`
}

// completeWindows reads what the schema leaves as text.
func (c *daemonConfig) completeWindows() error {
	var errs []error
	for i, w := range c.Windows {
		read, err := w.read()
		errs = append(errs, below(err, "windows", strconv.Itoa(i)))
		c.windows = append(c.windows, read)
	}
	return errors.Join(errs...)
}

func (w windowConfig) read() (reconcile.Window, error) {
	pattern, err := lcm.ParsePattern(w.Namespaces)
	if err != nil {
		return reconcile.Window{}, below(err, "namespaces")
	}
	d, err := lcm.ParseDuration(w.Duration)
	if err != nil {
		return reconcile.Window{}, below(err, "duration")
	}
	out, err := reconcile.NewWindow(pattern, w.Schedule, w.TimeZone, d)
	if err != nil { // it begins with the setting
		setting, _, _ := strings.Cut(err.Error(), " ")
		return out, below(err, setting)
	}
	out.HoldDrift = w.Drift == "hold"
	return out, nil
}
