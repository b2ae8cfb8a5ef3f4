//go:build !linux

package storetest

import "testing"

// Disk is a folder; only on Linux can it be made to be full.
type Disk struct{ Dir string }

// NewDisk makes one.
func NewDisk(t *testing.T, _ int64) *Disk { return &Disk{t.TempDir()} }
