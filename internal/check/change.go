package check

import (
	"context"
	"io/fs"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/policy"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Difference is what differs from an earlier state of the repository.
type Difference struct {
	Base  fs.FS    // the earlier state
	Paths []string // the files, and the folders without any, at which the two differ
	Past  Past     // what was before Base, itself included; nil: not known
}

// scope finds the namespaces that a change can affect: those of the services whose files changed, and, where what others can
// see of these differs, all that refer to them, directly or not; where their budgets differ, all of the org in the
// environment. A rule that looks further than along references has
// to be heeded here; TestChangeMisses tells if it is not.
func (r *Rules) scope(ctx context.Context, d *Difference) ([]lcm.Namespace, diag.Scope, error) {
	all := r.tree.Namespaces()
	if d == nil {
		return all, diag.Scope{Namespaces: len(all)}, nil
	}
	services := map[lcm.Service]bool{}
	for _, p := range d.Paths {
		if tree.FeedsAll(p) {
			return all, diag.Scope{Namespaces: len(all), Everything: p + " has a say in all of them"}, nil
		}
		if layer, ok := tree.LayerOf(p); ok {
			services[layer.Service] = true
		}
	}
	if r.before == nil {
		return all, diag.Scope{Namespaces: len(all), Everything: tree.SettingsFile + " could not be used before the change"}, nil
	}
	concerned := map[lcm.Namespace]bool{}
	for _, ns := range r.tree.Of(services) {
		concerned[ns] = true
	}
	if err := r.addReferring(ctx, concerned); err != nil {
		return nil, diag.Scope{}, err
	}
	some := slices.DeleteFunc(slices.Clone(all), func(ns lcm.Namespace) bool { return !concerned[ns] })
	return some, diag.Scope{Namespaces: len(some), Skipped: len(all) - len(some)}, nil
}

// addReferring adds the namespaces that refer to those which look different from outside.
func (r *Rules) addReferring(ctx context.Context, concerned map[lcm.Namespace]bool) error {
	var mu sync.Mutex
	different := map[string]map[string][]lcm.Service{} // by tenant and environment, which references never leave
	spending := map[lcm.Namespace]bool{}
	before := r.over(r.before)
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for ns := range concerned {
		g.Go(func() error {
			was, now := before.tree.Resolve(ns), r.tree.Resolve(ns)
			spends, looks := !sameBudgets(was, now), !sameFaces(before, r, was, now)
			mu.Lock()
			defer mu.Unlock()
			if spends {
				spending[ns] = true
			}
			if looks {
				if different[ns.Org] == nil {
					different[ns.Org] = map[string][]lcm.Service{}
				}
				different[ns.Org][ns.Environment] = append(different[ns.Org][ns.Environment], ns.Service)
			}
			return inner.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	r.addSpending(concerned, spending)
	for org, environments := range different {
		mentions, err := r.tree.Mentions(ctx, org)
		if err != nil {
			return err
		}
		for environment, services := range environments {
			for s := range mentions.Reaching(services) {
				concerned[s.In(environment)] = true
			}
		}
	}
	return nil
}

// addSpending adds all of an org in the environments in which budgets differ: they nest across services.
func (r *Rules) addSpending(concerned, spending map[lcm.Namespace]bool) {
	if len(spending) == 0 {
		return
	}
	type realm struct{ org, environment string }
	realms := map[realm]bool{}
	for ns := range spending {
		realms[realm{ns.Org, ns.Environment}] = true
	}
	for _, ns := range r.tree.Namespaces() {
		if realms[realm{ns.Org, ns.Environment}] {
			concerned[ns] = true
		}
	}
}

// sameBudgets reports whether a namespace has the same budgets on two sides.
func sameBudgets(a, b *tree.Resolved) bool { return reflect.DeepEqual(budgets(a), budgets(b)) }

func budgets(res *tree.Resolved) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, e := range res.Entries {
		if e.Kind == lcm.KindBudget {
			out[e.Address.Key] = e.Spec
		}
	}
	return out
}

// over is the same battery, with the same rules of sealing, over another state of the repository.
func (r *Rules) over(t *tree.Tree) *Rules {
	return &Rules{tree: t, seals: r.seals, schema: r.schema, policy: r.policy, ownCUE: r.ownCUE, except: r.except, known: map[string][]diag.Finding{}}
}

// face is what those who refer to an entry see of it.
type face struct {
	policy.Reference
	sharedWith []string
	failed     bool
	targets    []map[string]any // of a ModelEndpoint
	to         []lcm.Address    // in other services, to which it passes on
}

// face is how an entry looks from outside.
func (r *Rules) face(e *tree.Entry) face {
	f := face{Reference: sheet(e), sharedWith: e.Metadata.SharedWith, failed: diag.Failed(r.standing(e))}
	if e.Kind == lcm.KindModelEndpoint {
		f.targets = targets(e)
	}
	for _, ref := range e.References {
		if ref.To.Service != e.Address.Service {
			f.to = append(f.to, ref.To)
		}
	}
	return f
}

// sameFaces reports whether a namespace looks the same on two sides. Where something in it could not be resolved, nobody
// knows. What is made of the very same documents needs no look: what is the same on both sides is often read once.
func sameFaces(before, now *Rules, was, is *tree.Resolved) bool {
	if diag.Failed(was.Findings) || diag.Failed(is.Findings) || len(was.Entries) != len(is.Entries) {
		return false
	}
	for i, e := range is.Entries { // by key
		o := was.Entries[i]
		if o.Address != e.Address || !slices.Equal(o.Documents, e.Documents) && !reflect.DeepEqual(before.face(o), now.face(e)) {
			return false
		}
	}
	return true
}

// caused leaves out findings about the layout around documents that the change did not touch.
func (d *Difference) caused(findings []diag.Finding) []diag.Finding {
	if d == nil {
		return findings
	}
	touched := map[string]bool{}
	for _, p := range d.Paths {
		for ; p != "." && !touched[p]; p = path.Dir(p) {
			touched[p] = true
		}
	}
	return slices.DeleteFunc(findings, func(f diag.Finding) bool {
		return strings.HasPrefix(f.File, "namespaces/") && !touched[f.File]
	})
}
