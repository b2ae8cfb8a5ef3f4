// Package kept keeps what was worked out from content, by the hash of that content, in a folder of the user's own: a
// second run over the same need not work it out again. Nothing depends on it: what is lost, damaged or
// written by two at once is worked out anew.
package kept

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Key names a value by all that it was worked out from.
type Key [sha256.Size]byte

// NewKey makes a key of parts, none of which can be taken for another's end.
func NewKey(parts ...string) (k Key) {
	h := sha256.New()
	for _, p := range parts {
		_ = binary.Write(h, binary.BigEndian, int64(len(p)))
		_, _ = io.WriteString(h, p)
	}
	h.Sum(k[:0])
	return k
}

// Values are kept in one file. They are safe for concurrent use.
type Values struct {
	file string
	key  []byte // authenticates the file; nil: anybody could have written it who can write to the folder

	mu   sync.Mutex
	old  map[Key][]byte // as they were read
	used map[Key][]byte // those that were asked for or added
	more bool           // some were added
}

// Limits of one file and of the folder. What was not asked for the longest goes first.
const (
	maxFile   = 16 << 20
	maxFolder = 128 << 20
	maxFiles  = 64
)

const magic = "lcm kept values 1\n"

// Open opens the values of a name, such as a key in hexadecimal, in a folder, which is made if it is not there.
// It must be the user's own: whoever can write to it decides what is found in it.
func Open(dir, name string) (*Values, error) { return OpenSealed(dir, name, nil) }

// OpenSealed opens values that are believed only if they were written with the same key.
func OpenSealed(dir, name string, key []byte) (*Values, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || !owned(info) {
		return nil, fmt.Errorf("%s can be changed by others: make it a folder of yours with mode 700", dir)
	}
	v := &Values{file: filepath.Join(dir, name+extension), key: key, used: map[Key][]byte{}}
	v.old = v.read()
	return v, nil
}

const extension = ".kept"

// Get returns a value, which must not be changed.
func (v *Values) Get(k Key) ([]byte, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	value, ok := v.used[k]
	if !ok {
		if value, ok = v.old[k]; ok {
			v.used[k] = value
		}
	}
	return value, ok
}

// Put adds a value.
func (v *Values) Put(k Key, value []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.used[k], v.more = value, true
}

// Close writes what was added. Of two that do so at once the later one stays.
func (v *Values) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.more {
		now := time.Now()
		_ = os.Chtimes(v.file, now, now) // for prune
		return nil
	}
	err := v.write()
	return errors.Join(err, prune(filepath.Dir(v.file), v.file))
}

// Flush writes what was added, and lets go of what was not asked for since the last time: for who runs on, and asked
// for all that it will ask for again.
func (v *Values) Flush() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.more {
		return nil
	}
	v.old = nil
	if err := v.write(); err != nil {
		return err
	}
	v.old, v.used, v.more = v.used, map[Key][]byte{}, false
	return nil
}

// sum is over all that follows it in the file.
func (v *Values) sum(rest []byte) []byte {
	if v.key == nil {
		sum := sha256.Sum256(rest)
		return sum[:]
	}
	m := hmac.New(sha256.New, v.key)
	m.Write(rest)
	return m.Sum(nil)
}

// write writes first what was used, then the rest while there is room, and takes the place of the file only when it
// is whole.
func (v *Values) write() (err error) {
	var b bytes.Buffer
	b.WriteString(magic)
	b.Write(make([]byte, sha256.Size))
	add := func(k Key, value []byte) {
		if b.Len()+len(k)+4+len(value) <= maxFile {
			b.Write(k[:])
			_ = binary.Write(&b, binary.BigEndian, uint32(len(value)))
			b.Write(value)
		}
	}
	for k, value := range v.used {
		add(k, value)
	}
	for k, value := range v.old {
		if _, twice := v.used[k]; !twice {
			add(k, value)
		}
	}
	data := b.Bytes()
	copy(data[len(magic):], v.sum(data[len(magic)+sha256.Size:]))
	f, err := os.CreateTemp(filepath.Dir(v.file), temporary)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), v.file)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

const temporary = "writing-*"

// read reads the file; one that is damaged, or not ours, holds nothing.
func (v *Values) read() map[Key][]byte {
	f, err := os.Open(v.file)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	rest, ok := bytes.CutPrefix(data, []byte(magic))
	if err != nil || !ok || len(data) > maxFile || len(rest) < sha256.Size {
		return nil
	}
	if !hmac.Equal(v.sum(rest[sha256.Size:]), rest[:sha256.Size]) {
		return nil
	}
	values := map[Key][]byte{}
	for rest = rest[sha256.Size:]; len(rest) > 0; {
		if len(rest) < len(Key{})+4 {
			return nil
		}
		k, n := Key(rest), int64(binary.BigEndian.Uint32(rest[len(Key{}):]))
		if rest = rest[len(Key{})+4:]; int64(len(rest)) < n {
			return nil
		}
		values[k], rest = rest[:n:n], rest[n:]
	}
	return values
}
