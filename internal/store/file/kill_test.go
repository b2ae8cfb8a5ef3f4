package file

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// killAt makes this program, run anew, a pass that kills itself at its n-th change of the disk.
const killAt = "LCM_TEST_FILE_KILL_AT"

func TestMain(m *testing.M) {
	if at := os.Getenv(killAt); at != "" {
		os.Exit(doomedPass(at, os.Args[1]))
	}
	os.Exit(m.Run())
}

func doomedPass(at, dir string) int {
	n, err := strconv.Atoi(at)
	if err != nil {
		return 2
	}
	s, err := New(Config{Path: dir})
	if err != nil {
		return 2
	}
	s.change = before(func(string) {
		if n--; n == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // it takes a moment
		}
	})
	if err := pass(context.Background(), s, second); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

var testSpace = lcm.Service{Org: "acme-corp", Project: "ml-platform", Name: "inference"}.In("production")

// snapshot is what a namespace is to hold, or holds: values by key, and the revision.
type snapshot struct {
	Revision lcm.Revision
	Values   map[string]string
}

var (
	zeroth = snapshot{"r0", map[string]string{"gone": "0", "kept": "0"}}
	first  = snapshot{"r1", map[string]string{"changed": "1", "changed-too": "1", "gone": "1", "kept": "1", "remarked": "1"}}
	second = snapshot{"r2", map[string]string{"changed": "2", "changed-too": "2", "kept": "1", "new": "2", "remarked": "1"}}
)

// pass does what the reconciler does: list, compare, apply.
func pass(ctx context.Context, s *Store, want snapshot) error {
	l, err := s.List(ctx, testSpace)
	if err != nil {
		return err
	}
	b := store.Batch{Namespace: testSpace, Marker: store.Marker{Repository: "acme-config", Revision: want.Revision, Phase: store.Whole}}
	held := map[string]store.Item{}
	for _, item := range l.Items {
		held[item.Key] = item
		if _, wanted := want.Values[item.Key]; !wanted && item.Meta.Repository != "" {
			b.Changes = append(b.Changes, store.Change{Action: store.Delete, Key: item.Key, If: item.Token})
		}
	}
	for key, value := range want.Values {
		meta := store.Meta{Repository: "acme-config", Digest: value}
		if key == "remarked" {
			meta.Revision = want.Revision
		}
		c := store.Change{Action: store.Update, Key: key, Value: []byte(value), Meta: meta, If: held[key].Token}
		switch {
		case held[key].Meta == meta && !held[key].Stale:
			continue
		case c.If == "":
			c.Action = store.Create
		case held[key].Meta.Digest == value && !held[key].Stale:
			c.Action, c.Value = store.Remark, nil
		}
		b.Changes = append(b.Changes, c)
	}
	return s.Apply(ctx, b)
}

// TestKilled kills a pass with SIGKILL at each change of the disk, twice in a row. Readers see all of
// the old or all of the new at any time, and the next pass comes to the end.
func TestKilled(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, dir string) snapshot{
		"in an empty folder": func(*testing.T, string) snapshot { return snapshot{Values: map[string]string{}} },
		"over other generations": func(t *testing.T, dir string) snapshot {
			s := mustOpen(t, dir)
			defer s.Close()
			mustPass(t, s, zeroth)
			mustPass(t, s, first)
			plant(t, filepath.Join(dir, testSpace.String(), "foreign.json"), "theirs")
			plant(t, filepath.Join(dir, testSpace.String(), "README"), "theirs")
			return first
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := 1
			for ; !killedTwice(t, n, prepare); n++ {
				if t.Failed() || n > 500 {
					t.Fatalf("failed at change %d", n)
				}
			}
			if n < 20 {
				t.Errorf("only %d changes of the disk: the hook is not everywhere", n)
			}
		})
	}
}

// killedTwice reports whether n was beyond the end of a pass.
func killedTwice(t *testing.T, n int, prepare func(*testing.T, string) snapshot) (finished bool) {
	dir := t.TempDir()
	old := prepare(t, dir)
	for range 2 {
		finished = runDoomed(t, dir, n)
		now := look(t, dir)
		if diff := cmp.Diff(old, now); diff != "" {
			if diff := cmp.Diff(second, now); diff != "" {
				t.Errorf("killed at change %d, a reader sees neither the old nor the new (-new +seen):\n%s", n, diff)
			}
		}
		if finished {
			break
		}
	}
	s := mustOpen(t, dir)
	defer s.Close()
	mustPass(t, s, second)
	mustPass(t, s, second)
	if diff := cmp.Diff(second, look(t, dir)); diff != "" {
		t.Errorf("killed at change %d, the next pass ends with (-want +got):\n%s", n, diff)
	}
	checkTidy(t, dir)
	if old.Revision != "" {
		for _, name := range []string{"foreign.json", "README"} {
			if got, err := os.ReadFile(filepath.Join(dir, testSpace.String(), name)); string(got) != "theirs" {
				t.Errorf("%s = %q, %v", name, got, err)
			}
		}
	}
	return finished
}

func runDoomed(t *testing.T, dir string, n int) (finished bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], dir)
	cmd.Env = append(os.Environ(), killAt+"="+strconv.Itoa(n))
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the pass failed by itself: %v\n%s", err, out)
	}
	return err == nil
}

func mustPass(t *testing.T, s *Store, want snapshot) {
	t.Helper()
	if err := pass(t.Context(), s, want); err != nil {
		t.Fatal(err)
	}
}

// look reads as an application does: through the link, resolved once.
func look(t *testing.T, dir string) snapshot {
	t.Helper()
	seen := snapshot{Values: map[string]string{}}
	generation, err := filepath.EvalSymlinks(filepath.Join(dir, testSpace.String()))
	if os.IsNotExist(err) {
		return seen
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(generation, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		key := strings.TrimSuffix(filepath.Base(name), ".json")
		if key == "foreign" {
			continue
		}
		value := string(readFile(t, name))
		seen.Values[key] = value
		var m mark
		if err := jsonFile(t, filepath.Join(generation, ".lcm", key+".json"), &m); err != nil || m.Digest != value || m.Content != contentOf([]byte(value)) {
			t.Errorf("beside %s = %s stands the mark %+v, %v", key, value, m, err)
		}
	}
	var m store.Marker
	if err := jsonFile(t, filepath.Join(generation, ".lcm", "revision"), &m); err != nil || m.Phase != store.Whole {
		t.Errorf("the marker is %+v, %v", m, err)
	}
	seen.Revision = m.Revision
	return seen
}

// checkTidy sees that nothing of broken-off passes stays.
func checkTidy(t *testing.T, dir string) {
	t.Helper()
	p := placeOf(testSpace)
	entries, err := os.ReadDir(filepath.Join(dir, p.generations))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 3 { // the present generation, the one before, the lock
		t.Errorf("%d things are left in %s: %v", len(entries), p.generations, entries)
	}
}
