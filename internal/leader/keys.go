package leader

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// keys is the prefix. It knows where everything is.
type keys string

func (k keys) office() string { return string(k) + "office" }
func (k keys) term() string   { return string(k) + "term" }
func (k keys) pokes() string  { return string(k) + "pokes/" }

// space is where the state of one repository is.
type space string

func (k keys) space(repository string) space { return space(string(k) + "state/" + repository + "/") }

func (s space) records() string    { return string(s) + "records/" }
func (s space) redo() string       { return string(s) + "redo" }
func (s space) chunks() string     { return string(s) + "chunks/" }
func (s space) chunk(n int) string { return fmt.Sprintf("%s%08x", s.chunks(), n) }

// A record of more bytes than partSize is kept in parts, since etcd takes no request of more than 1.5 MiB. No key of a
// record holds the byte that stands before the number of a part.
const (
	partSize = 512 << 10
	partMark = "\xff"
)

// places are the keys that hold a record of so many bytes; 0: there is none.
func (s space) places(record string, size int) []string {
	key := s.records() + record
	switch {
	case size == 0:
		return nil
	case size <= partSize:
		return []string{key}
	}
	var all []string
	for n := range (size + partSize - 1) / partSize {
		all = append(all, key+partMark+string(binary.BigEndian.AppendUint32(nil, uint32(n))))
	}
	return all
}

// recordOf is the reverse of places. part says that the key holds one of several.
func (s space) recordOf(key string) (record string, part bool) {
	record, _, part = strings.Cut(strings.TrimPrefix(key, s.records()), partMark)
	return record, part
}
