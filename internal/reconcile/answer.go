package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/llm-config-manager/lcm/internal/canonjson"
	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// answerOf is what the state keeps of a step that was believed.
func answerOf(s trust.Step) *state.Answer {
	a := &state.Answer{Signer: s.Signer, Forge: s.Forge, Roles: map[string][]string{}}
	for _, c := range s.Consented() {
		a.Consents = append(a.Consents, state.Consent{Persons: c.Persons, Paths: c.Paths})
	}
	for _, name := range append([]string{s.Signer}, s.Approvers...) {
		if roles := s.Roles(name); roles != nil {
			a.Roles[name] = roles
		}
	}
	return a
}

// answersATime bounds the memory that it takes to record them: a step may have thousands of paths.
const answersATime = 1024

// answer tells who answers for what is to be accepted. Of a long way it records the most, for the ratchet to move
// over it.
func (r *Reconciler) answer(v trust.Verified) (map[lcm.Revision]*state.Answer, error) {
	steps := v.Steps()
	old := steps[:max(0, len(steps)-answersATime)]
	for some := range slices.Chunk(old, answersATime) {
		if err := r.State.Answers(answersOf(some)); err != nil {
			return nil, fmt.Errorf("recording who answers for commits: %w", err)
		}
	}
	out := answersOf(steps[len(old):])
	for _, s := range old {
		out[s.Commit] = nil // it is recorded
	}
	if _, known := out[v.Revision()]; !known { // it was introduced, or accepted before
		out[v.Revision()] = nil
	}
	return out, nil
}

func answersOf(steps []trust.Step) map[lcm.Revision]*state.Answer {
	out := make(map[lcm.Revision]*state.Answer, len(steps))
	for _, s := range steps {
		out[s.Commit] = answerOf(s)
	}
	return out
}

// Limits on what the repository's own rules are told. Beyond them nothing is known, and rules that ask refuse.
const (
	maxAsked = 1_000  // steps since what is served that touch one namespace
	maxPaths = 10_000 // paths that one step changes
)

// changes finds the steps that brought each entry to its present state: all that changed it since it last was
// what is served; of what is served as it stands, the last one that changed it. An entry of which that is
// not known is absent.
func (j *job) changes(t *tree.Tree, now *tree.Resolved) (map[string][]*check.Change, error) {
	trail, err := j.served(now.Namespace)
	if err != nil {
		return nil, err
	}
	touching := trail.touching(slices.Concat(t.Feeds(now.Namespace), []string{tree.SettingsFile}))
	if len(touching) > maxAsked {
		return nil, nil
	}
	since, err := j.changedSince(now, trail, touching)
	if err != nil {
		return nil, err
	}
	before, err := j.before(trail, now.Namespace)
	if err != nil {
		return nil, err
	}
	out := map[string][]*check.Change{}
	for _, e := range now.Entries {
		revs := since[e.Address.Key]
		if rev := before(e.Address.Key); len(revs) == 0 && rev != "" {
			revs = []lcm.Revision{rev}
		}
		if out[e.Address.Key], err = j.asked(e, revs); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// changedSince returns, for each key, the steps that changed it since it last was what is served.
func (j *job) changedSince(now *tree.Resolved, trail *trail, touching []int) (map[string][]lcm.Revision, error) {
	out := map[string][]lcm.Revision{}
	if len(touching) == 0 {
		return out, nil
	}
	served, err := j.digestsAt(cmp.Or(trail.from, j.r.Introduction), now.Namespace, wholeSum)
	if err != nil {
		return nil, err
	}
	before := served
	for _, i := range touching {
		commit := trail.steps[i].commit
		after, err := j.digestsAt(commit, now.Namespace, wholeSum)
		if err != nil {
			return nil, err
		}
		for _, e := range now.Entries {
			switch key := e.Address.Key; after[key] {
			case served[key]:
				delete(out, key)
			case before[key]:
			default:
				out[key] = append(out[key], commit)
			}
		}
		before = after
	}
	return out, nil
}

// wholeSum digests an entry with its metadata: its owner and classification are changes that somebody answers for.
func wholeSum(e *tree.Entry) ([32]byte, error) {
	meta, err := json.Marshal(e.Metadata)
	if err != nil {
		return [32]byte{}, err
	}
	b, err := canonjson.Marshal(map[string]any{"kind": e.Kind, "spec": e.Spec})
	return sha256.Sum256(append(append(meta, 0), b...)), err
}

// served returns the trail from what a namespace is served at; a plan of a given revision looks there too, if
// that revision is built on it.
func (j *job) served(ns lcm.Namespace) (*trail, error) {
	if j.pending != nil {
		return j.since(ns)
	}
	n, err := j.r.State.Namespace(ns)
	if err != nil {
		return nil, err
	}
	from := j.processed
	if n.Pending() {
		from = n.Revision
	}
	if _, on := j.r.behind(from, j.verified.Revision()); !on {
		from = ""
	}
	return j.trail(from)
}

// before tells which step last changed an entry that has not changed since what is served; "" if that is not known.
func (j *job) before(trail *trail, ns lcm.Namespace) (func(key string) lcm.Revision, error) {
	if trail.from == "" {
		return func(string) lcm.Revision { return j.r.Introduction }, nil
	}
	inventory, _, err := j.r.State.Inventory(ns)
	last := map[string]state.Owned{}
	for _, owned := range inventory {
		for key, o := range owned {
			if o.Meta.Version > last[key].Meta.Version {
				last[key] = o
			}
		}
	}
	return func(key string) lcm.Revision { return cmp.Or(last[key].Changed, last[key].Meta.Revision) }, err
}

// asked makes of an entry's steps what the rules are told. If anything of it is not known, all is not.
func (j *job) asked(e *tree.Entry, revs []lcm.Revision) ([]*check.Change, error) {
	var out []*check.Change
	for _, rev := range revs {
		c, err := j.answers.change(j, rev, e)
		if c == nil || err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// answers keeps what is known of single steps. The zero value is empty.
type answers struct {
	mu      sync.Mutex
	steps   map[lcm.Revision]*answered
	changes map[string]*check.Change // by revision and approvers: most entries of a step have the same
}

type answered struct {
	state.Answer
	seen  time.Time
	paths []string
}

func (a *answers) change(j *job, rev lcm.Revision, e *tree.Entry) (*check.Change, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.of(j, rev)
	if s == nil || err != nil {
		return nil, err
	}
	approvers, known := consenters(s.Consents, e)
	if !known && !s.Vouched {
		return nil, nil
	}
	id := string(rev) + " " + strings.Join(approvers, " ")
	if a.changes == nil {
		a.changes = map[string]*check.Change{}
	}
	if a.changes[id] == nil {
		a.changes[id] = &check.Change{Revision: string(rev), Vouched: s.Vouched, Signer: s.Signer, Forge: s.Forge, Approvers: approvers, Roles: s.Roles,
			FirstSeen: s.seen.UTC().Format(time.RFC3339), Paths: s.paths}
	}
	return a.changes[id], nil
}

// of looks a step up; nil if it is not known who answers for it.
func (a *answers) of(j *job, rev lcm.Revision) (*answered, error) {
	if s, ok := a.steps[rev]; ok {
		return s, nil
	}
	s, err := j.lookUp(rev)
	if err != nil {
		return nil, err
	}
	if a.steps == nil {
		a.steps = map[lcm.Revision]*answered{}
	}
	a.steps[rev] = s
	return s, nil
}

func (j *job) lookUp(rev lcm.Revision) (s *answered, err error) {
	s = &answered{}
	var known bool
	if s.seen, known, err = j.r.State.FirstSeen(rev); err != nil {
		return nil, err
	}
	if !known {
		s.seen = j.r.Now()
	}
	if rev == j.r.Introduction {
		s.Vouched = true
		return s, nil
	}
	if s.Answer, known, err = j.r.State.Answer(rev); err != nil {
		return nil, err
	}
	if !known { // a plan writes nothing that could be read
		i := slices.IndexFunc(j.verified.Steps(), func(s trust.Step) bool { return s.Commit == rev })
		if i < 0 {
			return nil, nil
		}
		s.Answer = *answerOf(j.verified.Steps()[i])
	}
	c, err := j.r.Repo.Commit(rev)
	if err != nil || len(c.Parents) == 0 {
		return nil, err
	}
	changed, err := j.r.diff(c.Parents[0], rev)
	if err != nil || len(changed) > maxPaths {
		return nil, err
	}
	s.paths = pathsOf(changed)
	return s, nil
}

func pathsOf(changed []gitrepo.Change) []string {
	out := make([]string, len(changed))
	for i, c := range changed {
		out[i] = c.Path
	}
	slices.Sort(out)
	return out
}

// consenters returns who consented to every path of a step that changed an entry; it reports whether any path
// is known to have.
func consenters(all []state.Consent, e *tree.Entry) (persons []string, known bool) {
	for _, c := range all {
		if c.Paths != nil && !slices.ContainsFunc(c.Paths, func(p string) bool { return trust.Concerns(p, e.Address, e.Kind == lcm.KindPromptTemplate) }) {
			continue
		}
		if !known {
			persons, known = slices.Clone(c.Persons), true
			continue
		}
		persons = slices.DeleteFunc(persons, func(p string) bool { return !slices.Contains(c.Persons, p) })
	}
	return persons, known
}
