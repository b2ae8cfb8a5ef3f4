package modeltest

import (
	"maps"
	"slices"
	"testing"
)

// shrink leaves out of a history what can be left out while the verdicts still differ.
func shrink(t *testing.T, h *history) *history {
	for again := true; again; {
		again = false
		for _, smaller := range h.smaller() {
			if disagreement(t, smaller) != nil {
				h, again = smaller, true
				break
			}
		}
	}
	return h
}

// smaller lists the histories with one thing less.
func (h *history) smaller() (all []*history) {
	try := func(change func(*history) bool) {
		c := h.clone()
		if change(c) {
			all = append(all, c)
		}
	}
	for i := range h.pushes {
		try(func(h *history) bool { h.pushes = slices.Delete(h.pushes, i, i+1); return len(h.pushes) > 0 })
	}
	for i := len(h.commits) - 1; i > 0; i-- {
		try(func(h *history) bool { return h.drop(i) })
		if len(h.commits[i].parents) > 1 {
			try(func(h *history) bool { h.commits[i].parents = h.commits[i].parents[:1]; return true })
		}
	}
	for i, c := range h.commits {
		for path := range c.edits {
			try(func(h *history) bool {
				delete(h.commits[i].edits, path)
				return i > 0 || path != policyFile && path != settingsFile
			})
		}
		for k := range c.trailers {
			try(func(h *history) bool {
				h.commits[i].trailers = slices.Delete(h.commits[i].trailers, k, k+1)
				return true
			})
		}
	}
	for i, p := range h.pushes {
		for k := range p.refs {
			try(func(h *history) bool { h.pushes[i].refs = slices.Delete(h.pushes[i].refs, k, k+1); return true })
		}
	}
	return all
}

// clone copies as deep as smaller changes things.
func (h *history) clone() *history {
	c := &history{h.seed, slices.Clone(h.commits), slices.Clone(h.pushes)}
	for i := range c.commits {
		k := &c.commits[i]
		k.parents, k.edits, k.trailers = slices.Clone(k.parents), maps.Clone(k.edits), slices.Clone(k.trailers)
	}
	for i := range c.pushes {
		c.pushes[i].refs = slices.Clone(c.pushes[i].refs)
	}
	return c
}

// drop takes a commit out; its first parent takes its place. False if that makes no history.
func (h *history) drop(gone int) bool {
	instead := h.commits[gone].parents
	if len(instead) == 0 {
		return false
	}
	to := func(c *int) {
		if *c == gone {
			*c = instead[0]
		}
		if *c > gone {
			*c--
		}
	}
	h.commits = slices.Delete(h.commits, gone, gone+1)
	for i := range h.commits {
		c := &h.commits[i]
		for k := range c.parents {
			to(&c.parents[k])
		}
		c.parents = distinct(c.parents)
		for k := range c.trailers {
			to(&c.trailers[k].base)
			to(&c.trailers[k].head)
		}
	}
	for i := range h.pushes {
		p := &h.pushes[i]
		to(&p.head)
		to(&p.introduction)
		for k := range p.refs {
			to(&p.refs[k].head)
			to(&p.refs[k].base)
			to(&p.refs[k].approval.head)
		}
	}
	return true
}
