package gitrepo

import (
	"io/fs"
	"syscall"
)

// systemMarks adds what is hard to make alike: the time of the last change of any kind, and the inode.
func (m *marks) systemMarks(info fs.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		m.ctime, m.inode, m.deep = stamp{uint32(st.Ctim.Sec), uint32(st.Ctim.Nsec)}, uint32(st.Ino), true
	}
}
