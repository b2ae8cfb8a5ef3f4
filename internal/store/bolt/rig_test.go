package bolt

import (
	"path/filepath"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

// rig is a store on a small disk. A batch is one step; what the library writes within it meets a disk that gets full at
// each of its pages.
func rig(key []byte) func(t *testing.T) storetest.Rig {
	return func(t *testing.T) storetest.Rig {
		disk := storetest.NewDisk(t, 1<<20)
		s := mustOpen(t, Config{Path: filepath.Join(disk.Dir, "store.db"), SealKey: key})
		var seam storetest.Seam
		s.commit = seam.Do
		return storetest.Rig{Target: s, Intercept: seam.Intercept, Faults: full(disk)}
	}
}
