package file

import (
	"os"
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
			if stranger.Load() {
				return asStranger(make)
			}
			return make()
		})
	}
	return storetest.Rig{Target: s, Intercept: seam.Intercept, Faults: []storetest.Fault{
		{Name: "disk full", Strike: func(t *testing.T) { disk.Fill(t, 0) }, Mend: disk.Free},
		{
			Name:   "permission lost",
			Strike: func(*testing.T) { stranger.Store(true) },
			Mend:   func(*testing.T) { stranger.Store(false) },
		},
	}}
}

// asStranger makes a change as a user who may read the files and not write them.
func asStranger(make func() error) error {
	if os.Getuid() != 0 {
		return syscall.EACCES // nobody but root can be another user
	}
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = syscall.Setfsuid(nobody) // of this thread only
	defer func() { _ = syscall.Setfsuid(0) }()
	return make()
}
