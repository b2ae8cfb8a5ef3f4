package etcd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/llm-config-manager/lcm/internal/store"
)

// mark is what stands beside a value.
type mark struct {
	store.Meta
	// ValueRevision is the mod revision of the value that the mark speaks of, if the value was not written
	// together with it; 0: it was, so that it has the mark's own.
	ValueRevision int64 `json:"valueRevision,omitempty"`
}

// maxMark bounds a mark, in bytes. Ours have a few hundred.
const maxMark = 16 << 10

func (m mark) encode() (string, error) {
	if m.Meta == (store.Meta{}) {
		return "", fmt.Errorf("etcd: the mark is empty")
	}
	b, err := json.Marshal(m)
	if err == nil && len(b) > maxMark {
		err = fmt.Errorf("etcd: the mark has %d bytes: %d are the most", len(b), maxMark)
	}
	return string(b), err
}

// parseMark reports false for what is no mark: an entry whose mark is not whole is not ours.
func parseMark(kv *mvccpb.KeyValue) (m mark, ok bool) {
	ok = len(kv.Value) <= maxMark && json.Unmarshal(kv.Value, &m) == nil && m.Meta != (store.Meta{})
	if !ok {
		return mark{}, false
	}
	return m, true
}

// entry is an entry as it stands, without its value. Mod revisions count the transactions of the whole etcd, so
// no two writes of a key have the same.
type entry struct {
	value int64 // the mod revision of the value; 0: there is none, and no entry
	mark  int64 // the mod revision of the mark; 0: there is none
	meta  store.Meta
	stale bool
}

// token stands for value and mark as they are. An entry that does not exist has none.
func (e entry) token() store.Token {
	switch {
	case e.value == 0:
		return ""
	case e.mark == 0:
		return store.Token(strconv.FormatInt(e.value, 10))
	}
	return store.Token(strconv.FormatInt(e.value, 10) + "." + strconv.FormatInt(e.mark, 10))
}

// parseToken is the reverse of token. It reports false for what is none.
func parseToken(t store.Token) (e entry, ok bool) {
	if t == "" {
		return e, true
	}
	value, mark, marked := strings.Cut(string(t), ".")
	if e.value, ok = revision(value); !ok || !marked {
		return e, ok
	}
	e.mark, ok = revision(mark)
	return e, ok
}

func revision(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n > 0
}

// bear gives an entry the mark that stands beside it.
func (e *entry) bear(kv *mvccpb.KeyValue) {
	m, ok := parseMark(kv)
	if !ok {
		return
	}
	e.meta, e.mark = m.Meta, kv.ModRevision
	e.stale = e.value != cmp.Or(m.ValueRevision, kv.ModRevision)
}
