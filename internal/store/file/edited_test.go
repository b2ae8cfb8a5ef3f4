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

func TestEditedInPlace(t *testing.T) {
	s, environment := opened(t)
	before := itemOf(t, s, "kept")
	if before.Stale {
		t.Error("a fresh entry is stale")
	}
	plant(t, filepath.Join(environment, "kept.json"), "edited")
	now := itemOf(t, s, "kept")
	if !now.Stale || now.Token == before.Token {
		t.Errorf("an edited value is listed as %+v", now)
	}
	b := store.Batch{Namespace: testSpace, Changes: []store.Change{{Action: store.Delete, Key: "kept", If: before.Token}}}
	if err := s.Apply(t.Context(), b); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Apply with the token from before the edit: %v", err)
	}
	mustPass(t, s, first)
	if now := itemOf(t, s, "kept"); now.Stale {
		t.Error("the next pass leaves it stale")
	}
	if diff := cmp.Diff(first, look(t, s.path)); diff != "" {
		t.Error(diff)
	}
}

func itemOf(t *testing.T, s *Store, key string) store.Item {
	t.Helper()
	l, err := s.List(t.Context(), testSpace)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range l.Items {
		if item.Key == key {
			return item
		}
	}
	return store.Item{}
}

// TestEditedMeanwhile has somebody write into the present generation while the next one is built.
func TestEditedMeanwhile(t *testing.T) {
	s, environment := opened(t)
	s.change = before(func(step string) {
		if strings.HasSuffix(step, "2/.lcm/revision") {
			plant(t, filepath.Join(environment, "foreign.json"), "theirs")
		}
	})
	if err := pass(t.Context(), s, second); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Apply = %v; want ErrConflict", err)
	}
	checkTidy(t, s.path)
	s.change = before(func(string) {})
	mustPass(t, s, second)
	if got := readFile(t, filepath.Join(environment, "foreign.json")); string(got) != "theirs" {
		t.Errorf("their file is %q", got)
	}
}

func TestValueRemoved(t *testing.T) {
	s, environment := opened(t)
	if err := os.Remove(filepath.Join(environment, "kept.json")); err != nil {
		t.Fatal(err)
	}
	if item := itemOf(t, s, "kept"); item != (store.Item{}) {
		t.Errorf("a value that is gone is listed: %+v", item)
	}
	if err := s.Apply(t.Context(), store.Batch{Namespace: testSpace}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(environment, ".lcm", "kept.json")); err == nil {
		t.Error("the mark of a value that is gone was carried over")
	}
	mustPass(t, s, first)
	if diff := cmp.Diff(first, look(t, s.path)); diff != "" {
		t.Error(diff)
	}
}
