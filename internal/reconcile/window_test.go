package reconcile

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
)

func newWindow(t *testing.T, schedule, zone string, duration time.Duration) Window {
	t.Helper()
	w, err := NewWindow(lcm.MustPattern("*/*/*/production"), schedule, zone, duration)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A window is walked through minute by minute; wanted are the times at which it opens and closes.
func TestWindows(t *testing.T) {
	for _, c := range []struct {
		name, schedule, zone string
		duration             time.Duration
		from, to             string
		want                 string
	}{
		{"over midnight, not on Friday", "0 22 * * 1-4", "Europe/Berlin", 6 * time.Hour, "2026-01-08T12:00:00Z", "2026-01-13T12:00:00Z",
			"+08T21:00Z -09T03:00Z +12T21:00Z -13T03:00Z"},
		{"UTC unless said", "30 4 * * *", "", time.Hour, "2026-01-08T00:00:00Z", "2026-01-09T00:00:00Z", "+08T04:30Z -08T05:30Z"},
		{"one second before it is closed", "0 0 1 * *", "UTC", time.Minute, "2026-02-01T00:00:00Z", "2026-02-01T00:05:00Z", "+01T00:00Z -01T00:01Z"},
		{"two overlap", "0 0,1 * * *", "UTC", 90 * time.Minute, "2026-02-01T12:00:00Z", "2026-02-02T12:00:00Z", "+02T00:00Z -02T02:30Z"},
		{"as long as there is no gap", "0 * * * *", "UTC", time.Hour, "2026-02-01T12:00:00Z", "2026-02-01T18:00:00Z", "+01T12:00Z"},
		// Clocks in Berlin go from 02:00 to 03:00 at 01:00 UTC on 29 March 2026, and from 03:00 back to 02:00 at 01:00 UTC on 25 October.
		{"open while clocks are set forward", "0 22 * * *", "Europe/Berlin", 6 * time.Hour, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", "+28T21:00Z -29T03:00Z"},
		{"open while clocks are set back", "0 22 * * *", "Europe/Berlin", 6 * time.Hour, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", "+24T20:00Z -25T02:00Z"},
		{"the beginning does not exist", "30 2 * * *", "Europe/Berlin", time.Hour, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", "+29T01:30Z -29T02:30Z +30T00:30Z -30T01:30Z"},
		{"the beginning comes twice", "30 2 * * *", "Europe/Berlin", 30 * time.Minute, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", "+25T00:30Z -25T01:00Z +26T01:30Z -26T02:00Z"},
		{"midnight does not exist", "0 0 * * *", "America/Santiago", time.Hour, "2026-09-05T12:00:00Z", "2026-09-07T12:00:00Z", "+06T04:00Z -06T05:00Z +07T03:00Z -07T04:00Z"},
		{"clocks are set by half an hour", "15 2 * * *", "Australia/Lord_Howe", time.Hour, "2026-10-03T00:00:00Z", "2026-10-04T20:00:00Z", "+03T15:45Z -03T16:45Z +04T15:15Z -04T16:15Z"},
		{"a day that does not exist", "0 12 30 12 *", "Pacific/Apia", time.Hour, "2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z", "+30T22:00Z -30T23:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWindow(t, c.schedule, c.zone, c.duration)
			at, to := moment(t, c.from), moment(t, c.to)
			var got []string
			was, opens := false, time.Time{}
			for ; at.Before(to); at = at.Add(time.Minute) {
				open, next := w.state(at)
				if !next.After(at) {
					t.Fatalf("at %s it opens next at %s", at, next)
				}
				if open && !was && !opens.IsZero() && !opens.Equal(at) {
					t.Errorf("it opens at %s, and was to open at %s", at, opens)
				}
				if open != was {
					got = append(got, map[bool]string{true: "+", false: "-"}[open]+at.Format("02T15:04Z"))
				}
				was, opens = open, next
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%s, want %s", s, c.want)
			}
		})
	}
}

func moment(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestNoWindow(t *testing.T) {
	for _, c := range []struct {
		schedule, zone string
		duration       time.Duration
		want           string
	}{
		{"0 22 * *", "UTC", time.Hour, "schedule"},
		{"@every 1h", "UTC", time.Hour, "schedule"},
		{"@daily", "UTC", time.Hour, "schedule"},
		{"0 0 31 2 *", "UTC", time.Hour, "never comes"},
		{"0 0 * * *", "Berlin", time.Hour, "timeZone"},
		{"0 0 * * *", "Local", time.Hour, "timeZone"},
		{"TZ=Europe/Berlin 0 0 * * *", "UTC", time.Hour, "schedule"},
		{"0 0 * * *", "UTC", time.Second, "duration"},
		{"0 0 * * *", "UTC", 8 * 24 * time.Hour, "duration"},
	} {
		if _, err := NewWindow(lcm.MustPattern("**"), c.schedule, c.zone, c.duration); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in %q: %v, want %s", c.schedule, c.zone, err, c.want)
		}
	}
}

// Changes wait for a window of theirs, and those of other namespaces do not.
func TestChangesWaitForWindow(t *testing.T) {
	w := newWorld(t, both("1"))
	w.pass(Options{})
	w.r.Windows = []Window{newWindow(t, "0 22 * * *", "UTC", time.Hour), newWindow(t, "0 6 * * *", "UTC", time.Hour)}
	w.commit("two", both("2"))
	r := w.pass(Options{}) // at 03:04
	w.waits(r, "acme/shop/chat/production 1 */*/*/production ")
	w.serves("1", "2")
	if at := r.Waiting[0].Pause.Opens; !at.Equal(moment(t, "2026-01-02T06:00:00Z")) {
		t.Errorf("it opens at %s", at)
	}
	w.now = moment(t, "2026-01-02T05:59:59Z")
	w.waits(w.pass(Options{}), "acme/shop/chat/production 1 */*/*/production ")
	w.now = moment(t, "2026-01-02T06:00:00Z")
	w.waits(w.pass(Options{}), "")
	w.serves("2", "2")
	w.commit("three", both("3"))
	w.waits(w.pass(Options{}), "")
	w.serves("3", "3")
	w.now = moment(t, "2026-01-02T07:00:00Z")
	w.commit("four", both("4"))
	w.waits(w.pass(Options{}), "acme/shop/chat/production 1 */*/*/production ")
	w.now = moment(t, "2026-01-02T22:30:00Z")
	w.suspend("**") // a window is no reason to write where it is suspended
	w.waits(w.pass(Options{}), "acme/shop/chat/production 1 ** audit")
	w.resume("**")
	w.waits(w.pass(Options{}), "")
	w.serves("4", "4")
}

// An exception is recorded, and is one: of its pass, of its namespaces, and of windows alone.
func TestDespiteWindows(t *testing.T) {
	w := newWorld(t, both("1"))
	w.pass(Options{})
	w.r.Windows = []Window{newWindow(t, "0 22 * * *", "UTC", time.Hour)}
	w.commit("two", both("2"))
	why := []state.Exception{{Namespaces: "other/**", Reason: "leaked key", By: "root"}}
	w.waits(w.pass(Options{Despite: why}), "acme/shop/chat/production 1 */*/*/production ")
	why[0].Namespaces = "acme/**"
	w.waits(w.pass(Options{Despite: why, DryRun: true}), "")
	w.serves("1", "2")
	if e, _, err := w.r.State.Exception(); err != nil || e.Namespaces != "other/**" {
		t.Errorf("%+v %v", e, err)
	}
	w.suspend("acme/shop/**")
	w.waits(w.pass(Options{Despite: why}), "acme/shop/chat/production 1 acme/shop/** audit")
	w.resume("acme/shop/**")
	w.waits(w.pass(Options{Despite: why}), "")
	w.serves("2", "2")
	if e, ok, err := w.r.State.Exception(); err != nil || !ok || e.Namespaces != "acme/**" || e.Revision != w.head || e.At != w.now || e.By != "root" || e.Reason != "leaked key" {
		t.Errorf("%+v %v", e, err)
	}
	w.commit("three", both("3"))
	w.waits(w.pass(Options{}), "acme/shop/chat/production 1 */*/*/production ")
}

// While a window is closed, what somebody changed by hand is put right, to what was there before: unless it is said
// that this waits, too.
func TestDriftOutsideWindow(t *testing.T) {
	w := newWorld(t, both("1"))
	w.pass(Options{})
	w.r.Windows = []Window{newWindow(t, "0 22 * * *", "UTC", time.Hour)}
	w.edit("runtime", "acme/shop/chat/production/greeting", byHand[state.DriftValue])
	r := w.pass(Options{Everything: true})
	w.waits(r, "")
	w.serves("1", "1")
	w.commit("two", both("2"))
	w.pass(Options{})
	w.edit("runtime", "acme/shop/chat/production/greeting", byHand[state.DriftMissing])
	r = w.pass(Options{Everything: true})
	w.waits(r, "acme/shop/chat/production 1 */*/*/production ")
	w.serves("1", "2")
	if len(r.Drift) != 1 || r.Drift[0].Corrected.IsZero() {
		t.Errorf("%+v", r.Drift)
	}
	w.r.Windows[0].HoldDrift = true
	w.edit("runtime", "acme/shop/chat/production/greeting", byHand[state.DriftMissing])
	r = w.pass(Options{Everything: true})
	w.waits(r, "acme/shop/chat/production 1 */*/*/production ")
	if len(r.Drift) != 1 || !r.Drift[0].Corrected.IsZero() {
		t.Errorf("%+v", r.Drift)
	}
	w.now = moment(t, "2026-01-02T22:00:00Z")
	w.waits(w.pass(Options{}), "")
	w.serves("2", "2")
}
