//go:build !linux

package file

import (
	"testing"

	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

func rig(t *testing.T) storetest.Rig {
	s := mustOpen(t, t.TempDir())
	var seam storetest.Seam
	s.change = func(_ string, make func() error) error { return seam.Do(make) }
	return storetest.Rig{Target: s, Intercept: seam.Intercept}
}
