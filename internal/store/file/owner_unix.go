//go:build unix

package file

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownerOf names a file's owner by its id, and by the name that the host knows for it; "" for this very process's user, which
// the files of the store belong to anyway.
func ownerOf(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return ""
	}
	if u, err := user.LookupId(strconv.Itoa(int(st.Uid))); err == nil {
		return fmt.Sprintf("uid %d (%s)", st.Uid, u.Username)
	}
	return fmt.Sprintf("uid %d", st.Uid)
}
