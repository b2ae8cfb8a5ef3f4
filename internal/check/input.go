package check

import (
	"cmp"
	"sync"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/policy"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// facts is what the policies are told about a namespace besides the document itself.
type facts struct {
	namespace lcm.Namespace
	service   *policy.Service
	own       map[string]*tree.Entry
	broken    bool // something in the namespace could not be resolved
}

func newFacts(res *tree.Resolved) facts {
	f := facts{namespace: res.Namespace, service: &policy.Service{Keys: []policy.Key{}}, own: map[string]*tree.Entry{}, broken: diag.Failed(res.Findings)}
	for _, e := range res.Entries {
		f.own[e.Address.Key] = e
		f.service.Keys = append(f.service.Keys, policy.Key{Key: e.Address.Key, Kind: e.Kind, Classification: e.Metadata.Classification, Target: e.Target})
	}
	return f
}

// input puts together what the policies see of an entry. It is not ok if the entry refers to something that
// is there and is wrong in itself: the finding about that holds this entry too, and the policies would
// only say again that they know nothing of it.
func (r *Rules) input(e *tree.Entry, f facts) (in policy.Input, ok bool) {
	a, m := e.Address, e.Metadata
	in = policy.Input{
		Document: policy.Document{Address: a.String(), Org: a.Org, Project: a.Project, Service: a.Name, Environment: a.Environment, Key: a.Key, Kind: e.Kind, Spec: e.Spec,
			Metadata: policy.Metadata{Description: m.Description, Classification: m.Classification, Owner: m.Owner, Labels: m.Labels, Merge: m.Merge,
				Inheritable: m.Inheritable, SharedWith: m.SharedWith, Audience: m.Audience}},
		Origin:     policy.Origin{File: e.Origin.File, Environment: e.Origin.Environment},
		References: map[string]policy.Reference{},
		Service:    f.service,
	}
	if t, ok := r.tree.Settings().Targets[e.Target]; ok {
		in.Target = &policy.Target{Name: e.Target, Secrets: t.Secrets, MaxClassification: t.MaxClassification}
	}
	for _, ref := range e.References {
		from := f
		if ref.To.Namespace != a.Namespace {
			from = r.others.facts(r.tree, ref.To.Namespace)
		}
		to := from.own[ref.To.Key]
		if to == nil && from.broken || to != nil && diag.Failed(r.standing(to)) {
			return in, false
		}
		if to != nil {
			in.References[ref.To.String()] = sheet(to)
		}
	}
	return in, true
}

// others keeps namespaces that references lead to. The zero value is empty.
type others struct {
	mu         sync.Mutex
	known, old map[lcm.Namespace]*other
	most       int // how many are kept; 0: maxOthers
}

type other struct {
	once  sync.Once
	facts facts
}

// maxOthers bounds the namespaces that are kept: most references lead to few.
const maxOthers = 24

// facts resolves a namespace, once for all who ask at the same time.
func (o *others) facts(t *tree.Tree, ns lcm.Namespace) facts {
	o.mu.Lock()
	known, ok := o.known[ns]
	if !ok {
		if known, ok = o.old[ns]; !ok {
			known = &other{}
		}
		if len(o.known) >= cmp.Or(o.most, maxOthers) || o.known == nil {
			o.old, o.known = o.known, map[lcm.Namespace]*other{}
		}
		o.known[ns] = known
	}
	o.mu.Unlock()
	known.once.Do(func() { known.facts = newFacts(t.Resolve(ns)) })
	return known.facts
}

func sheet(e *tree.Entry) policy.Reference {
	ref := policy.Reference{Kind: e.Kind, Classification: e.Metadata.Classification, Labels: e.Metadata.Labels}
	if e.Kind == lcm.KindSecret {
		ref.Type, _ = e.Spec["type"].(string)
		ref.Audience = e.Metadata.Audience
	}
	return ref
}
