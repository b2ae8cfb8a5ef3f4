package trust

import (
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

const sealedSuffix = ".sops.yaml"

// rotation meets a rule by the signer alone if the step does nothing but replace sealed values and
// some rule of the path names the signer in its rotation. That rule needs nobody else; any other rule
// of the path, which says nothing of rotation, counts the signer as one, bot or not: so a stricter rule
// still holds.
func (j *judge) rotation(rule *Rule, all []*Rule, as string) (Judged, bool) {
	signer := j.head.signer
	if signer == nil {
		return Judged{}, false
	}
	names := func(r *Rule) bool { return slices.Contains(r.Rotation, signer.Name) }
	reaches := slices.ContainsFunc(signer.Roles, func(r Role) bool { return r.reaches(as) })
	if !reaches || !slices.ContainsFunc(all, names) || !j.onlyRotates() {
		return Judged{}, false
	}
	met := Judged{Rule: rule, Needed: 1, Consents: []string{signer.Name}, Basis: ByRotation}
	return met, names(rule) || rule.admits(signer, as) && rule.Approvals == 1
}

// onlyRotates reports whether every change of the step replaces sealed values of a Secret that
// exists.
func (j *judge) onlyRotates() bool {
	if j.rotates == nil {
		only := !slices.ContainsFunc(j.changed, func(ch gitrepo.Change) bool { return !j.replacesSealed(ch) })
		j.rotates = &only
	}
	return *j.rotates
}

func (j *judge) replacesSealed(ch gitrepo.Change) bool {
	if !strings.HasPrefix(ch.Path, "namespaces/") || !strings.HasSuffix(ch.Path, sealedSuffix) || ch.Old.Mode != ch.New.Mode {
		return false
	}
	old, ok1 := unsealedPart(j.p.tree, ch.Path)
	new, ok2 := unsealedPart(j.c.tree, ch.Path)
	return ok1 && ok2 && reflect.DeepEqual(old, new)
}

// unsealedPart is a Secret without its data, its previous data and what SOPS keeps beside them.
func unsealedPart(fsys fs.FS, file string) (map[string]any, bool) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, false
	}
	doc, _ := strictyaml.Parse(file, data)
	if doc == nil {
		return nil, false
	}
	top := maps.Clone(doc.Map())
	spec, _ := top["spec"].(map[string]any)
	if top["kind"] != "Secret" || spec["data"] == nil || top["sops"] == nil {
		return nil, false
	}
	spec = maps.Clone(spec)
	delete(spec, "data")
	delete(spec, "previous")
	delete(top, "sops")
	top["spec"] = spec
	return top, true
}
