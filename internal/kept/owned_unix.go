//go:build unix

package kept

import (
	"io/fs"
	"os"
	"syscall"
)

// owned reports whether a folder is the user's.
func owned(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
