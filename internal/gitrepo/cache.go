package gitrepo

import (
	"encoding/binary"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// slots is a cache bounded by weight. A key has its place in one of two slots, so that a look costs as much as
// reading them; who takes a place drives out the one that was not asked for, and where the cache is too heavy, a hand
// that goes around does (the clock algorithm).
type slots[K comparable, V any] struct {
	place func(K) uint64 // spreads keys evenly
	max   int            // weight of all

	mu     sync.Mutex
	all    []slot[K, V] // made when the first value comes
	weight int
	hand   int
}

type slot[K comparable, V any] struct {
	key    K
	value  V
	weight int // 0: nothing is here
	asked  bool
}

const slotCount = 1 << 14

func newSlots[K comparable, V any](max int, place func(K) uint64) *slots[K, V] {
	return &slots[K, V]{place: place, max: max}
}

// pair is the two slots where a key can be.
func (c *slots[K, V]) pair(k K) []slot[K, V] {
	i := int(c.place(k)%(slotCount/2)) * 2
	return c.all[i : i+2]
}

func (c *slots[K, V]) get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		return v, false
	}
	for i, pair := 0, c.pair(k); i < len(pair); i++ {
		if s := &pair[i]; s.weight > 0 && s.key == k {
			s.asked = true
			return s.value, true
		}
	}
	return v, false
}

func (c *slots[K, V]) put(k K, v V, weight int) {
	if weight > c.max/8 {
		return // one large value must not drive out all others
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = make([]slot[K, V], slotCount)
	}
	pair := c.pair(k)
	into := &pair[0]
	if other := &pair[1]; other.weight > 0 && other.key == k || into.weight > 0 && into.key != k && !other.asked {
		into = other
	}
	pair[0].asked, pair[1].asked = false, false
	c.drop(into)
	*into = slot[K, V]{k, v, weight, true}
	for c.weight += weight; c.weight > c.max; c.hand++ {
		s := &c.all[c.hand%slotCount]
		if s.asked {
			s.asked = false
		} else {
			c.drop(s)
		}
	}
}

func (c *slots[K, V]) drop(s *slot[K, V]) {
	c.weight -= s.weight
	*s = slot[K, V]{}
}

// Weights of the caches, in bytes. Together they stay well within what a daemon may use.
const (
	baseCacheBytes = 8 << 20
	treeCacheBytes = 12 << 20
	cacheEntry     = 128 // what an entry costs beside its value
)

// baseCache keeps unpacked objects that deltas build on.
type baseCache struct{ *slots[place, base] }

type place struct {
	p      *pack
	offset int64
}

type base struct {
	t    plumbing.ObjectType
	data []byte
}

func newBaseCache() *baseCache {
	return &baseCache{newSlots[place, base](baseCacheBytes, place.spread)}
}

// spread is Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4).
func (p place) spread() uint64 { return uint64(p.offset) * 0x9e3779b97f4a7c15 >> 40 }

// treeCache keeps parsed trees.
type treeCache struct {
	*slots[plumbing.Hash, *treeObject]
}

func newTreeCache() *treeCache {
	return &treeCache{newSlots[plumbing.Hash, *treeObject](treeCacheBytes, func(id plumbing.Hash) uint64 { return binary.BigEndian.Uint64(id[:]) })}
}
