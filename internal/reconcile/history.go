package reconcile

import (
	"slices"
	"strings"
	"sync"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// origin says which commit made what an address resolves to, and which of its versions that is.
type origin struct {
	commit  lcm.Revision
	version uint64
}

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

// digestsAt digests what each key resolved to at a revision; secrets as they are sealed.
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
