package check

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/kept"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Contents tells what files and folders hold without that they are read here: two with the same id hold the same. It is
// empty if that is not known, or not any more.
type Contents interface{ ContentID(path string) string }

// keeper keeps the verdicts on services between runs. A nil keeper keeps nothing.
type keeper struct {
	contents Contents
	values   *kept.Values
	common   string // names all that has a say in every service
}

// keeper returns none where there is nowhere to keep verdicts, or nothing to know them by.
func (p *Packs) keeper(fsys any) *keeper {
	contents, ok := fsys.(Contents)
	if !ok || p.Kept == nil {
		return nil
	}
	settings, seals := contents.ContentID(tree.SettingsFile), contents.ContentID(tree.SealRulesFile)
	if settings == "" || seals == "" {
		return nil
	}
	time := "known"
	if p.Now == nil {
		time = "unknown"
	}
	common := kept.NewKey(p.Program, settings, seals, p.sum, time)
	return &keeper{contents: contents, values: p.Kept, common: string(common[:])}
}

// key names a service by what it holds; none if that is not known.
func (k *keeper) key(s lcm.Service) (key kept.Key, ok bool) {
	id := k.contents.ContentID(tree.ServiceDir(s))
	return kept.NewKey(k.common, s.String(), id), id != ""
}

// get returns the verdict of an earlier run over the same; nil if there is none.
func (k *keeper) get(s lcm.Service) *verdict {
	if k == nil {
		return nil
	}
	key, ok := k.key(s)
	if !ok {
		return nil
	}
	data, ok := k.values.Get(key)
	v := &verdict{}
	if !ok || json.Unmarshal(data, v) != nil {
		return nil
	}
	if others, ok := k.others(v.Services); !ok || others != v.Others {
		return nil
	}
	v.kept = true
	return v
}

// others names what some services hold.
func (k *keeper) others(services []lcm.Service) (string, bool) {
	var parts []string
	for _, s := range services {
		id := k.contents.ContentID(tree.ServiceDir(s))
		if id == "" {
			return "", false
		}
		parts = append(parts, s.String()+" "+id)
	}
	return strings.Join(parts, "\n"), true
}

// put keeps the new verdicts.
func (k *keeper) put(groups [][]lcm.Namespace, verdicts []*verdict) {
	if k == nil {
		return
	}
	direct := map[lcm.Service][]lcm.Service{}
	for i, v := range verdicts {
		direct[groups[i][0].Service] = v.Services
	}
	for i, v := range verdicts {
		if v.kept || slices.ContainsFunc(v.Findings, passing) {
			continue
		}
		s := groups[i][0].Service
		now := *v
		now.Services = reached(direct, s)
		key, ok := k.key(s)
		if ok {
			now.Others, ok = k.others(now.Services)
		}
		if data, err := json.Marshal(now); ok && err == nil {
			k.values.Put(key, data)
		}
	}
}

// passing reports whether a finding may be gone the next time: rules that took too long do not always.
func passing(f diag.Finding) bool { return f.Rule == "policy/failed" || f.Rule == "layout/unreadable" }

// reached returns all services to which references lead over others, sorted: what a service is told of another
// depends on what that one refers to.
func reached(direct map[lcm.Service][]lcm.Service, from lcm.Service) []lcm.Service {
	seen := map[lcm.Service]bool{from: true}
	var out []lcm.Service
	for queue := direct[from]; len(queue) > 0; queue = queue[1:] {
		if s := queue[0]; !seen[s] {
			seen[s] = true
			out = append(out, s)
			queue = append(slices.Clip(queue), direct[s]...)
		}
	}
	slices.SortFunc(out, func(a, b lcm.Service) int { return strings.Compare(a.String(), b.String()) })
	return out
}
