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

// trail is the commits since a revision, oldest first, and where each of them changed something.
type trail struct {
	from   lcm.Revision // "": since the introduction, itself included
	steps  []step
	folder map[string][]int // folder of a layer → the steps that changed something in it, ascending
	all    int              // the last step that has a say in every namespace; -1 if there is none
}

func newTrail(from lcm.Revision, steps []step) *trail {
	t := &trail{from: from, steps: steps, folder: map[string][]int{}, all: -1}
	for i, s := range steps {
		for _, c := range s.changed {
			if tree.FeedsAll(c.Path) {
				t.all = i
			}
			f := layerOf(c.Path)
			if at := t.folder[f]; len(at) == 0 || at[len(at)-1] != i {
				t.folder[f] = append(at, i)
			}
		}
	}
	return t
}

// layerOf returns namespaces/<org>/<project>/<service>/<environment> of a path below it, else the path.
func layerOf(path string) string {
	end := 0
	for range 5 {
		i := strings.IndexByte(path[end:], '/')
		if i < 0 {
			return path
		}
		end += i + 1
	}
	return path[:end-1]
}

// services returns the services that some step changed something of.
func (t *trail) services() map[lcm.Service]bool {
	out := map[lcm.Service]bool{}
	for f := range t.folder {
		if layer, ok := tree.LayerOf(f); ok {
			out[layer.Service] = true
		}
	}
	return out
}

// burning returns the tenants of which some step burned a value.
func (t *trail) burning() (orgs []string) {
	for _, s := range t.steps {
		for _, a := range s.burns {
			orgs = append(orgs, a.Org)
		}
	}
	slices.Sort(orgs)
	return slices.Compact(orgs)
}

// touching returns the steps that changed one of the folders that feed a namespace.
func (t *trail) touching(feeds []string) []int {
	var own []int
	for _, f := range feeds {
		own = append(own, t.folder[f]...)
	}
	slices.Sort(own)
	return slices.Compact(own)
}

// at returns the index of a commit, -1 if it lies before the trail.
func (t *trail) at(rev lcm.Revision) int {
	return slices.IndexFunc(t.steps, func(s step) bool { return s.commit == rev })
}

// since returns the trail from the revision that a namespace was last given. That is where the last pass
// ended, unless the namespace was held then, or a target failed.
func (j *job) since(ns lcm.Namespace) (*trail, error) {
	from := j.from
	if n, waits := j.pending[ns]; waits {
		from = n.Revision
	}
	return j.trail(from)
}

// trail returns the trail from a revision, which must be on the way.
func (j *job) trail(from lcm.Revision) (*trail, error) {
	j.trails.Lock()
	defer j.trails.Unlock()
	if t, ok := j.trails.from[from]; ok {
		return t, nil
	}
	steps, err := j.r.steps(j.verified, from)
	if err != nil {
		return nil, err
	}
	t := newTrail(from, steps)
	j.trails.from[from] = t
	return t, nil
}

// history finds the origin of each entry of a namespace.
func (j *job) history(t *tree.Tree, now *tree.Resolved) (map[string]origin, error) {
	trail, err := j.since(now.Namespace)
	if err != nil {
		return nil, err
	}
	touching := trail.touching(t.Feeds(now.Namespace))
	if len(touching) > 1 || len(touching) == 1 && trail.from == "" {
		return j.count(now, trail, touching)
	}
	last := j.r.Introduction
	if trail.from != "" {
		last = j.verified.Revision() // what did not change keeps what it has
	}
	if i := max(trail.all, slices.Max(append(touching, -1))); i >= 0 {
		last = trail.steps[i].commit
	}
	out := make(map[string]origin, len(now.Entries))
	for _, e := range now.Entries {
		out[e.Address.Key] = origin{last, 1}
	}
	return out, nil
}

// count resolves the namespace at each step that touched it, and compares what each key was.
func (j *job) count(now *tree.Resolved, trail *trail, touching []int) (map[string]origin, error) {
	skipped := max(0, len(touching)-maxPast)
	out := map[string]origin{}
	before, err := j.resolvedAt(cmp.Or(trail.from, j.r.Introduction), now.Namespace)
	if err != nil {
		return nil, err
	}
	counted, err := j.counted(now.Namespace)
	if err != nil {
		return nil, err
	}
	if trail.from == "" {
		for key := range before {
			if counted[key] == "" {
				out[key] = origin{j.r.Introduction, 1}
			}
		}
	}
	for _, i := range touching[skipped:] {
		commit := trail.steps[i].commit
		after, err := j.resolvedAt(commit, now.Namespace)
		if err != nil {
			return nil, err
		}
		for key, sum := range after {
			if before[key] != sum && i > trail.at(counted[key]) {
				out[key] = origin{commit, out[key].steps + 1}
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

// counted returns the commit up to which the version of each key is counted already. It may lie on the
// trail: another target failed then, or the pass was cut off after it had recorded what it wrote.
func (j *job) counted(ns lcm.Namespace) (map[string]lcm.Revision, error) {
	inventory, _, err := j.r.State.Inventory(ns)
	out, last := map[string]lcm.Revision{}, map[string]uint64{}
	for _, owned := range inventory {
		for key, o := range owned {
			if o.Meta.Version > last[key] { // it may be in two targets while it moves
				out[key], last[key] = o.Meta.Revision, o.Meta.Version
			}
		}
	}
	return out, err
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
	return j.digestsAt(rev, ns, func(e *tree.Entry) ([32]byte, error) {
		b, err := canonjson.Marshal(map[string]any{"kind": e.Kind, "spec": e.Spec})
		return sha256.Sum256(b), err
	})
}

func (j *job) digestsAt(rev lcm.Revision, ns lcm.Namespace, sum func(*tree.Entry) ([32]byte, error)) (map[string][32]byte, error) {
	t, err := j.past.at(j.r.Repo, rev)
	if err != nil || t == nil {
		return nil, err
	}
	sums := map[string][32]byte{}
	for _, e := range t.Resolve(ns).Entries {
		if sums[e.Address.Key], err = sum(e); err != nil {
			return nil, err
		}
	}
	return sums, nil
}
