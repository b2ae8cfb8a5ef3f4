package gitrepo

import (
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// generations is a cache bounded by weight: what was not asked for while the young generation filled
// up is forgotten with the old one.
type generations[K comparable, V any] struct {
	mu         sync.Mutex
	max        int // weight of one generation
	weight     int
	young, old map[K]weighed[V]
}

type weighed[V any] struct {
	value  V
	weight int
}

func newGenerations[K comparable, V any](max int) *generations[K, V] {
	return &generations[K, V]{max: max / 2, young: map[K]weighed[V]{}}
}

func (g *generations[K, V]) get(k K) (V, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w, ok := g.young[k]; ok {
		return w.value, true
	}
	w, ok := g.old[k]
	if ok {
		g.add(k, w)
	}
	return w.value, ok
}

func (g *generations[K, V]) put(k K, v V, weight int) {
	if weight > g.max/4 {
		return // one large value must not drive out all others
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.add(k, weighed[V]{v, weight})
}

func (g *generations[K, V]) add(k K, w weighed[V]) {
	if _, ok := g.young[k]; ok {
		return
	}
	if g.weight+w.weight > g.max {
		g.old, g.young, g.weight = g.young, make(map[K]weighed[V], len(g.young)), 0
	}
	g.young[k] = w
	g.weight += w.weight
}

// Weights of the caches, in bytes. Together they stay well within what a daemon may use.
const (
	baseCacheBytes = 8 << 20
	treeCacheBytes = 12 << 20
	cacheEntry     = 128 // what a map entry costs beside its value
)

// baseCache keeps unpacked objects that deltas build on.
type baseCache struct {
	g *generations[place, base]
}

type place struct {
	p      *pack
	offset int64
}

type base struct {
	t    plumbing.ObjectType
	data []byte
}

func newBaseCache() *baseCache {
	return &baseCache{newGenerations[place, base](baseCacheBytes)}
}

func (c *baseCache) get(p *pack, offset int64) (plumbing.ObjectType, []byte, bool) {
	b, ok := c.g.get(place{p, offset})
	return b.t, b.data, ok
}

func (c *baseCache) put(p *pack, offset int64, t plumbing.ObjectType, data []byte) {
	c.g.put(place{p, offset}, base{t, data}, len(data)+cacheEntry)
}
