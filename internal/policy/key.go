package policy

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
)

// key tells documents apart by some of their facts: two with the same key have the same.
type key struct {
	bytes []byte
	rare  bool // no other document is like this one
}

func (k *key) text(s string) {
	k.bytes = binary.AppendUvarint(k.bytes, uint64(len(s)))
	k.bytes = append(k.bytes, s...)
}

func (k *key) bool(b bool) {
	n := byte(0)
	if b {
		n = 1
	}
	k.bytes = append(k.bytes, n)
}

func (k *key) texts(all []string) {
	k.bytes = binary.AppendUvarint(k.bytes, uint64(len(all)))
	for _, s := range all {
		k.text(s)
	}
}

func (k *key) labels(all map[string]string) {
	k.bytes = binary.AppendUvarint(k.bytes, uint64(len(all)))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		k.text(name)
		k.text(all[name])
	}
}

func (k *key) target(t *Target) {
	if k.bool(t != nil); t != nil {
		k.text(t.Name)
		k.bool(t.Secrets)
		k.text(string(t.MaxClassification))
	}
}

// maxKnown bounds the answers that are remembered, and maxKey what they are remembered by.
const (
	maxKnown = 4096
	maxKey   = 1024
)

// known remembers answers by keys. When it is full, it begins anew.
type known struct {
	mu      sync.Mutex
	answers map[string]answer
}

func (m *known) get(k *key) (a answer, ok bool) {
	if k.rare {
		return a, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok = m.answers[string(k.bytes)]
	a.verdicts = slices.Clone(a.verdicts)
	return a, ok
}

func (m *known) put(k *key, a answer) {
	if k.rare || len(k.bytes) > maxKey {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers == nil || len(m.answers) >= maxKnown {
		m.answers = map[string]answer{}
	}
	a.verdicts = slices.Clone(a.verdicts)
	m.answers[string(k.bytes)] = a
}
