package storetest

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// Disk is a folder whose file system can be full: a small one of its own where this process may mount one, or
// else any, with a limit to the length of files instead.
type Disk struct {
	Dir     string
	mounted bool
	limit   syscall.Rlimit
}

// NewDisk makes one of so many bytes for the length of a test. It is in memory where it can be mounted, and so fast.
func NewDisk(t *testing.T, size int64) *Disk {
	d := &Disk{Dir: t.TempDir()}
	err := syscall.Mount("lcm-test", d.Dir, "tmpfs", 0, fmt.Sprintf("size=%d,nr_inodes=%d", size, size>>12))
	if d.mounted = err == nil; d.mounted {
		t.Cleanup(func() { _ = syscall.Unmount(d.Dir, syscall.MNT_DETACH) })
	}
	return d
}

// Fill leaves room for so many bytes more, and for no further file.
func (d *Disk) Fill(t *testing.T, leave int64) {
	t.Helper()
	if !d.mounted {
		signal.Ignore(syscall.SIGXFSZ)
		err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &d.limit)
		if err == nil {
			err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(leave), Max: d.limit.Max})
		}
		if err != nil {
			t.Error(err)
		}
		return
	}
	if err := d.fill(leave); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("filling the disk: %v", err)
	}
}

func (d *Disk) fill(leave int64) error {
	f, err := os.Create(filepath.Join(d.Dir, ".filler"))
	if err != nil {
		return err
	}
	defer f.Close()
	full, page := int64(0), make([]byte, os.Getpagesize())
	for err == nil {
		_, err = f.Write(page)
		full += int64(len(page))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	if err := f.Truncate(max(0, full-int64(len(page))-leave)); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if err := os.Symlink("nowhere", filepath.Join(d.Dir, fmt.Sprint(".filler", i))); err != nil {
			return err
		}
	}
}

// Free makes room again.
func (d *Disk) Free(t *testing.T) {
	t.Helper()
	if !d.mounted {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &d.limit); err != nil {
			t.Error(err)
		}
		return
	}
	fillers, err := filepath.Glob(filepath.Join(d.Dir, ".filler*"))
	for _, name := range fillers {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		t.Error(err)
	}
}
