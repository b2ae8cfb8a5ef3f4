package tree

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// graph is what references lead to from one namespace, as far as it was looked at. It finds cycles
// as strongly connected components (Tarjan).
type graph struct {
	tree    *view
	nodes   map[lcm.Address]*node
	stack   []*node
	visited int
	cycles  [][]*node
}

type node struct {
	resolution
	address    lcm.Address
	links      []link
	order, low int // 0: not yet visited
	onStack    bool
}

func newGraph(v *view) *graph {
	return &graph{tree: v, nodes: map[lcm.Address]*node{}}
}

// resolve resolves a key once.
func (g *graph) resolve(a lcm.Address) resolution { return g.node(a).resolution }

func (g *graph) node(a lcm.Address) *node {
	n, ok := g.nodes[a]
	if !ok {
		n = &node{address: a, resolution: g.tree.resolveKey(a)}
		if n.state == found {
			n.links = links(n.entry)
		}
		g.nodes[a] = n
	}
	return n
}

func (g *graph) visit(n *node) {
	g.visited++
	n.order, n.low, n.onStack = g.visited, g.visited, true
	bottom := len(g.stack)
	g.stack = append(g.stack, n)
	loop := false
	for _, l := range n.links {
		if l.rule != "" {
			continue
		}
		to := g.node(l.to)
		loop = loop || to == n
		if to.order == 0 {
			g.visit(to)
			n.low = min(n.low, to.low)
		} else if to.onStack {
			n.low = min(n.low, to.order)
		}
	}
	if n.low < n.order {
		return
	}
	component := slices.Clone(g.stack[bottom:])
	g.stack = g.stack[:bottom]
	for _, m := range component {
		m.onStack = false
	}
	if loop || len(component) > 1 {
		g.cycles = append(g.cycles, component)
	}
}

// cycleFinding stands at the same place, with the same words, from wherever the cycle was found.
func cycleFinding(c []*node) diag.Finding {
	slices.SortFunc(c, func(a, b *node) int { return cmp.Compare(a.address.String(), b.address.String()) })
	var names []string
	for _, n := range c[:min(len(c), 8)] {
		names = append(names, shown(n.address))
	}
	i := slices.IndexFunc(c[0].links, func(l link) bool {
		return slices.ContainsFunc(c, func(n *node) bool { return n.address == l.to })
	})
	return diag.Errorf(c[0].links[i].at, "ref/cycle", "these refer to each other in a circle: %s", strings.Join(names, ", "))
}

// services returns the other services that were come across, sorted.
func (g *graph) services(own lcm.Service) []lcm.Service {
	set := map[lcm.Service]bool{}
	for a := range g.nodes {
		set[a.Service] = true
	}
	delete(set, own)
	return slices.SortedFunc(maps.Keys(set), compareServices)
}
