package check

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/kept"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Recall has Namespace take the verdicts that were kept of the same content, and keep its own, where the packs have a
// place for them. Only what passed is kept: what holds a namespace is looked at anew each time.
func (r *Rules) Recall(p *Packs, contents Contents) { r.keep = p.keeper(contents) }

// keyOf names all that the verdict on a namespace depends on: what is the same for all, its service, what its
// references may reach, which is its tenant, which of its secrets opened, and, of prompts, whose versions are held
// against earlier ones, the state that these are of. Rules that ask who changed something depend on more.
func (r *Rules) keyOf(res *tree.Resolved, known *Known) (key kept.Key, ok bool) {
	if r.keep == nil || known == nil || r.Asks() || diag.Failed(res.Findings) {
		return key, false
	}
	k, ns := r.keep, res.Namespace
	service, reached, since := k.contents.ContentID(tree.ServiceDir(ns.Service)), "none", ""
	if len(res.Services) > 0 {
		reached = k.contents.ContentID("namespaces/" + ns.Org)
	}
	if slices.ContainsFunc(res.Entries, func(e *tree.Entry) bool { return e.Kind == lcm.KindPromptTemplate }) {
		since = "since " + known.Since
	}
	opened := strings.Join(slices.Sorted(maps.Keys(known.Opened)), " ")
	return kept.NewKey(k.common, "namespace", ns.String(), service, reached, opened, since, strconv.FormatBool(r.widely)), service != "" && reached != ""
}

// recall finds a verdict that was kept and still holds today.
func (r *Rules) recall(key kept.Key, keeps bool, res *tree.Resolved) ([]diag.Finding, bool) {
	if !keeps {
		return nil, false
	}
	data, ok := r.keep.values.Get(key)
	v := &verdict{}
	if !ok || json.Unmarshal(data, v) != nil || !v.holds(r.today) {
		return nil, false
	}
	r.gather(res.Namespace.Service, func(g *gathered) { g.add(gathered{limits: v.Limits}) })
	return v.Findings, true
}

func (r *Rules) remember(key kept.Key, findings []diag.Finding, yielded gathered) {
	if diag.Failed(findings) || slices.ContainsFunc(findings, passing) {
		return
	}
	v := &verdict{Findings: Withheld(slices.Clone(findings))}
	v.note(yielded, r.today)
	if data, err := json.Marshal(v); err == nil {
		r.keep.values.Put(key, data)
	}
}
