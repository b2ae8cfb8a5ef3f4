package bolt

import (
	"fmt"
	"os"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

// full are disks with room for a few pages more: for none, for one, and so on.
func full(disk *storetest.Disk) []storetest.Fault {
	var all []storetest.Fault
	for pages := range 8 {
		all = append(all, storetest.Fault{
			Name:   fmt.Sprintf("disk full but for %d pages", pages),
			Strike: func(t *testing.T) { disk.Fill(t, int64(pages*os.Getpagesize())) },
			Mend:   disk.Free,
		})
	}
	return all
}
