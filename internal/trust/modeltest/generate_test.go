package modeltest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator makes a history step by step, as people and attackers might. It asks the model what was accepted
// so far, so that most of what it does makes sense.
type generator struct {
	*rand.Rand
	h      *history
	trees  []tree  // of the commits of h
	daemon *daemon // after the pushes of h

	now          int // hours
	tip          int // where the branch is, as people see it
	introduction int // what the operator configures
	refused      int // the step that holds up the branch, or none
	n            int // for contents
}

// generate makes the history of a seed.
func generate(seed uint64) *history {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 3)), h: &history{seed: seed}}
	g.commit(commit{edits: g.start(), key: "alice/1", note: "introduction"})
	if g.chance(20) { // somebody changed something before
		g.commit(commit{parents: []int{0}, edits: g.edits(g.trees[0], 4), key: "stranger/1", note: "introduction"})
	}
	g.tip, g.refused = len(g.h.commits)-1, none
	g.introduction = g.tip
	g.h.pushes = []push{{head: g.tip, introduction: g.tip}}
	g.daemon, _ = g.judge(newDaemon(g.h))
	for range 2 + g.IntN(5) {
		g.step()
	}
	return g.h
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, all []T) T { return all[g.IntN(len(all))] }

// step makes one push. Mostly it looks for one that is believed and changes something.
func (g *generator) step() {
	before, commits, pushes := *g, g.h.commits, g.h.pushes
	good := g.chance(60)
	for try := range 8 {
		*g, g.h.commits, g.h.pushes = before, commits, pushes
		g.push()
		after, v := g.judge(before.daemon)
		if !good || try == 7 || len(v.faults) == 0 && slices.ContainsFunc(v.steps, func(s step) bool { return len(s.met) > 0 }) {
			g.daemon = after
			g.settle(v)
			return
		}
	}
}

// judge asks the model about the last push.
func (g *generator) judge(before *daemon) (after *daemon, v verdict) {
	d := *before
	d.h, d.trees, d.refs = g.h, g.trees, slices.Clone(d.refs)
	d.seen, d.accepted = maps.Clone(d.seen), maps.Clone(d.accepted)
	v = d.push(g.h.pushes[len(g.h.pushes)-1])
	return &d, v
}

// settle moves the branch back after a refusal, mostly.
func (g *generator) settle(v verdict) {
	g.refused = none
	switch {
	case len(v.faults) == 0:
	case g.chance(20): // the branch stays, to be helped by approvals
		if i := slices.Index(g.h.firstParents(g.tip), v.revision); i > 0 {
			g.refused = g.h.firstParents(g.tip)[i-1]
		}
	case v.revision != none:
		g.tip = v.revision
	default:
		g.introduction = g.h.pushes[0].introduction
	}
}

func (g *generator) push() {
	last := g.h.pushes[len(g.h.pushes)-1]
	g.now = last.at + pick(g, []int{0, 1, 24, 24, 24 * 5, 24 * 12, 24 * 30, 24*30 + 1})
	p := push{at: g.now}
	if g.refused != none {
		p.refs = g.help(g.h.commits[g.refused].parents[0], g.refused)
	}
	for range 1 + g.IntN(5)/4 {
		p.refs = append(p.refs, g.change()...)
	}
	p.head = g.tip
	switch {
	case g.chance(2):
		p.head = g.IntN(len(g.h.commits)) // the branch is moved somewhere
	case g.chance(2):
		g.introduction = g.IntN(len(g.h.commits)) // the operator moves the introduction
	}
	p.introduction = g.introduction
	g.h.pushes = append(g.h.pushes, p)
}

// commit adds a commit and returns its index.
func (g *generator) commit(c commit) int {
	switch {
	case len(g.h.commits) < 2:
	case g.chance(2):
		c.flaw = unsigned
	case g.chance(1):
		c.key = "stranger/1"
	case g.chance(1):
		c.flaw = pick(g, []flaw{badSignature, wrongNamespace})
	}
	var first tree
	if len(c.parents) > 0 {
		first = g.trees[c.parents[0]]
	}
	c.parents = distinct(c.parents)
	g.h.commits, g.trees = append(g.h.commits, c), append(g.trees, first.with(c.edits))
	return len(g.h.commits) - 1
}

// change adds commits on top of the branch, and gives the approvals that are filed with them.
func (g *generator) change() []ref {
	switch n := g.IntN(100); {
	case n < 12:
		g.tip = g.commit(commit{parents: []int{g.tip}, edits: g.edits(g.trees[g.tip], 1+g.IntN(2)), key: g.author(), note: "direct"})
	case n < 14:
		return g.merge(g.draft(g.tip), g.chance(50))
	case n < 32:
		return g.merge(g.branch(g.forkPoint(), "branch"), false)
	case n < 49:
		return g.merge(g.branch(g.forkPoint(), "approved branch"), true)
	case n < 66:
		g.rollback()
	case n < 74:
		g.rotate()
	case n < 90:
		return g.policyChange()
	case n < 96:
		return g.stray()
	default:
		return g.remerge()
	}
	return nil
}

// forkPoint is where a branch starts: mostly at the tip.
func (g *generator) forkPoint() int {
	chain := g.h.firstParents(g.tip)
	if g.chance(70) {
		return g.tip
	}
	return chain[g.IntN(min(len(chain), 4))]
}

// branch makes a few commits beside the branch and returns the last.
func (g *generator) branch(fork int, note string) int {
	at := fork
	for range 1 + g.IntN(3) {
		edits := g.edits(g.trees[at], 1+g.IntN(2))
		switch {
		case g.chance(15): // a second person agrees by making the same change
			if last := g.h.commits[len(g.h.commits)-1]; at != fork {
				edits = maps.Clone(last.edits)
			}
		case at != fork && g.chance(10):
			at = g.commit(commit{parents: []int{at, g.tip}, edits: difference(g.trees[fork], g.trees[g.tip]), key: g.author(), note: "update of the branch"})
		case at != fork && g.chance(10):
			other := g.commit(commit{parents: []int{fork}, edits: edits, key: g.author(), note: "second branch"})
			at = g.commit(commit{parents: []int{at, other}, edits: edits, key: g.author(), note: "merge within the branch"})
		}
		at = g.commit(commit{parents: []int{at}, edits: edits, key: g.author(), note: note})
	}
	return at
}

// draft is a branch on which somebody thinks better of a change, and somebody else takes it up again.
func (g *generator) draft(fork int) int {
	author := g.author()
	first := g.edits(g.trees[fork], 1)
	at := g.commit(commit{parents: []int{fork}, edits: first, key: author, note: "draft"})
	back := g.edits(g.trees[at], 1)
	for path := range first {
		back[path] = g.trees[fork][path]
	}
	at = g.commit(commit{parents: []int{at}, edits: back, key: author, note: "draft taken back"})
	return g.commit(commit{parents: []int{at}, edits: first, key: g.author(), note: "draft taken up"})
}

// difference is what turns one tree into another.
func difference(a, b tree) tree {
	edits := tree{}
	for _, path := range changed(a, b) {
		edits[path] = b[path]
	}
	return edits
}

// merge merges a branch: what it changed since it forked goes on top.
func (g *generator) merge(side int, approved bool) []ref {
	edits := difference(g.trees[g.forkOf(side)], g.trees[side])
	c := commit{parents: []int{g.tip, side}, edits: edits, key: g.author(), note: "merge"}
	switch {
	case g.chance(8):
		c.edits = g.trees[g.tip].with(nil).with(edits).with(g.edits(g.trees[g.tip], 1))
		c.edits, c.note = difference(g.trees[g.tip], c.edits), "merge with a change of its own"
	case g.chance(8):
		other := g.branch(g.forkPoint(), "third branch")
		maps.Copy(c.edits, difference(g.trees[g.forkOf(other)], g.trees[other]))
		c.parents, c.note = append(c.parents, other), "octopus"
	case g.chance(4):
		c.parents = []int{side, g.tip}
		c.edits, c.note = difference(g.trees[side], g.trees[g.tip].with(edits)), "merge with swapped parents"
	case g.chance(4):
		c.parents, c.note = c.parents[:1], "squash"
	}
	var refs []ref
	if approved {
		base := g.tip
		if g.chance(20) {
			base = g.forkOf(side)
		}
		c.trailers, refs = g.approvals(base, side)
	}
	g.tip = g.commit(c)
	if approved && g.chance(10) { // approvals of the merge itself
		_, more := g.approvals(c.parents[0], g.tip)
		refs = append(refs, more...)
	}
	return refs
}

// forkOf is the newest revision of the branch that a side is built on.
func (g *generator) forkOf(side int) int {
	behind := g.h.ancestors(side)
	for _, r := range g.h.firstParents(g.tip) {
		if behind[r] {
			return r
		}
	}
	return 0
}

// approvals makes approvals of some persons for a change, as trailers or to be filed.
func (g *generator) approvals(base, head int) (trailers []approval, refs []ref) {
	for _, name := range g.some(people, 1+g.IntN(3)) {
		a := approval{base: base, head: head, key: g.keyOf(name)}
		r := ref{head, name, approval{}}
		switch {
		case g.chance(3):
			a.repository = "other-config"
		case g.chance(3):
			a.branch = "other"
		case g.chance(3):
			a.key = "stranger/1"
		case g.chance(3):
			a.base = g.IntN(len(g.h.commits))
		case g.chance(3):
			a.head = g.IntN(len(g.h.commits))
		case g.chance(3):
			r.name = pick(g, people)
		case g.chance(3):
			r.head = g.IntN(len(g.h.commits))
		case g.chance(5):
			a.adopt = true
		}
		if r.approval = a; g.chance(50) {
			trailers = append(trailers, a)
		} else {
			refs = append(refs, r)
		}
	}
	return trailers, refs
}

func (g *generator) some(all []string, n int) []string {
	shuffled := slices.Clone(all)
	g.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	return shuffled[:min(n, len(shuffled))]
}

// rollback brings back what the branch held before: one path, or all, the settings mostly excepted.
func (g *generator) rollback() {
	chain := g.h.firstParents(g.tip)
	to := chain[g.IntN(min(len(chain), 5))]
	if len(chain) > 1 && g.chance(60) {
		to = chain[1]
	}
	edits := difference(g.trees[g.tip], g.trees[to])
	maps.DeleteFunc(edits, func(path string, _ *content) bool {
		return strings.HasPrefix(path, ".lcm/") && !g.chance(5) || isSettings(path) && !g.chance(25)
	})
	if paths := slices.Sorted(maps.Keys(edits)); len(paths) > 1 && g.chance(50) {
		path := pick(g, paths)
		edits = tree{path: edits[path]}
	}
	switch {
	case g.chance(30):
		edits = g.edits(g.trees[g.tip], 1).and(edits)
	case g.chance(20):
		edits = g.formerSettings(chain).and(edits)
	case g.chance(35):
		edits = g.oneLayer(edits)
	}
	g.tip = g.commit(commit{parents: []int{g.tip}, edits: edits, key: g.keyOf(pick(g, people[:6])), note: "back"})
}

// oneLayer keeps one file of a lower layer, and changes something else of its service: so the file is what it was, and the
// service is not.
func (g *generator) oneLayer(edits tree) tree {
	for path, f := range sorted(edits) {
		if service, env, _, ok := splitPath(path); ok && (env == "base" || env == "staging") {
			return tree{path: f, service + "/development/k1.yaml": g.newDocument().content()}
		}
	}
	return edits
}

// formerSettings are the last other ones that the branch had.
func (g *generator) formerSettings(chain []int) tree {
	for _, r := range chain {
		if was := g.trees[r][settingsFile]; was.text != g.trees[g.tip].text(settingsFile) {
			return tree{settingsFile: was}
		}
	}
	return tree{}
}

// rotate replaces sealed values.
func (g *generator) rotate() {
	t, edits := g.trees[g.tip], tree{}
	for path, f := range sorted(t) {
		if s, ok := f.means.(*secret); ok && g.chance(70) {
			next := *s
			next.sealed = g.fresh()
			switch {
			case g.chance(5):
				next.owner = "team-" + fmt.Sprint(g.IntN(3))
			case g.chance(5):
				next.recipient = "age1other"
			}
			edits[path] = next.content()
		}
	}
	if g.chance(10) {
		edits = edits.with(g.edits(t, 1))
	}
	key := g.keyOf("rotator")
	if g.chance(15) {
		key = g.author()
	}
	g.tip = g.commit(commit{parents: []int{g.tip}, edits: edits, key: key, note: "rotation"})
}

// stray is a commit without a signature that counts, and adoptions of it.
func (g *generator) stray() []ref {
	c := commit{parents: []int{g.tip}, edits: g.edits(g.trees[g.tip], 1), key: g.author(), flaw: unsigned, note: "stray"}
	if g.chance(30) {
		c.flaw, c.key = "", "stranger/1"
	}
	if g.chance(20) {
		c.parents = append(c.parents, g.branch(g.tip, "branch of a stray merge"))
	}
	base := g.tip
	g.tip = g.commit(c)
	return g.help(base, g.tip)
}

// help is approvals of a step, most of them to adopt it.
func (g *generator) help(base, head int) (refs []ref) {
	for _, name := range g.some(people, 1+g.IntN(5)) {
		refs = append(refs, ref{head, name, approval{base: base, head: head, key: g.keyOf(name), adopt: !g.chance(4)}})
	}
	return refs
}

// remerge merges, once more, something that was merged before, or what is built on it.
func (g *generator) remerge() []ref {
	var sides []int
	for _, c := range g.h.commits {
		if len(c.parents) > 1 && c.parents[1] != 0 {
			sides = append(sides, c.parents[1])
		}
	}
	if len(sides) == 0 {
		return nil
	}
	side := pick(g, sides)
	edits := difference(g.trees[g.h.commits[side].parents[0]], g.trees[side])
	if g.chance(60) {
		edits = g.edits(g.trees[side], 1)
		side = g.commit(commit{parents: []int{side}, edits: edits, key: g.author(), note: "more on a merged branch"})
	}
	g.tip = g.commit(commit{parents: []int{g.tip, side}, edits: edits, key: g.author(), note: "merge again"})
	return nil
}

func sorted(t tree) func(func(string, *content) bool) {
	return func(yield func(string, *content) bool) {
		for _, path := range slices.Sorted(maps.Keys(t)) {
			if !yield(path, t[path]) {
				return
			}
		}
	}
}

// keyOf is the key that a person would use now: mostly one of the policy's.
func (g *generator) keyOf(name string) string {
	if p := policyOf(g.trees[g.tip]); p != nil && len(p.people[name].keys) > 0 && !g.chance(3) {
		return pick(g, p.people[name].keys).name
	}
	return fmt.Sprintf("%s/%d", name, 1+g.IntN(3))
}

// author is the key of somebody, mostly of one who counts for much.
func (g *generator) author() string {
	if g.chance(60) {
		return g.keyOf(pick(g, people[:5]))
	}
	return g.keyOf(pick(g, append(slices.Clone(people), bots...)))
}

func (g *generator) fresh() int { g.n++; return g.n }

// isSettings is used by nobody but the generator, which wants few changes of the settings.
func isSettings(path string) bool {
	return strings.HasPrefix(path, ".lcm/") || strings.HasPrefix(path, "policies/") || path == settingsFile
}
