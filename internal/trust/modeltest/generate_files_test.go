package modeltest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// people, those first who may do most, and bots.
var (
	people = []string{"alice", "carol", "erin", "bob", "tina", "dave", "dev", "gus", "vic", "tess"}
	bots   = []string{"rotator", "robot"}
)

// start is the tree of the introduction.
func (g *generator) start() tree {
	t := tree{
		policyFile:   g.startPolicy().content(),
		settingsFile: (&settings{inherits: map[string]string{"development": "base", "staging": "base", "production": pick(g, []string{"staging", "base"})}}).content(),
		"README.md":  plain("read me"),
	}
	if g.chance(40) {
		t[tenantFile("acme")] = (&tenant{org: "acme", version: 1, principals: map[string]principal{
			"tess": {roles: []string{"operator:acme"}, keys: []key{{"tess/1", 0}}}},
			rules: g.tenantRules()}).content()
	}
	for range 6 {
		t = t.with(g.edit(t, "namespaces/"))
	}
	if g.chance(50) {
		for _, file := range []string{mainFile, partialFile} {
			t["namespaces/acme/ml/chat/base/"+file] = prompt(file, 0)
		}
	}
	for _, key := range []string{"k1", "k2"} {
		if g.chance(60) {
			t["namespaces/acme/ml/chat/"+pick(g, []string{"production", "base"})+"/"+key+".yaml"] = g.newDocument().content()
		}
	}
	for _, env := range []string{"development", "production"} {
		if g.chance(70) {
			path := "namespaces/acme/ml/chat/" + env + "/token.sops.yaml"
			t[path] = g.newSecret(path).content()
		}
	}
	return t
}

func (g *generator) newSecret(path string) *secret {
	address := strings.TrimSuffix(strings.TrimPrefix(path, "namespaces/"), ".sops.yaml")
	return &secret{address: address, owner: "team", shared: g.chance(30), recipient: "age1one", sealed: g.fresh()}
}

func (g *generator) startPolicy() *policy {
	p := &policy{repository: "acme-config", branch: "main", version: 1 + g.IntN(3), principals: map[string]principal{}}
	for name, roles := range map[string][]string{
		"alice": {"global-admin"}, "carol": {"global-admin"}, "erin": {"global-admin"},
		"bob": {"operator:acme"}, "dave": {"operator:acme", "developer:globex"}, "tina": {"tenant-admin:acme"},
		"dev": {"developer:acme"}, "gus": {"operator:globex"}, "vic": {"viewer:acme"},
	} {
		p.principals[name] = principal{roles: roles, keys: []key{{name + "/1", 0}}}
	}
	if g.chance(30) {
		name := pick(g, people[:4])
		p.principals[name].keys[0].notAfter = 24 * pick(g, []int{5, 12, 24, 30})
	}
	p.principals["rotator"] = principal{bot: true, roles: []string{"service-account:acme"}, keys: []key{{"rotator/1", 0}}}
	p.principals["robot"] = principal{bot: true, roles: []string{"global-admin"}, keys: []key{{"robot/1", 0}}}
	everything := rule{paths: []string{"**"}, roles: []string{"*"}, approvals: 1}
	if g.chance(50) {
		everything.rotation = []string{"rotator"}
	}
	if g.chance(15) {
		everything.paths = []string{"namespaces/**", ".lcm/**", "docs/*", "lcm.yaml"}
	}
	p.rules = []rule{everything,
		{paths: []string{".lcm/**", ".sops.yaml", "lcm.yaml", "schemas/**", "policies/**"}, roles: []string{"global-admin"}, approvals: 1 + g.IntN(2), rollback: g.IntN(2)},
		{paths: []string{"namespaces/*/*/*/production/**"}, roles: []string{"global-admin", "tenant-admin", "operator"}, approvals: pick(g, []int{1, 2, 2, 2, 2}),
			rollback: pick(g, []int{0, 1, 1, 1, 1}), rotation: []string{"rotator"}, signed: g.chance(25)},
	}
	if g.chance(25) {
		p.rules = append(p.rules, g.newRule())
	}
	return p
}

// newRule is a rule of trust.yaml for some part of the namespaces.
func (g *generator) newRule() rule {
	r := rule{approvals: 1 + g.IntN(2), signed: g.chance(25),
		paths: []string{pick(g, []string{"namespaces/acme/**", "namespaces/*/*/chat/staging/*", "namespaces/**/k1.yaml", "README.md", "namespaces/globex/**", "policies/**"})},
		roles: pick(g, [][]string{{"operator:acme", "global-admin"}, {"operator"}, {"*"}, {"developer", "tenant-admin"}})}
	if r.rollback = g.IntN(2); r.rollback == 1 && g.chance(50) {
		r.rotation = []string{pick(g, []string{"rotator", "bob", "robot"})}
	}
	return r
}

func (g *generator) tenantRules() []rule {
	return []rule{{paths: []string{"namespaces/acme/*/*/" + pick(g, []string{"production/**", "staging/*", "**"})},
		roles: []string{pick(g, []string{"operator", "tenant-admin", "*", "operator:acme"})}, approvals: 1 + g.IntN(2), rollback: g.IntN(2)}}
}

// edits changes some files of a tree.
func (g *generator) edits(t tree, n int) tree {
	edits := tree{}
	for range n {
		part := "namespaces/"
		switch {
		case g.chance(10):
			part = "README.md"
		case g.chance(8):
			part = settingsFile
		case g.chance(3):
			part = "policies/rego/own.rego"
		}
		edits = edits.and(g.edit(t.with(edits), part))
	}
	return edits
}

// and puts edits together: other than with, it keeps what deletes.
func (t tree) and(more tree) tree {
	all := maps.Clone(t)
	maps.Copy(all, more)
	return all
}

// edit changes one file.
func (g *generator) edit(t tree, part string) tree {
	switch {
	case part == settingsFile:
		return tree{settingsFile: g.newSettings(t).content()}
	case part != "namespaces/":
		return tree{part: plain(fmt.Sprint("text ", g.IntN(4)))}
	case g.chance(1):
		return tree{"namespaces/umbrella/ml/chat/base/k1.yaml": g.newDocument().content()}
	case g.chance(1):
		return tree{"docs/link": symlink("../README.md")}
	}
	service := pick(g, []string{"namespaces/acme/ml/chat", "namespaces/acme/ml/chat", "namespaces/globex/ml/chat"})
	env := pick(g, []string{"base", "development", "staging", "production", "production"})
	if g.chance(12) {
		path := service + "/" + env + "/token.sops.yaml"
		if g.chance(20) && t[path] != nil {
			return tree{path: nil}
		}
		return tree{path: g.newSecret(path).content()}
	}
	if g.chance(15) {
		return g.editPrompt(t, service+"/"+env+"/")
	}
	path := service + "/" + env + "/" + pick(g, []string{"k1.yaml", "k2.yaml"})
	if f := t[path]; f != nil && g.chance(25) {
		if d := *f.means.(*document); d.kind != broken && g.chance(40) {
			d.comment += "# looked at\n"
			return tree{path: d.content()}
		}
		return tree{path: nil}
	}
	return tree{path: g.newDocument().content()}
}

// editPrompt changes a file of the prompt, or removes it from a layer: a variant does not stand alone.
func (g *generator) editPrompt(t tree, layer string) tree {
	file := pick(g, []string{mainFile, variantFile, partialFile})
	here := t[layer+file] != nil
	switch {
	case here && file == mainFile && g.chance(30):
		return onlyThere(t, layer+mainFile, layer+variantFile)
	case here && g.chance(30):
		return tree{layer + file: nil}
	case file == variantFile && t[layer+mainFile] == nil:
		file = mainFile
	}
	return tree{layer + file: prompt(file, g.IntN(4))}
}

// onlyThere deletes those of some files that exist.
func onlyThere(t tree, paths ...string) tree {
	edits := tree{}
	for _, path := range paths {
		if t[path] != nil {
			edits[path] = nil
		}
	}
	return edits
}

func (g *generator) newDocument() *document {
	d := &document{kind: "Config", owner: fmt.Sprint("team-", g.IntN(2)), value: map[string]int{}, deep: g.chance(25), private: g.chance(10)}
	for _, k := range []string{"a", "b", "c"} {
		if g.chance(50) {
			d.value[k] = g.IntN(3)
		}
	}
	switch {
	case g.chance(8):
		d.kind, d.deep = tombstone, false
	case g.chance(2):
		d.kind = broken
	}
	return d
}

func (g *generator) newSettings(t tree) *settings {
	s := *t.settings()
	if s.unusable = g.chance(5); g.chance(30) {
		s.comment += "# looked at\n"
		return &s
	}
	s.inherits = maps.Clone(s.inherits)
	s.inherits["production"] = pick(g, []string{"staging", "base", "development"})
	s.inherits["staging"] = pick(g, []string{"base", "base", ""})
	return &s
}

// policyChange changes who is believed: directly, or by a merge with approvals.
func (g *generator) policyChange() []ref {
	t := g.trees[g.tip]
	edits := tree{}
	if f := t[tenantFile("acme")]; g.chance(3) {
		edits[tenantFile("umbrella")] = (&tenant{org: "umbrella", version: 1, rules: []rule{{paths: []string{"namespaces/umbrella/**"}, roles: []string{"*"}, approvals: 1}}}).content()
	} else if g.chance(25) {
		edits[tenantFile("acme")] = g.nextTenant(f)
	} else if p, ok := t[policyFile].means.(*policy); ok {
		edits[policyFile] = g.nextPolicy(p).content()
	}
	if g.chance(40) {
		g.tip = g.commit(commit{parents: []int{g.tip}, edits: edits, key: g.author(), note: "policy"})
		return nil
	}
	side := g.commit(commit{parents: []int{g.tip}, edits: edits, key: g.author(), note: "policy"})
	return g.merge(side, g.chance(60))
}

func (g *generator) nextPolicy(old *policy) *policy {
	p := *old
	p.principals, p.rules = maps.Clone(p.principals), slices.Clone(p.rules)
	p.version += g.version()
	name := pick(g, append(slices.Clone(people[:9]), bots...))
	if g.chance(40) {
		name = pick(g, people[:3])
	}
	who := p.principals[name]
	switch g.IntN(16) {
	case 0, 1: // a new key in place of the old ones
		who.keys = []key{{fmt.Sprintf("%s/%d", name, 1+g.IntN(3)), 0}}
	case 2: // a second key
		who.keys = append(slices.Clone(who.keys), key{fmt.Sprintf("%s/%d", name, 2+g.IntN(2)), 0})
	case 3, 4: // an end
		if len(who.keys) > 0 {
			who.keys = slices.Clone(who.keys)
			who.keys[0].notAfter = g.now + 24*pick(g, []int{1, 5, 12, 17, 30})
		}
	case 5: // out
		who.keys = nil
	case 6: // another role
		who.roles = []string{pick(g, []string{"global-admin", "operator:acme", "operator:globex", "developer:acme", "tenant-admin:acme"})}
	case 7:
		p.rules = append(p.rules, g.newRule())
	case 8:
		if len(p.rules) == 1 {
			return g.nextPolicy(old)
		}
		i := g.IntN(len(p.rules))
		p.rules = slices.Delete(p.rules, i, i+1)
	case 9, 10:
		i := g.IntN(len(p.rules))
		if i > 1 && g.chance(30) {
			i = 1 // the settings' rule, at first
		}
		p.rules[i].approvals = pick(g, []int{0, 1, 1, 2, 2, 3, 3, 4})
	case 11:
		i := g.IntN(len(p.rules))
		p.rules[i].signed = !p.rules[i].signed
	case 12:
		p.comment += "# looked at\n"
	case 13: // somebody else's key, perhaps
		who.keys = []key{{pick(g, people) + "/1", 0}}
	case 14:
		p.repository = "other-config"
	case 15:
		p.branch = "other"
	}
	if p.principals[name] = who; len(who.keys) == 0 || len(who.roles) == 0 {
		delete(p.principals, name)
	}
	return &p
}

// version is how much a version grows: mostly as it should.
func (g *generator) version() int {
	if g.chance(85) {
		return 1
	}
	return pick(g, []int{0, 2, -1, 3})
}

func (g *generator) nextTenant(f *content) *content {
	if f == nil {
		return (&tenant{org: "acme", version: 1 + g.IntN(2), rules: g.tenantRules(),
			principals: map[string]principal{"tess": {roles: []string{"operator:acme"}, keys: []key{{"tess/1", 0}}}}}).content()
	}
	t := *f.means.(*tenant)
	t.version += g.version()
	t.principals = maps.Clone(t.principals)
	switch g.IntN(8) {
	case 0:
		return nil
	case 1, 2:
		t.principals["tess"] = principal{roles: []string{"operator:acme"}, keys: []key{{fmt.Sprintf("tess/%d", 1+g.IntN(3)), 0}}}
	case 3:
		t.principals["tess"] = principal{roles: []string{pick(g, []string{"global-admin", "operator:globex"})}, keys: []key{{"tess/1", 0}}}
	case 4:
		t.principals[pick(g, people)] = principal{roles: []string{"tenant-admin:acme"}, keys: []key{{"tess/3", 0}}}
	case 5:
		t.rules = append(slices.Clone(t.rules), rule{paths: []string{"**"}, roles: []string{"*"}, approvals: 1})
	default:
		t.rules = g.tenantRules()
	}
	return t.content()
}
