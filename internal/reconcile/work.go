package reconcile

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// job says which namespaces a pass works on, and which commits brought it there.
type job struct {
	r         *Reconciler
	verified  trust.Verified
	from      lcm.Revision // the last revision carried out; "" for none
	processed lcm.Revision // the same, also for a plan of a given revision, which is made as if nothing had been carried out
	all       bool
	layers    map[lcm.Service]map[string]bool   // the folders of a service that differ
	also      map[lcm.Namespace]bool            // pending ones
	refer     map[lcm.Namespace][]lcm.Service   // those that refer to changed services
	stray     map[lcm.Namespace][]diag.Finding  // what the layout refuses beside or above their folders
	pending   map[lcm.Namespace]state.Namespace // held, failed or waiting; nil for a plan of a given revision
	pauses    *pauses
	bounds
	trails   trails
	past     past
	answers  answers
	versions *versions
	befores  befores
	burned   burned
	lapses   *lapses
}

// trails keeps the ways to the revision, by where they begin.
type trails struct {
	sync.Mutex
	from map[lcm.Revision]*trail
}

// step is one commit of the protected branch since the last revision carried out, oldest first.
type step struct {
	commit  lcm.Revision
	changed []gitrepo.Change
	burns   []lcm.Address
	deletes int        // what its message accepts: Lcm-Accept-Deletes: N
	judged  trust.Step // who consented to it; zero if that is not known any more, and then it accepts nothing
}

func (j *job) nothing() bool {
	return !j.all && len(j.also) == 0 && j.from == j.verified.Revision()
}

// changed finds out what there is to do. Its cost follows the difference of two trees.
func (r *Reconciler) changed(ctx context.Context, v trust.Verified, o Options) (_ *job, err error) {
	_, end := r.stage(ctx, "changed")
	defer end(&err)
	ratchet, _, err := r.State.Ratchet()
	if err != nil {
		return nil, err
	}
	j := &job{r: r, verified: v, lapses: r.newLapses(), from: ratchet.Processed, processed: ratchet.Processed, layers: map[lcm.Service]map[string]bool{}, also: map[lcm.Namespace]bool{}, refer: map[lcm.Namespace][]lcm.Service{}}
	if j.pauses, err = r.pauses(o); err != nil {
		return nil, err
	}
	if o.Revision != "" {
		j.from = "" // it is planned for as if nothing had been carried out
	} else if j.pending, err = r.State.Pending(); err != nil {
		return nil, err
	}
	steps, err := r.steps(v, j.from)
	if err != nil {
		return nil, err
	}
	j.trails.from = map[lcm.Revision]*trail{j.from: newTrail(j.from, steps)}
	if j.all = ratchet.Processed == "" || ratchet.Rules != r.edition || o.Everything || o.Revision != ""; j.all {
		return j, nil
	}
	if err := j.difference(); err != nil {
		return nil, err
	}
	return j, j.addPending()
}

// difference notes the services whose folders differ between the two revisions.
func (j *job) difference() error {
	if j.from == j.verified.Revision() {
		return nil
	}
	before, err := j.r.Repo.Tree(j.from)
	if err != nil {
		return err
	}
	diff, err := j.r.Repo.Diff(before, j.verified.FS())
	if err != nil {
		return fmt.Errorf("comparing %s with %s: %w", j.from.Short(), j.verified.Revision().Short(), err)
	}
	for _, c := range diff {
		layer, ok := tree.LayerOf(c.Path)
		switch {
		case tree.FeedsAll(c.Path):
			j.all = true
			return nil
		case ok && j.layers[layer.Service] == nil:
			j.layers[layer.Service] = map[string]bool{layer.Environment: true}
		case ok:
			j.layers[layer.Service][layer.Environment] = true
		}
	}
	return nil
}

// addPending adds what failed or waits for something that is not in the repository, what need not wait any more, what
// refers to a service that differs, and all of a tenant of which a value was burned.
func (j *job) addPending() error {
	touched := j.trails.from[j.from].services()
	for ns, n := range j.pending {
		waits := slices.ContainsFunc(n.Held, func(f diag.Finding) bool {
			return f.Rule == refHeld || f.Rule == plan.Foreign ||
				strings.HasPrefix(f.Rule, "sops/") || // a key may have come
				strings.HasPrefix(f.Rule, "layout/") // it may be another service's, or nobody's
		})
		// Rules may ask who changed it: the same content made again, by others, is another matter.
		if len(n.Failed) > 0 || len(n.Doomed) > 0 || waits || n.Waits > 0 && j.pauses.of(ns) == nil || touched[ns.Service] {
			j.also[ns] = true
		}
	}
	for _, org := range j.trails.from[j.from].burning() {
		inhabited, err := j.r.State.Inhabited(org)
		if err != nil {
			return err
		}
		for _, ns := range inhabited {
			j.also[ns] = true
		}
	}
	for service := range j.layers {
		dependents, err := j.r.State.Dependents(service)
		if err != nil {
			return err
		}
		for _, ns := range dependents {
			j.refer[ns] = append(j.refer[ns], service)
		}
	}
	return nil
}

// maxStray bounds how many findings about one folder a namespace is held with.
const maxStray = 20

// contain sets aside the findings about files and folders below namespaces/<org>/: they concern the
// namespaces below the same folder. It returns those that concern everybody, and those that concern nobody.
func (j *job) contain(t *tree.Tree, findings []diag.Finding) (everybody, nobody []diag.Finding) {
	beside := map[string][]diag.Finding{}
	for _, f := range findings {
		if dir := path.Dir(f.File); strings.HasPrefix(dir, "namespaces/") {
			beside[dir] = append(beside[dir], f)
		} else {
			everybody = append(everybody, f)
		}
	}
	if len(beside) == 0 {
		return everybody, nil
	}
	j.stray = map[lcm.Namespace][]diag.Finding{}
	concern := map[string]bool{}
	for _, ns := range t.Namespaces() {
		for dir := folder(ns); dir != "namespaces"; dir = path.Dir(dir) {
			if found := beside[dir]; len(found) > 0 {
				j.stray[ns] = append(j.stray[ns], found[:min(len(found), maxStray)]...)
				concern[dir] = true
			}
		}
	}
	for dir, found := range beside {
		if !concern[dir] {
			nobody = append(nobody, found...)
		}
	}
	return everybody, nobody
}

// namespaces lists what is to be worked on, sorted: also those that the revision no longer has, but a target does.
func (j *job) namespaces(t *tree.Tree) ([]lcm.Namespace, error) {
	set := maps.Clone(j.also)
	for ns := range j.stray {
		set[ns] = true
	}
	for _, ns := range j.published(t) {
		set[ns] = true
	}
	for ns, services := range j.refer { // a reference never leaves its environment
		if slices.ContainsFunc(services, func(s lcm.Service) bool { return j.concerns(t, s.In(ns.Environment)) }) {
			set[ns] = true
		}
	}
	prefixes := []string{""}
	if !j.all {
		prefixes = nil
		for service := range j.layers {
			prefixes = append(prefixes, service.String())
		}
	}
	for _, p := range prefixes {
		inhabited, err := j.r.State.Inhabited(p)
		if err != nil {
			return nil, err
		}
		for _, ns := range inhabited {
			if j.concerns(t, ns) {
				set[ns] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b lcm.Namespace) int { return strings.Compare(a.String(), b.String()) }), nil
}

// published lists the namespaces of the revision that the job concerns.
func (j *job) published(t *tree.Tree) []lcm.Namespace {
	if j.all {
		return t.Namespaces()
	}
	var out []lcm.Namespace
	for service := range j.layers {
		for env, e := range t.Settings().Environments {
			if ns := service.In(env); !e.Abstract && j.concerns(t, ns) {
				out = append(out, ns)
			}
		}
	}
	return out
}

// concerns reports whether one of the folders that feed a namespace differs. An environment that is
// gone has no chain: it always does.
func (j *job) concerns(t *tree.Tree, ns lcm.Namespace) bool {
	chain := t.Chain(ns.Environment)
	return j.all || len(chain) == 0 || slices.ContainsFunc(chain, func(e string) bool { return j.layers[ns.Service][e] })
}

// steps lists the commits from a revision carried out to this one. They were all believed; the
// walk goes back along first parents, as trust did.
func (r *Reconciler) steps(v trust.Verified, from lcm.Revision) ([]step, error) {
	if from == "" {
		from = r.Introduction
	}
	known := map[lcm.Revision]trust.Step{}
	for _, s := range v.Steps() {
		known[s.Commit] = s
	}
	var out []step
	for at := v.Revision(); at != from; {
		c, err := r.Repo.Commit(at)
		if err != nil {
			return nil, err
		}
		if len(c.Parents) == 0 {
			return nil, fmt.Errorf("%s is not on the way to %s", from.Short(), v.Revision().Short())
		}
		s := step{commit: at, deletes: acceptedDeletes(c.Message), burns: burnTrailers(c.Message)}
		if judged, ok := known[at]; ok {
			s.judged, s.changed = judged, judged.Changed
		} else if s.changed, err = r.diff(c.Parents[0], at); err != nil {
			return nil, err
		}
		out = append(out, s)
		at = c.Parents[0]
	}
	slices.Reverse(out)
	return out, nil
}

func (r *Reconciler) diff(a, b lcm.Revision) ([]gitrepo.Change, error) {
	before, err := r.Repo.Tree(a)
	if err != nil {
		return nil, err
	}
	after, err := r.Repo.Tree(b)
	if err != nil {
		return nil, err
	}
	return r.Repo.Diff(before, after)
}

// deletesTrailer, in the message of an approved commit, accepts that many deletions.
const deletesTrailer = "Lcm-Accept-Deletes:"

func acceptedDeletes(message string) int {
	n := 0
	for line := range strings.Lines(message) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), deletesTrailer); ok {
			if k, err := strconv.Atoi(strings.TrimSpace(rest)); err == nil && k > 0 {
				n += k
			}
		}
	}
	return n
}
