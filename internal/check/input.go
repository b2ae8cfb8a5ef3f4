package check

import (
	"sync"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/policy"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// facts is what the policies are told about a namespace besides the document itself.
type facts struct {
	service *policy.Service
	own     map[string]*tree.Entry
}

func (r *Rules) facts(res *tree.Resolved) facts {
	f := facts{service: &policy.Service{Keys: []policy.Key{}}, own: map[string]*tree.Entry{}}
	for _, e := range res.Entries {
		f.own[e.Address.Key] = e
		f.service.Keys = append(f.service.Keys, policy.Key{Key: e.Address.Key, Kind: e.Kind, Classification: e.Metadata.Classification, Target: e.Target})
	}
	return f
}

func (r *Rules) input(e *tree.Entry, f facts) policy.Input {
	a, m := e.Address, e.Metadata
	in := policy.Input{
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
		if to := r.referred(ref.To, f); to != nil {
			in.References[ref.To.String()] = sheet(to)
		}
	}
	return in
}

// referred finds the entry that a reference leads to: in this namespace, or in one of another service.
func (r *Rules) referred(a lcm.Address, f facts) *tree.Entry {
	if e, ok := f.own[a.Key]; ok && e.Address == a {
		return e
	}
	return r.others.entries(r.tree, a.Namespace)[a.Key]
}

// others keeps namespaces that references lead to. The zero value is empty.
type others struct {
	mu       sync.Mutex
	resolved map[lcm.Namespace]map[string]*tree.Entry
}

func (o *others) entries(t *tree.Tree, ns lcm.Namespace) map[string]*tree.Entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known, ok := o.resolved[ns]; ok {
		return known
	}
	found := map[string]*tree.Entry{}
	for _, e := range t.Resolve(ns).Entries {
		found[e.Address.Key] = e
	}
	if o.resolved == nil {
		o.resolved = map[lcm.Namespace]map[string]*tree.Entry{}
	}
	o.resolved[ns] = found
	return found
}

func sheet(e *tree.Entry) policy.Reference {
	ref := policy.Reference{Kind: e.Kind, Classification: e.Metadata.Classification, Labels: e.Metadata.Labels}
	if e.Kind == lcm.KindSecret {
		ref.Type, _ = e.Spec["type"].(string)
		ref.Audience = e.Metadata.Audience
	}
	return ref
}
