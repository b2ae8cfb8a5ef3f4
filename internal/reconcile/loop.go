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
	due := make(chan Options, 1)
	// A regular pass that finds one waiting is that one; a search for drift waits for its turn.
	pass := func() {
		select {
		case due <- Options{}:
		default:
		}
	}
	drift := func() {
		select {
		case due <- Options{Everything: true}:
		case <-ctx.Done():
		}
	}
	c := cron.New()
	if _, err := c.AddFunc(s.Passes, pass); err != nil {
		return fmt.Errorf("schedule %q: %w", s.Passes, err)
	}
	if s.Drift != "" {
		if _, err := c.AddFunc(s.Drift, drift); err != nil {
			return fmt.Errorf("driftSchedule %q: %w", s.Drift, err)
		}
	}
	c.Start()
	defer func() { <-c.Stop().Done() }()
	pass()
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-due:
			report, err := r.Pass(ctx, o)
			if ctx.Err() != nil {
				return nil
			}
			done(report, err)
		}
	}
}
