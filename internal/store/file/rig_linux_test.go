package file

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

// rig is a store on a small disk, each of whose changes can be made to fail.
func rig(t *testing.T) storetest.Rig {
	disk := storetest.NewDisk(t, 1<<20)
	s := mustOpen(t, disk.Dir)
	var seam storetest.Seam
	var stranger atomic.Bool
	s.change = func(_ string, make func() error) error {
		return seam.Do(func() error {
			if stranger.Load() && os.Getuid() == 0 {
				return asStranger(make)
			}
			return make()
		})
	}
	lose := func(lost bool, mode fs.FileMode) func(t *testing.T) {
		return func(t *testing.T) {
			stranger.Store(lost)
			setModes(t, disk.Dir, mode)
		}
	}
	return storetest.Rig{Target: s, Intercept: seam.Intercept, Faults: []storetest.Fault{
		{Name: "disk full", Strike: func(t *testing.T) { disk.Fill(t, 0) }, Mend: disk.Free},
		{Name: "permission lost", Strike: lose(true, 0o555), Mend: lose(false, 0o755)},
	}}
}

// setModes gives every folder a mode; that is what stops a user who is not root.
func setModes(t *testing.T, dir string, mode fs.FileMode) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(name, mode)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// asStranger makes a change as nobody in place of root, whom no mode stops.
func asStranger(make func() error) error {
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = syscall.Setfsuid(nobody) // of this thread only
	defer func() { _ = syscall.Setfsuid(0) }()
	return make()
}
