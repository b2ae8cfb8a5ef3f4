package gitrepo

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// Listings remembers between runs which names folders of a work tree were seen to hold, so that those are not read
// again of a folder that shows no change since: a sixth of what a look at a work tree takes. It holds hashes alone, each
// of a folder's marks and its names; the names come from Git's index, and the hash tells whether they are these. What
// was remembered is believed as Git believes its untracked cache. A nil Listings remembers nothing.
type Listings struct {
	known map[listing]bool // of the run before

	mu   sync.Mutex
	seen []listing
	more bool // some were not known
}

// listing is a hash of what a folder held, and of the marks that it had then.
type listing uint64

// folderMarks are by what a change of the names in a folder shows. The zero value is none.
type folderMarks struct {
	device, inode uint64
	mtime, ctime  time.Time
}

// maxListings bounds what is remembered: folders beyond that are read.
const maxListings = 1 << 19

// ReadListings takes up what Bytes gave.
func ReadListings(data []byte) *Listings {
	l := &Listings{known: make(map[listing]bool, len(data)/8)}
	for ; len(data) >= 8; data = data[8:] {
		l.known[listing(binary.BigEndian.Uint64(data))] = true
	}
	return l
}

// Bytes is what is to be remembered of this run; not ok if that is nothing new.
func (l *Listings) Bytes() (data []byte, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.seen[:min(len(l.seen), maxListings)] {
		data = binary.BigEndian.AppendUint64(data, uint64(s))
	}
	return data, l.more
}

func (l *Listings) remember(s listing, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen, l.more = append(l.seen, s), l.more || !known
}

// old reports whether a folder's last change was before the index was written, so that a later one, even in the same
// tick of the clock, gives it other marks. Only a clock that both are stamped by can tell.
func (x *index) old(m folderMarks) bool {
	return m.device != 0 && m.device == x.device && m.mtime.Before(x.written) && m.ctime.Before(x.written)
}

// holding is for a folder of these marks that holds what is in all, by name.
func (m folderMarks) holding(all []found) listing {
	var space [1 << 10]byte
	buf := space[:0]
	for _, n := range [...]uint64{m.device, m.inode, uint64(m.mtime.UnixNano()), uint64(m.ctime.UnixNano())} {
		buf = binary.BigEndian.AppendUint64(buf, n)
	}
	for _, f := range all {
		end := byte(0)
		if f.kind.IsDir() {
			end = '/'
		}
		buf = append(append(buf, f.name...), end)
	}
	sum := sha256.Sum256(buf)
	return listing(binary.BigEndian.Uint64(sum[:]))
}
