package tree

import (
	"sync"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxCached bounds the parsed documents that a Tree keeps. A document with its positions takes about
// 10 KB, so a repository of any size stays within about 20 MB; those who resolve namespaces in their
// order find the layers that neighbours share. A glance is for a few namespaces of many revisions.
const (
	maxCached  = 2_000
	maxGlanced = 64
)

// cache keeps parsed layers, and forgets the oldest ones beyond its bound.
type cache struct {
	mu     sync.Mutex
	max    int
	layers map[lcm.Namespace]*cached
	queue  []lcm.Namespace // oldest first
	total  int             // documents in parsed layers
}

type cached struct {
	once  sync.Once
	layer *layer // written once, under once
	size  int    // guarded by cache.mu; 0 until the layer is parsed
}

func newCache(most int) *cache { return &cache{max: most, layers: map[lcm.Namespace]*cached{}} }

// get returns the layer, parsed by load if it is not there. Two callers of one layer parse it once;
// callers of different layers do not wait for each other.
func (c *cache) get(ns lcm.Namespace, load func() *layer) *layer {
	c.mu.Lock()
	e, ok := c.layers[ns]
	if !ok {
		e = &cached{}
		c.layers[ns] = e
		c.queue = append(c.queue, ns)
	}
	c.mu.Unlock()
	e.once.Do(func() {
		e.layer = load()
		c.grown(ns, e, e.layer.size())
	})
	return e.layer
}

// grown counts a layer that has just been parsed and drops the oldest ones, never this one. One that
// is still being parsed elsewhere and dropped here lives on for its callers only, uncounted.
func (c *cache) grown(ns lcm.Namespace, e *cached, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.layers[ns] != e {
		return
	}
	e.size = size
	c.total += e.size
	for c.total > c.max && len(c.queue) > 0 {
		oldest := c.queue[0]
		c.queue = c.queue[1:]
		if oldest == ns {
			c.queue = append(c.queue, ns)
			if len(c.queue) == 1 {
				return
			}
			continue
		}
		c.total -= c.layers[oldest].size
		delete(c.layers, oldest)
	}
}

// view is a Tree for the time of one operation. It holds on to the layers that it came across, so that
// a service larger than the cache is not parsed anew for every key. It is for one goroutine.
type view struct {
	*Tree
	held map[lcm.Namespace]*layer
}

// maxHeld is twice the longest chain.
const maxHeld = 2 * maxEnvironments

// view returns a new view; nil for a nil Tree.
func (t *Tree) view() *view {
	if t == nil {
		return nil
	}
	return &view{t, map[lcm.Namespace]*layer{}}
}

// layer is Tree.layer, remembered.
func (v *view) layer(s lcm.Service, environment string) *layer {
	ns := s.In(environment)
	l, ok := v.held[ns]
	if !ok {
		if len(v.held) >= maxHeld {
			clear(v.held)
		}
		l = v.Tree.layer(s, environment)
		v.held[ns] = l
	}
	return l
}
