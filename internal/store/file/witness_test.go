package file

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLastChange(t *testing.T) {
	s, environment := opened(t)
	plant(t, filepath.Join(environment, "kept.json"), "edited")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(environment, "kept.json"), at, at); err != nil {
		t.Fatal(err)
	}
	who, when, err := s.LastChange(t.Context(), testSpace.Key("kept"))
	if err != nil || who != "" || !when.Equal(at) {
		t.Errorf("%q, %v, %v", who, when, err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(filepath.Join(environment, "kept.json"), 4242, -1); err != nil {
			t.Fatal(err)
		}
		if who, _, err := s.LastChange(t.Context(), testSpace.Key("kept")); err != nil || who != "uid 4242" {
			t.Errorf("%q, %v", who, err)
		}
	}
	if _, _, err := s.LastChange(t.Context(), testSpace.Key("nowhere")); err == nil {
		t.Error("tells of an entry that is not there")
	}
}
