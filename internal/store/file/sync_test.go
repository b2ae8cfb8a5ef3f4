package file

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

// TestSyncFails has each sync of a pass fail in turn. What is not known to be on the disk is not reported as done.
func TestSyncFails(t *testing.T) {
	syncs := 0
	for n := 1; ; n++ {
		s, _ := opened(t)
		left := n
		s.change = func(what string, make func() error) error {
			if strings.HasPrefix(what, "sync ") {
				if left--; left == 0 {
					syncs++
					return syscall.EIO
				}
			}
			return make()
		}
		err := pass(t.Context(), s, second)
		if syncs < n {
			break
		}
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("the failed sync %d is not told: %v", n, err)
		}
	}
	if syncs < 10 {
		t.Errorf("a pass makes %d syncs", syncs)
	}
}
