//go:build !linux

package bolt

import "github.com/llm-config-manager/lcm/internal/store/storetest"

func full(*storetest.Disk) []storetest.Fault { return nil }
