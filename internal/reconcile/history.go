package reconcile

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"

	"github.com/llm-config-manager/lcm/internal/canonjson"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// origin says which commit last changed an entry, and how many did since the last revision carried out.
type origin struct {
	commit lcm.Revision
	steps  uint64
}

// maxPast bounds how many revisions one namespace is resolved at to count its versions. Beyond it the
// older steps count as one each: versions may skip numbers, they never repeat.
const maxPast = 32

// history finds the origin of each entry of a namespace.
func (j *job) history(t *tree.Tree, now *tree.Resolved) (map[string]origin, error) {
	touching, last := j.touching(t.Feeds(now.Namespace))
	out := make(map[string]origin, len(now.Entries))
	if len(touching) == 0 || len(touching) == 1 && j.from != "" { // what did not change keeps what it has
		for _, e := range now.Entries {
			out[e.Address.Key] = origin{last, 1}
		}
		return out, nil
	}
	return j.count(now, touching)
}

// touching returns the steps that changed one of the paths that feed a namespace, and the last step
// that has a say in it at all; the introduction if there was none.
func (j *job) touching(feeds []string) ([]step, lcm.Revision) {
	var own []step
	last := j.r.Introduction
	if j.from != "" {
		last = j.verified.Revision()
	}
	for _, s := range j.steps {
		if slices.ContainsFunc(s.changed, func(c gitrepo.Change) bool { return under(c.Path, feeds) }) {
			own = append(own, s)
			last = s.commit
		} else if slices.ContainsFunc(s.changed, func(c gitrepo.Change) bool { return feedsAll(c.Path) }) {
			last = s.commit
		}
	}
	return own, last
}

func under(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return path == f || strings.HasPrefix(path, f+"/") })
}

// count resolves the namespace at each step that touched it, and compares what each key was.
func (j *job) count(now *tree.Resolved, touching []step) (map[string]origin, error) {
	skipped := max(0, len(touching)-maxPast)
	out := map[string]origin{}
	before, err := j.resolvedAt(cmp.Or(j.from, j.r.Introduction), now.Namespace)
	if err != nil {
		return nil, err
	}
	if j.from == "" {
		for key := range before {
			out[key] = origin{j.r.Introduction, 1}
		}
	}
	for _, s := range touching[skipped:] {
		after, err := j.resolvedAt(s.commit, now.Namespace)
		if err != nil {
			return nil, err
		}
		for key, sum := range after {
			if before[key] != sum {
				out[key] = origin{s.commit, out[key].steps + 1}
			}
		}
		before = after
	}
	for _, e := range now.Entries {
		o, ok := out[e.Address.Key]
		if !ok {
			o.commit = j.r.Introduction
		}
		out[e.Address.Key] = origin{o.commit, o.steps + uint64(skipped)}
	}
	return out, nil
}

// maxTrees bounds how many revisions are kept at hand. Namespaces are worked on in their order, so what
// one looked at, the next one of the same service looks at again.
const maxTrees = 32

// past keeps the trees of single steps, loaded when a namespace has several. The zero value is empty.
type past struct {
	mu    sync.Mutex
	trees map[lcm.Revision]*tree.Tree
}

func (p *past) at(repo *gitrepo.Repo, rev lcm.Revision) (*tree.Tree, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.trees[rev]; ok {
		return t, nil
	}
	fsys, err := repo.Tree(rev)
	if err != nil {
		return nil, err
	}
	t := tree.Glance(fsys) // a revision that does not load resolves to nothing
	if p.trees == nil || len(p.trees) >= maxTrees {
		p.trees = map[lcm.Revision]*tree.Tree{}
	}
	p.trees[rev] = t
	return t, nil
}

// resolvedAt digests what each key resolved to at a revision; secrets as they are sealed.
func (j *job) resolvedAt(rev lcm.Revision, ns lcm.Namespace) (map[string][32]byte, error) {
	t, err := j.past.at(j.r.Repo, rev)
	if err != nil || t == nil {
		return nil, err
	}
	sums := map[string][32]byte{}
	for _, e := range t.Resolve(ns).Entries {
		b, err := canonjson.Marshal(map[string]any{"kind": e.Kind, "spec": e.Spec})
		if err != nil {
			return nil, err
		}
		sums[e.Address.Key] = sha256.Sum256(b)
	}
	return sums, nil
}
