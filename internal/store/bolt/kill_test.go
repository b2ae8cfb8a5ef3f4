package bolt

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// doomed makes this program, run anew, write one revision after another into the file of that name.
const doomed = "LCM_TEST_BOLT_DOOMED"

func TestMain(m *testing.M) {
	if path := os.Getenv(doomed); path != "" {
		fmt.Fprintln(os.Stderr, writeOn(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var killKeys = []string{"a", "b", "c"}

// writeOn tells each revision on its standard output once it is written.
func writeOn(path string) error {
	s, err := New(Config{Path: path, SealKey: testKey})
	if err != nil {
		return err
	}
	for {
		l, err := s.List(context.Background(), testSpace)
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(string(l.Marker.Revision))
		n++
		b := store.Batch{Namespace: testSpace, Marker: store.Marker{Repository: "r", Revision: lcm.Revision(fmt.Sprint(n)), Phase: store.Whole}}
		for i, key := range killKeys {
			c := creation(key, fmt.Sprint(n))
			c.Secret = true
			if len(l.Items) > 0 {
				c.Action, c.If = store.Update, l.Items[i].Token
			}
			b.Changes = append(b.Changes, c)
		}
		if err := s.Apply(context.Background(), b); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// TestKilled kills a writer with SIGKILL, again and again. The file stands whole at the revision that was last reported as
// written, or at the next one.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	for range 20 {
		reported := killAfter(t, path, time.Duration(10+rand.IntN(60))*time.Millisecond)
		s := mustOpen(t, Config{Path: path, SealKey: testKey})
		whole, err := store.ReadWhole(t.Context(), s, testSpace)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := strconv.Atoi(string(whole.Marker.Revision)); reported > 0 && (n < reported || n > reported+1) {
			t.Errorf("it stands at revision %d; %d was reported as written", n, reported)
		}
		for key, e := range whole.Entries {
			if string(e.Value) != string(whole.Marker.Revision) {
				t.Errorf("at revision %s stands %s = %s", whole.Marker.Revision, key, e.Value)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// killAfter lets a writer run so long after its first write, and returns the last revision that it reported.
func killAfter(t *testing.T, path string, d time.Duration) (reported int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), doomed+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if reported == 0 {
			time.AfterFunc(d, func() { _ = cmd.Process.Kill() })
		}
		reported, _ = strconv.Atoi(lines.Text())
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the writer ended by itself: %v", err)
	}
	return reported
}
