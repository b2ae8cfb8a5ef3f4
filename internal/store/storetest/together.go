package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// testPrefixes has namespaces whose names begin alike, and demands that they do not mix.
func (s suite) testPrefixes(t *testing.T) {
	k := s.kit(t)
	org := k.ns.Org
	var kits []*kit
	for _, name := range []string{"b/c/d", "b/c/d2", "b/c/d-2", "b/c2/d", "b2/c/d", "b/c/dd"} {
		ns, err := lcm.ParseNamespace(org + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		kits = append(kits, &kit{T: t, suite: s, target: k.target, ns: ns})
	}
	for i, k := range kits {
		k.apply(revision1, k.create("key", number(i)))
	}
	for i, k := range kits {
		k.expect(state{marker(revision1), map[string]held{"key": {Value: number(i), Meta: k.meta("key", revision1)}}})
	}
	kits[0].apply(revision2, store.Change{Action: store.Delete, Key: "key", If: kits[0].token("key")})
	for i, k := range kits[1:] {
		k.expect(state{marker(revision1), map[string]held{"key": {Value: number(i + 1), Meta: k.meta("key", revision1)}}})
	}
}

func (s suite) testConcurrent(t *testing.T) {
	k := s.kit(t)
	var wg sync.WaitGroup
	kits := make([]*kit, 8)
	for i := range kits {
		kits[i] = &kit{T: t, suite: s, target: k.target, ns: k.ns.Service.In(fmt.Sprintf("e%d", i))}
		wg.Go(func() { kits[i].rounds() })
	}
	wg.Wait()
	for _, k := range kits {
		k.expect(state{marker(revision2), map[string]held{
			"k1": {Value: number(40), Meta: k.meta("k1", revision2)},
			"k2": {Value: number(4), Meta: k.meta("k2", revision1)},
		}})
	}
}

// rounds writes one namespace for a while. It runs beside others, so it must not end the test itself.
func (k *kit) rounds() {
	for round := range 5 {
		listing, err := k.target.List(k.Context(), k.ns)
		if err != nil {
			k.Errorf("List: %v", err)
			return
		}
		b := k.batch(revision2, k.create("k1", number(round*10)), k.create("k2", number(round)))
		b.Changes[0].Meta = k.meta("k1", revision2)
		for i, item := range listing.Items {
			b.Changes[i].Action, b.Changes[i].If = store.Update, item.Token
		}
		if err := k.target.Apply(k.Context(), b); err != nil {
			k.Errorf("Apply: %v", err)
			return
		}
	}
}

// testReadWhileWrite reads a value that is being replaced: it is always one that was written, and
// on an atomic target the mark is that value's own.
func (s suite) testReadWhileWrite(t *testing.T) {
	k := s.kit(t)
	const rounds = 20
	k.apply(revision1, k.numbered(0))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; i < rounds; i++ {
			l, err := k.target.List(t.Context(), k.ns)
			if err != nil || len(l.Items) != 1 {
				t.Errorf("List = %+v, %v", l, err)
				return
			}
			c := k.numbered(i)
			c.Action, c.If = store.Update, l.Items[0].Token
			if err := k.target.Apply(t.Context(), k.batch(revision2, c)); err != nil {
				t.Errorf("Apply: %v", err)
				return
			}
		}
	}()
	for last := uint64(0); ; {
		value, meta, err := k.target.Get(t.Context(), k.ns.Key("a"))
		if err != nil {
			t.Errorf("Get: %v", err)
			<-done
			return
		}
		if s.opts.Atomic && (string(value) != k.text(int(meta.Version)) || meta.Version < last) {
			t.Errorf("Get = %.40q beside the mark of %d, after %d", value, meta.Version, last)
		}
		last = meta.Version
		select {
		case <-done:
			k.expectHolds("a", k.text(rounds-1), true)
			return
		default:
		}
	}
}

func (k *kit) text(i int) string {
	return fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat(fmt.Sprint(i%10), 10_000))
}

func (k *kit) numbered(i int) store.Change {
	c := k.create("a", k.text(i))
	c.Meta.Version = uint64(i)
	return c
}

func (s suite) testCancelled(t *testing.T) {
	k := s.kit(t)
	k.apply(revision1, k.create("a", number(1)))
	before := k.state()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.target.Apply(ctx, k.batch(revision2, k.replace("a", number(2)))); !errors.Is(err, context.Canceled) {
		t.Errorf("Apply = %v; want context.Canceled", err)
	}
	if l, err := k.target.List(ctx, k.ns); !errors.Is(err, context.Canceled) || len(l.Items) > 0 {
		t.Errorf("List = %+v, %v; want context.Canceled and nothing to conclude from", l, err)
	}
	if _, _, err := k.target.Get(ctx, k.ns.Key("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v; want context.Canceled", err)
	}
	if _, err := k.target.Marker(ctx, k.ns); !errors.Is(err, context.Canceled) {
		t.Errorf("Marker = %v; want context.Canceled", err)
	}
	if holds, err := k.target.Holds(ctx, k.ns, "a", []byte(number(1))); !errors.Is(err, context.Canceled) || holds {
		t.Errorf("Holds = %v, %v; want context.Canceled", holds, err)
	}
	k.expectUnbroken(before)
}

// late is by when a server has carried out what was called off after it was sent.
const late = 300 * time.Millisecond

// testCancelledMidway breaks batches off at several moments: an error leaves nothing half that looks
// whole, success leaves all, and the next pass comes to the end from wherever it stopped.
func (s suite) testCancelledMidway(t *testing.T) {
	for _, after := range []time.Duration{20, 100, 300, 1000, 3000, 10_000} {
		k := s.kit(t)
		var keys []string
		var first, second []store.Change
		for i := range 10 {
			keys = append(keys, fmt.Sprintf("k%d", i))
			first = append(first, k.create(keys[i], number(1)))
		}
		k.apply(revision1, first...)
		before := k.state()
		want := state{marker(revision2), map[string]held{}}
		for _, key := range keys {
			second = append(second, k.replace(key, number(3)))
			want.Entries[key] = held{Value: number(3), Meta: k.meta(key, revision2)}
		}
		ctx, cancel := context.WithTimeout(t.Context(), after*time.Microsecond)
		err := k.target.Apply(ctx, k.batch(revision2, second...))
		cancel()
		if err != nil {
			time.Sleep(late) // state reads one thing after the other, and what was sent may still be carried out
		}
		// A target may learn that it was called off after all was done.
		if diff := cmp.Diff(want, k.state()); err == nil && diff != "" {
			t.Errorf("Apply returned without an error, but (-want +got):\n%s", diff)
		} else if diff != "" {
			k.expectUnbroken(before)
		}
		k.settle(keys...)
	}
}

func (s suite) testForeign(t *testing.T) {
	if s.opts.Plant == nil {
		t.Skip("the target gives no way to plant an entry of somebody else")
	}
	k := s.kit(t)
	const theirs = `{"theirs":true}`
	k.apply(revision1, k.create("a", number(1)))
	s.opts.Plant(t, k.target, k.ns.Key("foreign"), []byte(theirs))
	want := state{marker(revision1), map[string]held{
		"a":       {Value: number(1), Meta: k.meta("a", revision1)},
		"foreign": {Value: theirs},
	}}
	k.expect(want)
	token := k.token("foreign")

	err := k.target.Apply(t.Context(), k.batch(revision2, k.create("foreign", number(2))))
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("creating over an entry of somebody else: %v; want ErrConflict", err)
	}
	k.expectUnbroken(want)
	k.expectHolds("foreign", theirs, true)

	k.apply(revision2, k.replace("a", number(2)))
	k.apply(revision2, k.create("b", number(2)))
	k.apply(revision2, store.Change{Action: store.Delete, Key: "a", If: k.token("a")})
	k.expectHolds("foreign", theirs, true)
	if item := k.item("foreign"); item.Meta != (store.Meta{}) || item.Token != token {
		t.Errorf("writes beside it changed an entry of somebody else: %+v", item)
	}

	gone := store.Change{Action: store.Delete, Key: "foreign", If: token}
	if err := k.target.Apply(t.Context(), k.batch(revision2, gone)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("deleting an entry of somebody else: %v; want ErrConflict", err)
	}
	k.expectHolds("foreign", theirs, true)
	stale := k.replace("foreign", number(3))
	stale.If = "another"
	if err := k.target.Apply(t.Context(), k.batch(revision2, stale)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("taking over another entry of somebody else than was listed: %v; want ErrConflict", err)
	}
	k.expectHolds("foreign", theirs, true)
	k.apply(revision2, k.replace("foreign", number(3))) // as it is decided where adopt says so
	k.expect(state{marker(revision2), map[string]held{
		"b":       {Value: number(2), Meta: k.meta("b", revision1)},
		"foreign": {Value: number(3), Meta: k.meta("foreign", revision2)},
	}})
}

func (s suite) testReopen(t *testing.T) {
	if s.opts.Reopen == nil {
		t.Skip("the target gives no way to open it again")
	}
	k := s.kit(t)
	k.apply(revision1, k.create("a", number(1)), k.create("b", number(1)), k.create("c", number(1)))
	k.apply(revision2, k.replace("a", number(2)), store.Change{Action: store.Delete, Key: "b", If: k.token("b")})
	before, tokens := k.state(), k.list()
	k.target = s.opts.Reopen(t, k.target)
	k.expect(before)
	if diff := cmp.Diff(tokens, k.list()); diff != "" {
		t.Errorf("opening it again changed the listing (-before +after):\n%s", diff)
	}
	k.apply(revision2, k.replace("a", number(3)))
	k.expectHolds("a", number(3), true)
}
