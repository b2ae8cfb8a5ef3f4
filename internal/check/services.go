package check

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// verdict is what was found in a service.
type verdict struct {
	Findings []diag.Finding `json:"findings,omitempty"`
	Due      []due          `json:"due,omitempty"` // findings, when their time has come
	// Services are the others that its references lead to, and Others what these held then: beside its own
	// documents and what is the same for all, nothing else has a say.
	Services []lcm.Service `json:"services,omitempty"`
	Others   string        `json:"others,omitempty"`
	// Limits are its budgets, which nest across services.
	Limits []limit `json:"limits,omitempty"`
	// From is the first day on which the findings are these, and Until the one on which they are others; empty for all days.
	From  string `json:"from,omitempty"`
	Until string `json:"until,omitempty"`

	kept bool // from an earlier run
}

// services checks namespaces, service by service, and several of these at a time: what one has parsed serves all of its
// environments, and is let go of.
func (r *Rules) services(ctx context.Context, namespaces []lcm.Namespace, k *keeper) (findings []diag.Finding, err error) {
	groups := byService(namespaces)
	verdicts := make([]*verdict, len(groups))
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, group := range groups {
		g.Go(func() error {
			s := group[0].Service
			if v := k.get(s); v != nil && v.holds(r.today) {
				verdicts[i] = v
				r.gather(s, func(g *gathered) { g.limits = v.Limits })
			} else {
				verdicts[i] = r.service(inner, group)
			}
			return inner.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	k.put(groups, verdicts)
	for _, v := range verdicts {
		findings = append(findings, v.Findings...)
		findings = append(findings, begun(v.Due, r.clock)...)
	}
	return findings, nil
}

// byService puts the namespaces of one service together. They come sorted.
func byService(namespaces []lcm.Namespace) (groups [][]lcm.Namespace) {
	for len(namespaces) > 0 {
		n := slices.IndexFunc(namespaces, func(ns lcm.Namespace) bool { return ns.Service != namespaces[0].Service })
		if n < 0 {
			n = len(namespaces)
		}
		groups, namespaces = append(groups, namespaces[:n]), namespaces[n:]
	}
	return groups
}

func (r *Rules) service(ctx context.Context, namespaces []lcm.Namespace) *verdict {
	v := &verdict{}
	for _, ns := range namespaces {
		if ctx.Err() != nil {
			break
		}
		resolved := r.tree.Resolve(ns)
		v.Findings = append(v.Findings, resolved.Findings...)
		v.Findings = append(v.Findings, r.Namespace(ctx, resolved, r.before, nil)...)
		v.Due = append(v.Due, dues(resolved)...)
		for _, s := range resolved.Services {
			if !slices.Contains(v.Services, s) {
				v.Services = append(v.Services, s)
			}
		}
	}
	v.Findings = diag.Sort(Withheld(v.Findings)) // several environments find the same
	if len(namespaces) > 0 {
		v.note(r.yield(namespaces[0].Service), r.today)
	}
	return v
}

func (v *verdict) note(g gathered, today string) {
	v.Limits = g.limits
	for _, date := range g.dates {
		v.From = today
		if date > today && (v.Until == "" || date < v.Until) {
			v.Until = date
		}
	}
}

// holds reports whether a day would give the same findings as the one on which they were made.
func (v *verdict) holds(today string) bool {
	return v.From <= today && (v.Until == "" || today < v.Until)
}
