package file

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Target { return mustOpen(t, storetest.NewDisk(t, 64<<20).Dir) }, storetest.Options{
		Reopen: func(t *testing.T, target store.Target) store.Target {
			if err := target.Close(); err != nil {
				t.Fatal(err)
			}
			return mustOpen(t, target.(*Store).path)
		},
		Plant: func(t *testing.T, target store.Target, addr lcm.Address, value []byte) {
			plant(t, filepath.Join(target.(*Store).path, addr.String()+".json"), string(value))
		},
		Atomic: true,
		Rig:    rig,
	})
}

// before is a change of the disk that calls f first.
func before(f func(string)) func(string, func() error) error {
	return func(what string, make func() error) error {
		f(what)
		return make()
	}
}

func plant(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t *testing.T, path string) *Store {
	t.Helper()
	s, err := New(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func jsonFile(t *testing.T, name string, into any) error {
	t.Helper()
	return json.Unmarshal(readFile(t, name), into)
}

// opened returns a store that holds first, and the folder of its environment.
func opened(t *testing.T) (s *Store, environment string) {
	t.Helper()
	dir := t.TempDir()
	s = mustOpen(t, dir)
	t.Cleanup(func() { s.Close() })
	mustPass(t, s, first)
	return s, filepath.Join(dir, testSpace.String())
}

func TestLayout(t *testing.T) {
	s, environment := opened(t)
	mustPass(t, s, second)
	var got []string
	err := filepath.WalkDir(s.path, func(name string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(s.path, name)
		if !d.IsDir() && !strings.Contains(rel, "/1/") {
			got = append(got, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	service := testSpace.Service.String()
	want := []string{service + "/.lcm/production/2/.lcm/revision"}
	for key := range second.Values {
		want = append(want, service+"/.lcm/production/2/"+key+".json", service+"/.lcm/production/2/.lcm/"+key+".json")
	}
	want = append(want, service+"/.lcm/production/lock", service+"/production")
	sortStrings := cmp.Transformer("sorted", func(in []string) map[string]bool {
		set := map[string]bool{}
		for _, s := range in {
			set[s] = true
		}
		return set
	})
	if diff := cmp.Diff(want, got, sortStrings); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if link, err := os.Readlink(environment); err != nil || link != ".lcm/production/2" {
		t.Errorf("the environment is a link to %q, %v", link, err)
	}
	if value := readFile(t, filepath.Join(environment, "changed.json")); string(value) != "2" {
		t.Errorf("the value is %q", value)
	}
	// A folder that is moved keeps working: no link is absolute.
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(s.path, moved); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(second, look(t, moved)); diff != "" {
		t.Error(diff)
	}
	mustPass(t, s, first) // by its descriptor
}

func TestModes(t *testing.T) {
	for _, cfg := range []Config{{}, {FileMode: 0o640, DirMode: 0o750}, {FileMode: 0o666, DirMode: 0o777}} {
		cfg.Path = t.TempDir()
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		mustPass(t, s, first)
		err = filepath.WalkDir(filepath.Join(cfg.Path, "acme-corp"), func(name string, d os.DirEntry, err error) error {
			if err != nil || d.Name() == "lock" || d.Type()&os.ModeSymlink != 0 {
				return err
			}
			info, err := d.Info()
			want := s.fileMode
			if d.IsDir() {
				want = s.dirMode
			}
			if err == nil && info.Mode().Perm() != want {
				t.Errorf("%s has mode %v; want %v", d.Name(), info.Mode().Perm(), want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestGenerations sees that the generation before the present one stays until the link is turned again.
func TestGenerations(t *testing.T) {
	s, environment := opened(t)
	service := filepath.Dir(environment)
	for i := range 4 {
		past, err := os.Readlink(environment)
		mustDo(t, err)
		mustPass(t, s, []snapshot{second, first}[i%2])
		s.change = before(func(step string) {
			if _, err := os.Stat(filepath.Join(service, past)); err != nil && strings.HasPrefix(step, "symlink ") {
				t.Errorf("the generation before the present one: %v", err)
			}
		})
		mustPass(t, s, []snapshot{second, first}[i%2]) // changes nothing
		mustPass(t, s, []snapshot{first, second}[i%2])
		s.change = before(func(string) {})
		checkTidy(t, s.path)
	}
}

func TestNothingToDo(t *testing.T) {
	s, environment := opened(t)
	before, err := os.Readlink(environment)
	mustDo(t, err)
	mustPass(t, s, first)
	if now, err := os.Readlink(environment); err != nil || now != before {
		t.Errorf("a pass without changes made a generation (%v)", err)
	}
}

// TestUnchangedFilesAreShared also holds when only the marker changes.
func TestUnchangedFilesAreShared(t *testing.T) {
	s, environment := opened(t)
	before, err := os.Stat(filepath.Join(environment, "kept.json"))
	if err != nil {
		t.Fatal(err)
	}
	mustPass(t, s, second)
	if now, err := os.Stat(filepath.Join(environment, "kept.json")); err != nil || !os.SameFile(before, now) {
		t.Errorf("an unchanged value was written again (%v)", err)
	}
}

// TestWholeReads reads whole namespaces, while they change, as applications do.
func TestWholeReads(t *testing.T) {
	s, environment := opened(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(stop)
		for i := range 40 {
			if err := pass(t.Context(), s, []snapshot{second, first}[i%2]); err != nil {
				t.Error(err)
			}
		}
	})
	whole := 0
	for running := true; running; {
		select {
		case <-stop:
			running = false
		default:
		}
		generation, err := filepath.EvalSymlinks(environment)
		if err != nil {
			continue // between its two steps the generation was removed
		}
		seen := map[string]string{}
		for _, key := range []string{"changed", "changed-too", "kept"} {
			if data, err := os.ReadFile(filepath.Join(generation, key+".json")); err == nil {
				seen[key] = string(data)
			}
		}
		if len(seen) == 3 && seen["changed"] != seen["changed-too"] {
			t.Errorf("seen together: %v", seen)
		}
		if len(seen) == 3 {
			whole++
		}
	}
	wg.Wait()
	if whole == 0 {
		t.Error("no read was whole")
	}
}
