package check

import (
	"context"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/canonjson"
	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/dotprompt"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Past yields the repository as it was before, newest first: the states in which one of some folders differs from the
// next, as far back as is known.
type Past func(ctx context.Context, folders []string) iter.Seq2[fs.FS, error]

// Bounds on looking for a version: how many earlier states are glanced at, and how many of them are resolved.
const (
	maxPast     = 5000
	maxResolved = 100
)

// versions holds the versions of prompts against those that they had before.
func (r *Rules) versions(ctx context.Context, res *tree.Resolved, before *tree.Tree, past Past) (findings []diag.Finding) {
	prompts := slices.DeleteFunc(slices.Clone(res.Entries), func(e *tree.Entry) bool { return e.Kind != lcm.KindPromptTemplate })
	if before == nil || len(prompts) == 0 {
		return nil
	}
	was := map[lcm.Address]*tree.Entry{}
	for _, e := range before.Resolve(res.Namespace).Entries {
		was[e.Address] = e
	}
	for _, e := range prompts {
		old := releases(was[e.Address])
		for variant, now := range releases(e) {
			known := func() bool { return r.had(ctx, e, variant, now, before, past) }
			if then, ok := old[variant]; ok {
				if rule, message := dotprompt.Compare(then.Release, now.Release, known); rule != "" {
					findings = append(findings, diag.Errorf(now.at, rule, "%s", message))
				}
			}
		}
	}
	return findings
}

// release is what one version of a prompt's entry stands for, and where that is written.
type release struct {
	dotprompt.Release
	at diag.Position
}

// releases takes a prompt apart by versions: that of the main file stands for its variants too, but for those that
// have one of their own, which are by their names. There is none of what is no prompt.
func releases(e *tree.Entry) map[string]release {
	if e == nil || e.Kind != lcm.KindPromptTemplate {
		return nil
	}
	out := map[string]release{}
	for _, p := range e.Prompts() {
		version, own := p.Document.Spec["version"].(string)
		if !own && p.Variant != "" {
			out[""].add(p, "variant "+p.Variant+" ")
			continue
		}
		now := release{at: p.Document.YAML.Position("lcm.version")}
		now.Version, now.Content = version, map[string]string{}
		if raw, some := p.Input["schema"]; some {
			now.Variables.Schema, _ = dotprompt.Schema(raw, nil)
		}
		now.Variables.Default, _ = p.Input["default"].(map[string]any)
		out[p.Variant] = now
		now.add(p, "")
	}
	return out
}

// add adds a text, and what goes with it, to the content of a release.
func (r release) add(p tree.Prompt, name string) {
	for field, v := range p.Document.Spec {
		switch field {
		case "version", "weight", "metrics", "sticky_key":
		case "template":
			r.Content[name+"template"], _ = v.(string)
		default:
			text, _ := canonjson.Marshal(v)
			r.Content[name+field] = string(text)
		}
	}
	for _, partial := range p.Set.Named() {
		r.Content["partial "+partial] = p.Set.Partials[partial].Text
	}
}

// had reports whether a prompt had the version and the content before.
func (r *Rules) had(ctx context.Context, e *tree.Entry, variant string, now release, before *tree.Tree, past Past) bool {
	if past == nil {
		return false
	}
	n, resolved := 0, 0
	for fsys, err := range past(ctx, before.Feeds(e.Address.Namespace)) {
		if n++; err != nil || n > maxPast || ctx.Err() != nil {
			return false
		}
		if !mentions(fsys, before.Feeds(e.Address.Namespace), e.Address.Key, variant, now.Content["template"]) {
			continue
		}
		then := tree.Glance(fsys)
		if resolved++; then == nil {
			continue
		}
		if resolved > maxResolved {
			return false
		}
		for _, old := range then.Resolve(e.Address.Namespace).Entries {
			if old.Address != e.Address {
				continue
			}
			if was, ok := releases(old)[variant]; ok && was.Version == now.Version && now.Same(was.Release) {
				return true
			}
		}
	}
	return false
}

// mentions reports whether one of the files that can be the text of a prompt, or of its variant, holds a template: then it
// is worth while to resolve it.
func mentions(fsys fs.FS, folders []string, key, variant, template string) bool {
	name := key + ".prompt"
	if variant != "" {
		name = key + "." + variant + ".prompt"
	}
	return slices.ContainsFunc(folders, func(folder string) bool {
		data, err := fs.ReadFile(fsys, path.Join(folder, name))
		return err == nil && strings.Contains(string(data), template)
	})
}
