package file

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/store"
)

// TestNotOurs puts something where the store has its own. It refuses with words on what to
// do, in reads too, and changes nothing.
func TestNotOurs(t *testing.T) {
	for name, c := range map[string]struct {
		place func(t *testing.T, environment string)
		says  string
	}{
		"a folder": {func(t *testing.T, environment string) {
			mustDo(t, os.Remove(environment), os.Mkdir(environment, 0o755))
			plant(t, filepath.Join(environment, "theirs.json"), "theirs")
		}, "move it away"},
		"a file": {func(t *testing.T, environment string) {
			mustDo(t, os.Remove(environment))
			plant(t, environment, "theirs")
		}, "move it away"},
		"a link to outside": {func(t *testing.T, environment string) {
			mustDo(t, os.Remove(environment), os.Symlink(t.TempDir(), environment))
		}, "move it away"},
		"a link to another environment": {func(t *testing.T, environment string) {
			mustDo(t, os.Remove(environment), os.Symlink(".lcm/staging/1", environment))
		}, "move it away"},
		"a link out of the generations": {func(t *testing.T, environment string) {
			mustDo(t, os.Remove(environment), os.Symlink(".lcm/production/../production/1", environment))
		}, "move it away"},
		"a link to what is gone": {func(t *testing.T, environment string) {
			mustDo(t, os.RemoveAll(filepath.Join(filepath.Dir(environment), ".lcm/production/1")))
		}, "remove the link"},
		"a damaged mark": {func(t *testing.T, environment string) {
			plant(t, filepath.Join(environment, ".lcm/kept.json"), `{"id":`)
		}, "remove it"},
		"a damaged marker": {func(t *testing.T, environment string) {
			plant(t, filepath.Join(environment, ".lcm/revision"), `[]`)
		}, "remove it"},
	} {
		t.Run(name, func(t *testing.T) {
			s, environment := opened(t)
			c.place(t, environment)
			if l, err := s.List(t.Context(), testSpace); err == nil || !strings.Contains(err.Error(), c.says) || len(l.Items) > 0 {
				t.Errorf("List = %+v, %v", l, err)
			}
			before := files(t, s.path)
			err := s.Apply(t.Context(), store.Batch{Namespace: testSpace})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Apply = %v", err)
			}
			if diff := cmp.Diff(before, files(t, s.path)); diff != "" {
				t.Errorf("a refusal changed (-before +after):\n%s", diff)
			}
		})
	}
}

func mustDo(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all[name] = string(readFile(t, name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLinkedFolders leads one tenant's folder into another's: nothing is written through it.
func TestLinkedFolders(t *testing.T) {
	for _, link := range []string{"acme-corp", "acme-corp/ml-platform", "acme-corp/ml-platform/inference", "acme-corp/ml-platform/inference/.lcm"} {
		dir := t.TempDir()
		other := filepath.Join(dir, "victim")
		mustDo(t, os.MkdirAll(other, 0o755), os.MkdirAll(filepath.Dir(filepath.Join(dir, link)), 0o755))
		target, err := filepath.Rel(filepath.Dir(filepath.Join(dir, link)), other)
		mustDo(t, err, os.Symlink(target, filepath.Join(dir, link)))
		s := mustOpen(t, dir)
		if err := pass(t.Context(), s, first); err == nil || !strings.Contains(err.Error(), "not a folder") {
			t.Errorf("%s: Apply = %v", link, err)
		}
		if entries, _ := os.ReadDir(other); len(entries) > 0 {
			t.Errorf("%s: another tenant's folder got %v", link, entries)
		}
		mustDo(t, s.Close())
	}
}

// TestForeignThings carries along what is not a value, and never writes over it.
func TestForeignThings(t *testing.T) {
	s, environment := opened(t)
	outside := filepath.Join(t.TempDir(), "outside")
	plant(t, outside, `"outside"`)
	plant(t, filepath.Join(environment, "README"), "theirs")
	plant(t, filepath.Join(environment, "Not-A-Key.json"), "theirs")
	mustDo(t, os.Symlink(outside, filepath.Join(environment, "linked.json")))

	item := itemOf(t, s, "linked")
	if item.Token == "" || item.Meta != (store.Meta{}) {
		t.Errorf("a link is listed as %+v", item)
	}
	if value, _, err := s.Get(t.Context(), testSpace.Key("linked")); err == nil {
		t.Errorf("a link out of the folder reads as %q", value)
	}
	for _, action := range []store.Action{store.Update, store.Delete} {
		c := store.Change{Action: action, Key: "linked", If: item.Token}
		if action == store.Update {
			c.Value = []byte("1")
		}
		if err := s.Apply(t.Context(), store.Batch{Namespace: testSpace, Changes: []store.Change{c}}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s of what bears no mark: %v; want ErrConflict", action, err)
		}
	}
	mustPass(t, s, second)
	for _, name := range []string{"README", "Not-A-Key.json"} {
		if got := readFile(t, filepath.Join(environment, name)); string(got) != "theirs" {
			t.Errorf("%s = %q", name, got)
		}
	}
	if link, err := os.Readlink(filepath.Join(environment, "linked.json")); err != nil || link != outside {
		t.Errorf("the link is %q, %v", link, err)
	}
	if got := readFile(t, outside); string(got) != `"outside"` {
		t.Errorf("outside = %q", got)
	}
	mustDo(t, os.Mkdir(filepath.Join(environment, "folder"), 0o755))
	if err := pass(t.Context(), s, first); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("with a folder among the values: %v", err)
	}
	checkTidy(t, s.path)
}

// TestTooLong has a value replaced by something endless: it is not read, and the next pass replaces it.
func TestTooLong(t *testing.T) {
	s, environment := opened(t)
	mustDo(t, os.Truncate(filepath.Join(environment, "kept.json"), maxValue+1))
	if _, _, err := s.Get(t.Context(), testSpace.Key("kept")); err == nil {
		t.Error("Get reads it")
	}
	if item := itemOf(t, s, "kept"); !item.Stale {
		t.Errorf("it is listed as %+v", item)
	}
	mustPass(t, s, first)
	if diff := cmp.Diff(first, look(t, s.path)); diff != "" {
		t.Error(diff)
	}
}

// TestCopied is the way of file systems without hard links.
func TestCopied(t *testing.T) {
	s, environment := opened(t)
	mustDo(t, s.copy(filepath.Join(testSpace.String(), "kept.json"), filepath.Join(testSpace.String(), "copy.json")))
	if got := readFile(t, filepath.Join(environment, "copy.json")); string(got) != "1" {
		t.Errorf("the copy is %q", got)
	}
}

// TestTwoWriters has a second writer come while the first one builds: it waits, and then finds its tokens stale.
func TestTwoWriters(t *testing.T) {
	a, _ := opened(t)
	b := mustOpen(t, a.path)
	defer b.Close()
	stale := store.Change{Action: store.Delete, Key: "changed", If: itemOf(t, b, "changed").Token}
	answer := make(chan error, 1)
	started := make(chan struct{})
	a.change = before(func(step string) {
		if strings.HasPrefix(step, "symlink ") {
			b.change = before(func(step string) {
				if strings.HasPrefix(step, "lock ") {
					close(started)
				}
			})
			go func() {
				answer <- b.Apply(t.Context(), store.Batch{Namespace: testSpace, Changes: []store.Change{stale}})
			}()
			<-started
		}
	})
	mustPass(t, a, second)
	if err := <-answer; !errors.Is(err, store.ErrConflict) {
		t.Errorf("the second writer: %v; want ErrConflict", err)
	}
	if diff := cmp.Diff(second, look(t, a.path)); diff != "" {
		t.Error(diff)
	}
}
