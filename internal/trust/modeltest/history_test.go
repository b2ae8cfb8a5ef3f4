// Package modeltest holds trust.Verify against a second, naive implementation of the rules: random histories are judged
// by both, and the verdicts must agree. It has only tests:
//
//	go test ./internal/trust/modeltest -histories 100000 -seed 7     many, from another seed on
//	go test ./internal/trust/modeltest -only 4711                    one history, printed with both verdicts
package modeltest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// history is a made-up repository and what a daemon is shown of it. Commits are known by their index;
// parents come before children. Commit 0 is the introduction, unless a push says otherwise.
type history struct {
	seed    uint64
	commits []commit
	pushes  []push
}

type commit struct {
	parents  []int
	edits    tree // on top of the tree of the first parent; nil deletes
	key      string
	flaw     flaw
	trailers []approval
	note     string // what the generator meant by it
}

// flaw is what is wrong with a signature.
type flaw string

const (
	unsigned       flaw = "unsigned"
	badSignature   flaw = "signature of something else"
	wrongNamespace flaw = "signature for something else"
)

// push is one look of the daemon at the branch.
type push struct {
	head         int
	at           int // hours since epoch
	refs         []ref
	introduction int // what the operator's configuration says from now on
}

// approval is a signed approval. The zero repository and branch are the right ones.
type approval struct {
	base, head         int
	key                string
	adopt              bool
	repository, branch string
}

// ref is where an approval is filed: refs/lcm/approvals/<head>/<name>.
type ref struct {
	head int
	name string
	approval
}

// tree is the files of a commit, by path.
type tree map[string]*content

// content is a file: its text, and what it means: a *policy, *tenant, *settings, *document, *secret or
// link, or nil for what nobody reads.
type content struct {
	text  string
	means any
}

type link struct{}

func (t tree) text(path string) string {
	if f := t[path]; f != nil {
		return f.text
	}
	return ""
}

func (t tree) with(edits tree) tree {
	next := maps.Clone(t)
	if next == nil {
		next = tree{}
	}
	for path, f := range edits {
		if next[path] = f; f == nil {
			delete(next, path)
		}
	}
	return next
}

// trees gives the whole tree of each commit.
func (h *history) trees() []tree {
	var all []tree
	for _, c := range h.commits {
		var first tree
		if len(c.parents) > 0 {
			first = all[c.parents[0]]
		}
		all = append(all, first.with(c.edits))
	}
	return all
}

// changed lists the paths at which two trees differ.
func changed(a, b tree) (paths []string) {
	for _, path := range slices.Sorted(maps.Keys(a.with(b))) {
		if a.text(path) != b.text(path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// ancestors is the set of a commit and all that it is built on.
func (h *history) ancestors(c int) map[int]bool {
	all := map[int]bool{c: true}
	for _, p := range h.commits[c].parents {
		maps.Copy(all, h.ancestors(p))
	}
	return all
}

// distinct leaves out parents that are listed twice, which Git does not allow.
func distinct(parents []int) (all []int) {
	for _, p := range parents {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// firstParents is a commit, its first parent, and so on, newest first.
func (h *history) firstParents(c int) []int {
	chain := []int{c}
	for len(h.commits[c].parents) > 0 {
		c = h.commits[c].parents[0]
		chain = append(chain, c)
	}
	return chain
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func hours(n int) time.Time { return epoch.Add(time.Duration(n) * time.Hour) }

// String is the history as a person would read it.
func (h *history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "history of seed %d\n", h.seed)
	for i, c := range h.commits {
		fmt.Fprintf(&b, "commit %d on %v by %s %s (%s)\n", i, c.parents, c.key, c.flaw, c.note)
		for _, path := range slices.Sorted(maps.Keys(c.edits)) {
			fmt.Fprintf(&b, "    %s: %s\n", path, brief(c.edits[path]))
		}
		for _, a := range c.trailers {
			fmt.Fprintf(&b, "    trailer %+v\n", a)
		}
	}
	for _, p := range h.pushes {
		fmt.Fprintf(&b, "push of %d at hour %d (day %d), introduction %d\n", p.head, p.at, p.at/24, p.introduction)
		for _, r := range p.refs {
			fmt.Fprintf(&b, "    ref %d/%s %+v\n", r.head, r.name, r.approval)
		}
	}
	return b.String()
}

func brief(f *content) string {
	if f == nil {
		return "deleted"
	}
	switch f.means.(type) {
	case *policy, *tenant:
		return "\n        " + strings.ReplaceAll(strings.TrimSpace(f.text), "\n", "\n        ")
	case *settings, *secret:
		return fmt.Sprintf("%+v", f.means)
	}
	return strings.TrimSpace(f.text)
}
