package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// testPolling has readers poll as hard as they can while a namespace goes through many revisions. What a reader takes for
// whole is all of one revision, and never an older one than it has seen.
func (s suite) testPolling(t *testing.T) {
	passes := s.opts.Passes
	if passes == 0 {
		passes = 1000
	}
	if testing.Short() {
		passes = min(passes, 100)
	}
	k := s.kit(t)
	k.turn(0)
	var done atomic.Bool
	var whole atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { k.poll(&done, &whole) })
	}
	for i := 1; i <= passes && !t.Failed(); i++ {
		k.turn(i)
		if i%10 > 0 {
			continue
		}
		seen, start := whole.Load(), time.Now()
		for whole.Load() == seen && !t.Failed() { // so that readers see many revisions, and not only the last
			if time.Since(start) > 30*time.Second {
				t.Error("no reader gets to read the namespace whole")
			}
			time.Sleep(100 * time.Microsecond)
		}
	}
	done.Store(true)
	wg.Wait()
	t.Logf("%d passes, %d reads of the whole", passes, whole.Load())
}

// turn brings the namespace to the i-th revision: every value says i, and one key comes and goes.
func (k *kit) turn(i int) {
	k.Helper()
	items := map[string]store.Token{}
	for _, item := range k.list().Items {
		items[item.Key] = item.Token
	}
	var changes []store.Change
	for _, key := range keysAt(i) {
		c := k.entry(key, number(i), revisionAt(i))
		if c.If = items[key]; c.If != "" {
			c.Action = store.Update
		}
		changes = append(changes, c)
		delete(items, key)
	}
	for key, token := range items {
		changes = append(changes, store.Change{Action: store.Delete, Key: key, If: token})
	}
	k.apply(revisionAt(i), changes...)
}

func keysAt(i int) []string {
	keys := []string{"a", "b", "c", "d", "e"}
	return keys[:4+i%2]
}

func revisionAt(i int) lcm.Revision { return lcm.Revision(fmt.Sprintf("%040d", i)) }

// poll reads until done. It runs beside others, so it must not end the test itself.
func (k *kit) poll(done *atomic.Bool, whole *atomic.Int64) {
	last := lcm.Revision("")
	for !done.Load() && !k.Failed() {
		s, err := store.ReadWhole(k.Context(), k.target, k.ns)
		if errors.Is(err, store.ErrHalf) {
			continue
		}
		if err != nil {
			k.Errorf("ReadWhole: %v", err)
			return
		}
		whole.Add(1)
		if mixed := k.mixed(s); mixed != "" || s.Marker.Revision < last {
			k.Errorf("at revision %s, after %s, a reader sees %s", s.Marker.Revision, last, mixed)
		}
		last = s.Marker.Revision
	}
}

// mixed tells what in a snapshot is not of its revision.
func (k *kit) mixed(s store.Snapshot) string {
	var n int
	_, _ = fmt.Sscanf(strings.TrimLeft(string(s.Marker.Revision), "0")+" ", "%d", &n) // of revision 0 nothing is left, and n stays 0
	var wrong []string
	for _, key := range keysAt(n) {
		if e := s.Entries[key]; string(e.Value) != number(n) || e.Meta.Revision != s.Marker.Revision {
			wrong = append(wrong, fmt.Sprintf("%s = %q of %s", key, e.Value, e.Meta.Revision))
		}
	}
	if len(s.Entries) != len(keysAt(n)) {
		wrong = append(wrong, fmt.Sprintf("%d entries", len(s.Entries)))
	}
	return strings.Join(wrong, ", ")
}
