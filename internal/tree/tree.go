// Package tree reads a configuration repository: its settings, its layout, and, one service at a
// time, its documents, and resolves what each key is in each environment: by inheritance,
// tombstones, deep merge, prompts as sets, references and routes. Every entry knows the files that
// it comes from, and every finding its line and column. It judges structure alone; what a document
// may say is for the schemas and policies, and whether its author may say it for trust.
package tree

import (
	"cmp"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Tree is one state of a repository. It is safe for concurrent use if its fs.FS is.
type Tree struct {
	fsys     fs.FS
	settings *Settings
	seals    *SealRules
	layers   map[lcm.Service]map[string]bool // the environments' folders that exist
	services []lcm.Service                   // sorted
	chains   map[string][]string             // by environment, nearest first
	cache    *cache
	clean    bool  // nothing was wrong with settings and layout
	unlisted bool  // layers was not read: a folder is looked for when it is asked for
	partly   *part // nil: every document is read
	beside   *Tree // with the same settings and part, which may have read what is the same in both; or nil
}

// Load reads the settings and the folders of a repository, not yet its documents. The findings
// concern settings and layout. The Tree is nil if lcm.yaml is missing or in any way wrong: without
// it nothing can be resolved.
func Load(fsys fs.FS) (*Tree, []diag.Finding) { return LoadAfter(fsys, nil) }

// LoadAfter is Load, which does not look into folders that hold what they held in an earlier state, of which it has the layout; nil: of none.
func LoadAfter(fsys fs.FS, before *Layout) (*Tree, []diag.Finding) {
	l := &layout{fsys: fsys}
	if before.fits(fsys) {
		l.before = before
	}
	root := l.root()
	settings := l.settings(root)
	t := &Tree{fsys: fsys, settings: settings, seals: l.sealRules(root), cache: newCache(maxCached)}
	l.beside(root)
	if settings == nil {
		return nil, diag.Sort(l.findings)
	}
	t.chains = chains(settings.Environments)
	if root[namespacesDir] {
		t.layers = l.services(settings.Environments)
	}
	t.services = slices.SortedFunc(maps.Keys(t.layers), compareServices)
	t.clean = len(l.findings) == 0
	return t, diag.Sort(l.findings)
}

// Glance reads the settings alone, without a walk over the folders: Resolve works as after Load, while
// Services and Namespaces list nothing. It is for looking at a namespace as it was at some revision.
func Glance(fsys fs.FS) *Tree {
	settings := ReadSettings(fsys)
	if settings == nil {
		return nil
	}
	return settings.over(fsys)
}

// GlanceBeside is Glance at a state beside another one, which may have read what is the same in both.
func GlanceBeside(fsys fs.FS, other *Tree) *Tree {
	t := Glance(fsys)
	if t != nil && sameFolder(fsys, other.fsys, SettingsFile) {
		t.beside = other
	}
	return t
}

// ReadSettings reads lcm.yaml by itself; nil if it is missing or in any way wrong.
func ReadSettings(fsys fs.FS) *Settings {
	l := &layout{fsys: fsys}
	return l.settings(l.root())
}

func (s *Settings) over(fsys fs.FS) *Tree {
	return &Tree{fsys: fsys, settings: s, seals: &SealRules{}, chains: chains(s.Environments), cache: newCache(maxGlanced), unlisted: true}
}

func (l *layout) settings(root map[string]bool) *Settings {
	if !root[SettingsFile] {
		if len(l.findings) == 0 {
			l.refuse(SettingsFile, "settings/missing", "a configuration repository has a file %s at its root", SettingsFile)
		}
		return nil
	}
	doc, findings := parse(l.fsys, SettingsFile)
	var s *Settings
	if doc != nil {
		s, findings = parseSettings(doc)
	}
	l.findings = append(l.findings, findings...)
	return s
}

func (l *layout) sealRules(root map[string]bool) *SealRules {
	if !root[SealRulesFile] {
		if i := slices.IndexFunc(l.findings, func(f diag.Finding) bool { return strings.EqualFold(f.File, SealRulesFile) }); i >= 0 {
			return &SealRules{wrong: l.findings[i : i+1 : i+1]} // it is there, as what it must not be
		}
		// No mistake, unless there are Secrets.
		return &SealRules{wrong: []diag.Finding{diag.Errorf(start(SealRulesFile), "layout/missing",
			"the file is missing, and there are Secrets: write a rule that names who can open them")}}
	}
	doc, findings := parse(l.fsys, SealRulesFile)
	s := &SealRules{wrong: findings}
	if doc != nil {
		s, findings = parseSealRules(doc)
	}
	l.findings = append(l.findings, findings...)
	return s
}

// chains follows the inheritance of each environment, which is free of cycles by now.
func chains(environments map[string]Environment) map[string][]string {
	out := map[string][]string{}
	for name := range environments {
		for e := name; e != ""; e = environments[e].Inherits {
			out[name] = append(out[name], e)
		}
	}
	return out
}

func compareServices(a, b lcm.Service) int {
	return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.Project, b.Project), cmp.Compare(a.Name, b.Name))
}

// Settings is what lcm.yaml says.
func (t *Tree) Settings() *Settings { return t.settings }

// SealRules is what .sops.yaml says; empty if it is absent or wrong. Never nil.
func (t *Tree) SealRules() *SealRules { return t.seals }

// Services returns every service with at least one declared environment's folder, sorted.
func (t *Tree) Services() []lcm.Service { return slices.Clone(t.services) }

// Service reports whether the service exists, and which layers of it do, sorted.
func (t *Tree) Service(s lcm.Service) (layers []string, ok bool) {
	m, ok := t.layers[s]
	return slices.Sorted(maps.Keys(m)), ok
}

// Namespaces returns every published namespace, sorted: a service in each environment that is not
// abstract and whose chain holds anything.
func (t *Tree) Namespaces() []lcm.Namespace {
	var environments []string
	for _, env := range sortedKeys(t.chains) {
		if !t.settings.Environments[env].Abstract {
			environments = append(environments, env)
		}
	}
	out := make([]lcm.Namespace, 0, len(t.services)*len(environments))
	for _, s := range t.services {
		layers := t.layers[s]
		for _, env := range environments {
			if slices.ContainsFunc(t.chains[env], func(l string) bool { return layers[l] }) {
				out = append(out, s.In(env))
			}
		}
	}
	return out
}

func (t *Tree) published(ns lcm.Namespace) bool {
	e, ok := t.settings.Environments[ns.Environment]
	return ok && !e.Abstract && slices.ContainsFunc(t.chains[ns.Environment], func(l string) bool { return t.exists(ns.Service, l) })
}

// exists reports whether a service has a layer.
func (t *Tree) exists(s lcm.Service, environment string) bool {
	if !t.unlisted {
		return t.layers[s][environment]
	}
	info, err := fs.Stat(t.fsys, layerDir(s, environment))
	return err == nil && info.IsDir() && !lcm.Reserved(s.Org)
}

// Chain returns the layers of an environment, nearest first; nil if it is not declared.
func (t *Tree) Chain(environment string) []string { return slices.Clone(t.chains[environment]) }

// Feeds returns the folders that feed a namespace, nearest first, those that do not exist included:
// their appearance is a change. The settings, the schemas and the policies feed every namespace.
func (t *Tree) Feeds(ns lcm.Namespace) []string {
	var out []string
	for _, layer := range t.chains[ns.Environment] {
		out = append(out, layerDir(ns.Service, layer))
	}
	return out
}

// Route returns the first route that matches.
func (t *Tree) Route(ns lcm.Namespace, kind lcm.Kind) (Route, bool) {
	for _, r := range t.settings.Routes {
		if r.matches(ns, kind) {
			return r, true
		}
	}
	return Route{}, false
}
