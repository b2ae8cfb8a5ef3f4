package reconcile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// heard collects the events of a world, as "event where why".
func (w *world) heard() *[]Event {
	heard := &[]Event{}
	w.r.Events = func(e Event) { *heard = append(*heard, e) }
	return heard
}

// expectEvents compares what was heard since the last time.
func (w *world) expectEvents(heard *[]Event, want ...string) {
	w.Helper()
	var got []string
	for _, e := range *heard {
		if e.Schema != EventSchema || e.Repository != "test-config" || !e.At.Equal(w.now) {
			w.Errorf("%+v", e)
		}
		got = append(got, strings.Join(strings.Fields(strings.Join([]string{string(e.Event), e.Namespace, e.Target, e.Address, string(e.Kind), e.Rule}, " ")), " "))
	}
	if !slices.Equal(got, want) {
		w.Errorf("events\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	*heard = nil
}

// TestEvents: each thing that happens is told once, also when the daemon is started anew meanwhile.
func TestEvents(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one"), prod + "a.yaml": config("one")})
	heard := w.heard()
	w.pass(Options{})
	w.expectEvents(heard, "accepted", "applied acme/p/s/development runtime", "applied acme/p/s/production runtime")
	w.pass(Options{})
	w.expectEvents(heard)

	w.commit("wrong", map[string]string{dev + "a.yaml": config("one") + "x: 1\n", prod + "a.yaml": config("two")})
	w.pass(Options{DryRun: true})
	w.expectEvents(heard)
	w.pass(Options{})
	w.expectEvents(heard, "accepted", "held acme/p/s/development document/unknown-field", "applied acme/p/s/production runtime")
	w.stop()
	w.start()
	heard = w.heard()
	w.pass(Options{})
	w.expectEvents(heard)
	w.commit("mended", map[string]string{dev + "a.yaml": config("two")})
	w.pass(Options{})
	w.expectEvents(heard, "accepted", "released acme/p/s/development", "applied acme/p/s/development runtime")

	w.faults["runtime"].apply = errors.New("down")
	w.commit("three", map[string]string{dev + "a.yaml": config("three"), prod + "a.yaml": config("three")})
	w.pass(Options{})
	if e := (*heard)[len(*heard)-1]; e.Namespaces != 2 || e.Reason != "acme/p/s/development: down" {
		t.Errorf("%+v", e)
	}
	w.expectEvents(heard, "accepted", "failed runtime")
	w.pass(Options{})
	w.expectEvents(heard)
	w.faults["runtime"].apply = nil
	w.pass(Options{})
	w.expectEvents(heard, "applied acme/p/s/development runtime", "applied acme/p/s/production runtime", "recovered runtime")

	a, _ := lcm.ParseAddress("acme/p/s/development/a")
	listing, err := w.faults["runtime"].List(t.Context(), a.Namespace)
	w.check(err)
	w.check(w.faults["runtime"].Target.Apply(t.Context(), store.Batch{Namespace: a.Namespace, Marker: listing.Marker, Changes: []store.Change{{Action: store.Delete, Key: a.Key, If: listing.Items[0].Token}}}))
	w.pass(Options{Everything: true})
	w.expectEvents(heard, "applied acme/p/s/development runtime", "drift runtime acme/p/s/development/a missing", "corrected runtime acme/p/s/development/a missing")
}

func TestEventsOfTrust(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	heard := w.heard()
	w.pass(Options{})
	w.expectEvents(heard, "accepted", "applied acme/p/s/development runtime")
	good := w.head
	w.commit("settings", map[string]string{"lcm.yaml": settings + "nonsense: 1\n"})
	w.pass(Options{})
	w.expectEvents(heard, "accepted", "held settings/unknown-field")
	w.signer = sshSigner(t, "x")
	w.commit("stranger", map[string]string{"lcm.yaml": settings})
	w.pass(Options{})
	w.pass(Options{})
	w.expectEvents(heard, "refused trust/unknown-key")
	w.head = good
	w.signer = sshSigner(t, "a")
	w.check(os.Rename(filepath.Join(w.dir, "origin.git"), filepath.Join(w.dir, "gone.git")))
	w.now = w.now.Add(time.Hour)
	for range 2 {
		if _, err := w.r.Pass(t.Context(), Options{}); err == nil {
			t.Fatal("fetched from nowhere")
		}
	}
	w.expectEvents(heard, "stale")
	w.check(os.Rename(filepath.Join(w.dir, "gone.git"), filepath.Join(w.dir, "origin.git")))
	w.pass(Options{})
	w.expectEvents(heard, "fresh")
}

// TestEventsAreDocumented: the page lists each kind of event, with an example that is one, and no other.
func TestEventsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := map[EventKind]bool{}
	for _, m := range regexp.MustCompile("(?m)^ *(\\{\"schema\":\"lcm.event/v1\".*\\})`*$").FindAllSubmatch(page, -1) {
		d := json.NewDecoder(strings.NewReader(string(m[1])))
		d.DisallowUnknownFields()
		var e Event
		if err := d.Decode(&e); err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		again, err := json.Marshal(e)
		if err != nil || string(again) != string(m[1]) {
			t.Errorf("the example\n%s is, as the daemon writes it,\n%s", m[1], again)
		}
		examples[e.Event] = true
	}
	for _, kind := range EventKinds() {
		if !examples[kind] {
			t.Errorf("the page has no example of %s", kind)
		}
		if !strings.Contains(string(page), "| `"+string(kind)+"` |") {
			t.Errorf("the table of the page does not have %s", kind)
		}
	}
	if len(examples) != len(EventKinds()) {
		t.Errorf("%d kinds have examples, and there are %d", len(examples), len(EventKinds()))
	}
}
