package modeltest

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

var (
	histories = flag.Int("histories", 10_000, "how many histories are judged")
	firstSeed = flag.Uint64("seed", 1, "seed of the first; the others follow")
	only      = flag.Uint64("only", 0, "judge the history of this seed alone, and print it")
)

// shards of histories are judged at the same time, each in repositories of its own.
const (
	shards        = 8
	perRepository = 250
)

func TestModel(t *testing.T) {
	if *only != 0 {
		h := generate(*only)
		t.Log(h)
		if err := disagreement(t, h); err != nil {
			small := shrink(t, h)
			t.Errorf("%v\nshrunk:\n%v\n%v", err, small, disagreement(t, small))
		}
		return
	}
	n := *histories
	if testing.Short() {
		n = min(n, 1000)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // there is much garbage, and little else
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(2 << 30))
	met := &coverage{counts: map[string]int{}}
	t.Run("histories", func(t *testing.T) {
		for shard := range shards {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				judge(t, *firstSeed+uint64(shard*n/shards), *firstSeed+uint64((shard+1)*n/shards), met)
			})
		}
	})
	met.demand(t, n)
}

// judge compares the verdicts on the histories of some seeds.
func judge(t *testing.T, from, to uint64, met *coverage) {
	for ; from < to; from += perRepository {
		var batch []*history
		for seed := from; seed < min(from+perRepository, to); seed++ {
			batch = append(batch, generate(seed))
		}
		r, all := write(t, batch...)
		for _, h := range all {
			if err := r.compare(t, h, met); err != nil {
				small := shrink(t, h.history)
				t.Errorf("seed %d: %v\nshrunk:\n%v\n%v", h.seed, err, small, disagreement(t, small))
				if met.failed() > 5 {
					return
				}
			}
		}
		r.close()
	}
}

// disagreement judges a history in a repository of its own.
func disagreement(t *testing.T, h *history) error {
	r, all := write(t, h)
	defer r.close()
	return r.compare(t, all[0], nil)
}

// compare judges a history by trust and by the model.
func (r *repository) compare(t *testing.T, h written, met *coverage) error {
	defer r.forget()
	model, real := newDaemon(h.history), r.daemon(h)
	for i, p := range h.pushes {
		want := model.push(p)
		v, err := real.push(t, p)
		var refusal *trust.Refusal
		if err != nil && !errors.As(err, &refusal) {
			return fmt.Errorf("push %d: %w", i, err)
		}
		if err := agree(want, v, refusal, h.ids); err != nil {
			return fmt.Errorf("push %d: %w", i, err)
		}
		met.count(h.history, want, refusal)
	}
	return nil
}

// agree says where two verdicts differ.
func agree(want verdict, v trust.Verified, refusal *trust.Refusal, ids []lcm.Revision) error {
	if got := slices.Index(ids, v.Revision()); got != want.revision {
		return fmt.Errorf("trust believes up to %d (%v), the model up to %d (%v)", got, readable(refusal, ids), want.revision, want.faults)
	}
	if (refusal == nil) != (len(want.faults) == 0) {
		return fmt.Errorf("trust says %v, the model %v", readable(refusal, ids), want.faults)
	}
	if refusal != nil && !slices.ContainsFunc(want.faults, func(f fault) bool { return f.is(refusal, ids) }) {
		return fmt.Errorf("trust says %v, the model %v", readable(refusal, ids), want.faults)
	}
	if v.IsZero() {
		return nil
	}
	if len(v.Steps()) != len(want.steps) {
		return fmt.Errorf("trust believes %d steps, the model %d", len(v.Steps()), len(want.steps))
	}
	for i, s := range v.Steps() {
		if err := want.steps[i].is(s, ids); err != nil {
			return fmt.Errorf("step to %d: %w", want.steps[i].commit, err)
		}
	}
	return nil
}

func readable(r *trust.Refusal, ids []lcm.Revision) string {
	if r == nil {
		return "nothing against it"
	}
	return fmt.Sprintf("%s of commit %d at %q: %s", r.Rule, slices.Index(ids, r.Commit), r.Path, r.Reason)
}

// is reports whether a refusal names this fault.
func (f fault) is(r *trust.Refusal, ids []lcm.Revision) bool {
	return f.rule == r.Rule && (f.commit == none || ids[f.commit] == r.Commit) && (f.path == "" || f.path == r.Path) && strings.Contains(r.Reason, f.reason)
}

// is says where a step that was believed differs.
func (s step) is(got trust.Step, ids []lcm.Revision) error {
	if got.Parent != ids[s.parent] || got.Commit != ids[s.commit] || got.Signer != s.signer || got.Adopted != s.adopted {
		return fmt.Errorf("trust has signer %q, adopted %v; the model %q, %v", got.Signer, got.Adopted, s.signer, s.adopted)
	}
	a, b := map[string]bool{}, map[string]bool{}
	for _, m := range s.met {
		a[m.String()] = true
	}
	for _, j := range got.Judged {
		for _, path := range j.Paths {
			from, as, effect := strings.Cut(path, " → ")
			if !effect {
				as = from
			}
			name, _, _ := strings.Cut(j.Rule.String(), ":")
			b[met{from, as, name, j.Needed, string(j.Basis), strings.Join(j.Consents, " ")}.String()] = true
		}
	}
	if !maps.Equal(a, b) {
		return fmt.Errorf("trust says\n  %s\nthe model\n  %s", lines(b), lines(a))
	}
	return nil
}

func (m met) String() string {
	return fmt.Sprintf("%s as %s, %s): %d by %s: %s", m.path, m.as, m.rule, m.needed, m.basis, m.consents)
}

func lines(set map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(set)), "\n  ") }

// coverage counts what was met, over all histories.
type coverage struct {
	mu     sync.Mutex
	counts map[string]int
	fails  int
}

func (c *coverage) failed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails++
	return c.fails
}

func (c *coverage) count(h *history, v verdict, refusal *trust.Refusal) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	met := map[string]bool{}
	for _, s := range v.steps {
		c.counts["steps believed"]++
		met["believed: "+h.commits[s.commit].note] = true
		for _, m := range s.met {
			met["basis: "+m.basis] = true
			met["effect, by "+m.basis] = met["effect, by "+m.basis] || m.path != m.as
		}
	}
	for _, note := range v.notes {
		met[note] = true
	}
	if refusal != nil {
		c.counts["steps refused"]++
		met["refused: "+refusal.Rule] = true
		for _, f := range v.faults {
			if f.reason != "" {
				met["refused: "+f.reason] = true
			}
		}
	}
	for what, ok := range met {
		if ok {
			c.counts[what]++
		}
	}
}

// demanded is in how many of 10,000 pushes a thing must be met at least; a third or so of what is usual. It keeps the
// generator from wearing out unnoticed.
var demanded = map[string]int{
	"basis: approvals": 5000, "basis: adoption": 500, "basis: rotation": 500, "basis: rollback": 100,
	"effect, by approvals": 1000, "effect, by adoption": 50, "effect, by rotation": 30, "effect, by rollback": 10,

	"refused: trust/approvals": 3000, "refused: trust/no-rule": 100, "refused: trust/outside-tenants": 50, "refused: trust/file-mode": 50,
	"refused: trust/unsigned": 300, "refused: trust/unknown-key": 300, "refused: trust/expired-key": 200,
	"refused: trust/bad-signature": 50, "refused: trust/wrong-namespace": 40,
	"refused: trust/policy-version": 100, "refused: trust/policy-unsound": 300, "refused: trust/unsatisfiable": 200, "refused: trust/wrong-repository": 30,
	"refused: trust/rewritten": 50, "refused: trust/introduction": 50,

	"consent too old": 1000, "consent withdrawn": 50, "approval spent": 100,
	"believed: octopus": 80, "believed: merge with swapped parents": 80, "believed: merge with a change of its own": 100,
	"believed: merge again": 100, "believed: squash": 80, "believed: policy": 200, "believed: back": 1000,
}

// demand fails if something was met too rarely for the test to mean much.
func (c *coverage) demand(t *testing.T, n int) {
	for _, what := range slices.Sorted(maps.Keys(c.counts)) {
		t.Logf("%6d %s", c.counts[what], what)
	}
	for what, least := range demanded {
		if c.counts[what] < least*n/10_000 {
			t.Errorf("%q was met %d times in %d histories, less than %d", what, c.counts[what], n, least*n/10_000)
		}
	}
	if believed := c.counts["steps believed"]; believed < n || c.counts["steps refused"] < believed/4 {
		t.Errorf("%d steps were believed and %d refused: they should be about as many", believed, c.counts["steps refused"])
	}
}
