package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/bolt"
)

// TestKilledAtAnyMoment kills passes that fetch, verify, and write to a file and a bolt target, at moments by
// chance. What stands afterwards is whole, of one commit or another, and the next pass that is left alone makes it the
// head's, with versions that count the commits.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	h := newHome(t)
	start := time.Now()
	h.must(0, "once", "--config", h.config)
	whole := time.Since(start)
	for n := range 50 {
		if chance.IntN(3) > 0 { // else the last pass is repeated
			h.change()
		}
		cmd, end := h.start("reconciler", "once", "--config", h.config)
		kill := time.AfterFunc(time.Duration(chance.Int64N(int64(whole))), func() { _ = cmd.Process.Kill() })
		r := end()
		if kill.Stop(); crashed(r.stderr) || r.code > 0 {
			t.Fatalf("pass %d: exit code %d\n%s%s", n, r.code, r.stdout, r.stderr)
		}
		h.sound()
		if n%5 == 4 {
			h.must(0, "once", "--config", h.config)
			h.stands()
			before := h.digest()
			if h.must(0, "once", "--config", h.config); h.digest() != before {
				t.Fatalf("after kill %d: a pass with nothing to do changes a file", n)
			}
		}
	}
}

// home is a desk with some documents and secrets, and a daemon with embedded targets.
type home struct {
	*desk
	ns      lcm.Namespace
	config  string
	changes int
	key     masterkey.Key
}

const homeKeys = 5

func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{desk: newDesk(t, "testdata/base"), ns: lcm.Namespace{Service: lcm.Service{Org: "acme", Project: "app", Name: "api"}, Environment: "development"}}
	h.config = h.daemon("daemon", map[string]string{"secrets": "{type: bolt, path: secrets.db}", "runtime": "{type: file, path: runtime}"})
	var err error
	h.key, err = masterkey.Load(h.path("lcm.key"))
	h.check(err)
	h.change()
	return h
}

// change commits new values, which tell how many changes there were.
func (h *home) change() {
	h.t.Helper()
	h.changes++
	files := map[string]string{}
	for i := range homeKeys {
		path, sealed := h.secret(h.ns.Key(fmt.Sprintf("secret-%d", i)).String(), "opaque", map[string]any{"n": h.changes})
		files[path] = sealed
		files[fmt.Sprintf("namespaces/%s/config-%d.yaml", h.ns, i)] = config(fmt.Sprint(h.changes))
	}
	h.commit("alice", files)
}

// sound demands that the files are all of one change, whichever.
func (h *home) sound() {
	h.t.Helper()
	seen := map[string]int{}
	for i := range homeKeys {
		data, err := os.ReadFile(h.path("daemon/runtime/" + h.ns.Key(fmt.Sprintf("config-%d", i)).String() + ".json"))
		if !errors.Is(err, fs.ErrNotExist) {
			h.check(err)
		}
		seen[string(data)]++
	}
	if len(seen) != 1 {
		h.t.Fatalf("the namespace is half written: %v", seen)
	}
}

// stands demands that all values are those of the head.
func (h *home) stands() {
	h.t.Helper()
	db, err := bolt.New(bolt.Config{Path: h.path("daemon/secrets.db"), SealKey: h.key.Derive(masterkey.SealBolt)})
	h.check(err)
	defer db.Close()
	for i := range homeKeys {
		value, meta, err := db.Get(h.t.Context(), h.ns.Key(fmt.Sprintf("secret-%d", i)))
		h.check(err)
		h.is(fmt.Sprintf(`{"n":%d}`, h.changes), string(value), meta)
		file := h.path("daemon/runtime/" + h.ns.String())
		data, err := os.ReadFile(fmt.Sprintf("%s/config-%d.json", file, i))
		h.check(err)
		mark, err := os.ReadFile(fmt.Sprintf("%s/.lcm/config-%d.json", file, i))
		h.check(err)
		meta = store.Meta{}
		h.check(json.Unmarshal(mark, &meta))
		h.is(fmt.Sprint(h.changes), string(data), meta)
	}
	m, err := db.Marker(h.t.Context(), h.ns)
	h.check(err)
	if m.Revision != h.head || m.Phase != store.Whole {
		h.t.Fatalf("the marker says %+v, want %s whole", m, h.head)
	}
}

func (h *home) is(want, value string, meta store.Meta) {
	h.t.Helper()
	if value != want || meta.Version != uint64(h.changes) || meta.Revision != h.head {
		h.t.Fatalf("value %s, version %d of revision %s; want %s, version %d of %s", value, meta.Version, meta.Revision, want, h.changes, h.head)
	}
}

func (h *home) digest() string {
	h.t.Helper()
	sum, err := digestOf(h.path("daemon/state"), h.path("daemon/runtime"), h.path("daemon/secrets.db"))
	h.check(err)
	return sum
}
