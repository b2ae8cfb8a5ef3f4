package reconcile

import (
	"context"
	"fmt"

	"github.com/robfig/cron/v3"
)

// Schedule says when passes are made, in robfig/cron's words: "@every 30s" or five fields.
type Schedule struct {
	Passes string // required
	Drift  string // "": drift is never searched for
}

// CheckSchedule reports what is wrong with a schedule.
func CheckSchedule(s string) error {
	_, err := cron.ParseStandard(s)
	return err
}

// Run makes a pass at once and then by the schedule, until ctx ends. Each pass is handed to done. A pass
// that is due while another runs is left out: the next one does its work.
func (r *Reconciler) Run(ctx context.Context, s Schedule, done func(*Report, error)) error {
	passes, drifts := make(chan struct{}, 1), make(chan struct{}, 1)
	c := cron.New()
	if _, err := c.AddFunc(s.Passes, ring(passes)); err != nil {
		return fmt.Errorf("schedule %q: %w", s.Passes, err)
	}
	if s.Drift != "" {
		if _, err := c.AddFunc(s.Drift, ring(drifts)); err != nil {
			return fmt.Errorf("driftSchedule %q: %w", s.Drift, err)
		}
	}
	c.Start()
	defer func() { <-c.Stop().Done() }()
	ring(passes)()
	for {
		var o Options
		select {
		case <-ctx.Done():
			return nil
		case <-drifts:
			o.Everything = true
		case <-passes:
		}
		report, err := r.Pass(ctx, o)
		if ctx.Err() != nil {
			return nil
		}
		done(report, err)
	}
}

// ring returns a function that sets a bell ringing; one that rings already is enough.
func ring(bell chan struct{}) func() {
	return func() {
		select {
		case bell <- struct{}{}:
		default:
		}
	}
}
