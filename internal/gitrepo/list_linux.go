package gitrepo

import (
	"encoding/binary"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lister lists the folders below one. It opens each once and asks for files by their names in it, which takes half of
// what os.ReadDir does.
type lister struct {
	fd     int
	stamps bool // a change of a folder's names shows in its times
}

func newLister(dir string) (l lister, err error) {
	l.fd, err = retried(func() (int, error) { return unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	var st unix.Statfs_t
	if err == nil && unix.Fstatfs(l.fd, &st) == nil {
		l.stamps = slices.Contains(stamping[:], int64(st.Type))
	}
	return l, err
}

// stamping are the file systems that surely set the times of a folder whenever a name in it comes or goes. Those of a
// network, or of another system, may do so late or never.
var stamping = [...]int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC}

func (l lister) close() { unix.Close(l.fd) }

// list lists a folder, in place of what all held, with the marks of the files in it, by name. The names are read
// unless recall knows them.
func (l lister) list(name string, all []found, recall func(folderMarks, []found) ([]found, bool)) (_ []found, m folderMarks, err error) {
	fd, err := retried(func() (int, error) {
		return unix.Openat(l.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, m, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if l.stamps && unix.Fstat(fd, &st) == nil {
		m = folderMarks{device: uint64(st.Dev), inode: st.Ino, mtime: time.Unix(st.Mtim.Unix()), ctime: time.Unix(st.Ctim.Unix())}
	}
	all, ok := recall(m, all[:0])
	if !ok {
		all, err = readNames(fd, all[:0])
		sortFound(all)
	}
	for i := range all {
		all[i].look(fd)
	}
	return all, m, err
}

// readNames reads the names in an open folder.
func readNames(fd int, all []found) ([]found, error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := retried(func() (int, error) { return unix.Getdents(fd, *buf) })
		if err != nil || n <= 0 {
			return all, err
		}
		for text := string((*buf)[:n]); text != ""; {
			length := binary.NativeEndian.Uint16((*buf)[n-len(text)+16:]) // after the inode and the offset
			name, _, _ := strings.Cut(text[19:length], "\x00")
			if name != "." && name != ".." {
				all = append(all, found{name: name, kind: kindOf(text[18])})
			}
			text = text[length:]
		}
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// kindOf tells folders from what is to be looked at.
func kindOf(kind byte) fs.FileMode {
	if kind == unix.DT_DIR {
		return fs.ModeDir | 0o755
	}
	return fs.ModeIrregular
}

// retried calls again what a signal interrupted.
func retried(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}

// look looks at one name of an open folder. A folder in it is looked at when it is listed.
func (f *found) look(fd int) {
	if f.kind.IsDir() {
		return
	}
	var st unix.Stat_t
	if _, f.err = retried(func() (int, error) { return 0, unix.Fstatat(fd, f.name, &st, unix.AT_SYMLINK_NOFOLLOW) }); f.err != nil {
		return
	}
	f.kind = fs.FileMode(st.Mode & 0o777)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		f.kind |= fs.ModeDir
	case unix.S_IFLNK:
		f.kind |= fs.ModeSymlink
	default:
		f.kind |= fs.ModeIrregular
	}
	f.marks = marks{mode: writtenMode(f.kind), size: st.Size, mtime: time.Unix(st.Mtim.Unix()),
		ctime: stamp{uint32(st.Ctim.Sec), uint32(st.Ctim.Nsec)}, inode: uint32(st.Ino), deep: true}
}

// contentOf maps a file, for good: what is read of it may be kept. Git replaces such a file, and never changes one.
func contentOf(f *os.File, size int64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	return unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_POPULATE)
}

// deviceOf is the file system that a file is on.
func deviceOf(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev)
	}
	return 0
}
