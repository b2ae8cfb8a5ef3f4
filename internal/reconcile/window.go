package reconcile

import (
	"errors"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Window is when changes of some namespaces may be carried out. Several for one namespace add up; where there is none,
// changes are carried out at any time.
type Window struct {
	Namespaces lcm.Pattern
	HoldDrift  bool // while it is closed, what somebody changed by hand is not put right either

	starts   cron.Schedule // as clocks on the wall show it
	zone     *time.Location
	duration time.Duration // as clocks tick
}

// maxWindow is how long a window may stay open.
const maxWindow = 7 * 24 * time.Hour

// NewWindow reads a window: five fields of cron in a time zone ("": UTC) for its beginning, and how long it stays open.
func NewWindow(namespaces lcm.Pattern, schedule, zone string, duration time.Duration) (Window, error) {
	w := Window{Namespaces: namespaces, duration: duration}
	var err error
	if w.zone, err = time.LoadLocation(zone); err != nil || zone == "Local" {
		return w, fmt.Errorf("timeZone %q is not known: write one of the IANA database, such as Europe/Berlin", zone)
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	if w.starts, err = parser.Parse("TZ=UTC " + schedule); err != nil {
		return w, fmt.Errorf("schedule %q: %w", schedule, err)
	}
	switch {
	case w.starts.Next(time.Unix(0, 0).UTC()).IsZero():
		return w, fmt.Errorf("schedule %q never comes: there is no such day", schedule)
	case duration < time.Minute || duration > maxWindow:
		return w, errors.New("duration is from 1m to 7d")
	}
	return w, nil
}

// A beginning is a time on the wall, which on the day when clocks are set may not exist, or come twice. So the schedule
// is worked out on the wall, without any zone, and what it gives is translated: what does not exist is as much later as
// clocks are set forward, and of what comes twice the first one counts.

// at returns when clocks in the zone show a time, given as if it were UTC.
func (w Window) at(wall time.Time) time.Time {
	const day = 24 * time.Hour // a zone sets its clocks once in two days at the most
	before, after := w.offset(wall.Add(-day)), w.offset(wall.Add(day))
	first, second := wall.Add(-max(before, after)), wall.Add(-min(before, after))
	switch {
	case w.wall(first).Equal(wall):
		return first
	case w.wall(second).Equal(wall):
		return second
	}
	return wall.Add(-before)
}

// wall returns what clocks in the zone show at a time, as if it were UTC.
func (w Window) wall(t time.Time) time.Time { return t.UTC().Add(w.offset(t)) }

func (w Window) offset(t time.Time) time.Duration {
	_, seconds := t.In(w.zone).Zone()
	return time.Duration(seconds) * time.Second
}

// shift is more than clocks are ever set by.
const shift = 26 * time.Hour

// state tells whether the window is open, and when it opens next.
func (w Window) state(now time.Time) (open bool, next time.Time) {
	for wall := w.starts.Next(w.wall(now.Add(-w.duration - shift))); !wall.IsZero(); wall = w.starts.Next(wall) {
		start := w.at(wall)
		switch {
		case !start.After(now):
			open = open || now.Before(start.Add(w.duration))
		case next.IsZero() || start.Before(next):
			next = start
		}
		if !next.IsZero() && wall.After(w.wall(next).Add(shift)) {
			break
		}
	}
	return open, next
}
