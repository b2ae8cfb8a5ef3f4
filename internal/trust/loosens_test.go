package trust

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

func mustPolicy(t *testing.T, p policy, tenants map[string]string) *Policy {
	t.Helper()
	fsys := fstest.MapFS{policyFile: {Data: []byte(p.String()), Mode: 0o644}}
	for org, text := range tenants {
		fsys[tenantsDir+"/"+org+".yaml"] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	out, findings := LoadPolicy(fsys)
	if out == nil {
		t.Fatal(findings, "\n", p)
	}
	return out
}

const production = "namespaces/*/*/*/production/**"

func TestLoosens(t *testing.T) {
	third := func(text string) func(*policy) { return func(p *policy) { p.rules[2] = text } }
	full := `{paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, tenant-admin, operator], approvals: 2, rollbackApprovals: 1, rotation: [rotator]}`
	for _, c := range []struct {
		name   string
		before func(*policy)
		after  func(*policy)
		want   []string
	}{
		{"nothing", nil, func(*policy) {}, nil},
		{"another order", nil, func(p *policy) { slices.Reverse(p.rules) }, nil},
		{"taken apart", nil, func(p *policy) {
			p.rules[1] = `{paths: [".lcm/**", ".sops.yaml"], roles: [global-admin], approvals: 2}`
			p.rules = append(p.rules, `{paths: ["policies/**", "lcm.yaml", "schemas/**"], roles: [global-admin], approvals: 3}`)
			*p = p.with("erin", person("global-admin", sshEntry("erin")))
		}, []string{"erin is new, global-admin with 1 key"}},
		{"twice", nil, func(p *policy) { p.rules = append(p.rules, full) }, nil},
		{"stricter", nil, third(`{paths: ["namespaces/**"], roles: [global-admin], approvals: 3, consent: signed}`), nil},
		{"a rule more", nil, func(p *policy) {
			p.rules = append(p.rules, `{paths: ["docs/**"], roles: [global-admin], approvals: 2}`)
		}, nil},
		{"a rule removed", nil, func(p *policy) { p.rules = p.rules[:2] },
			[]string{production + ": no rule asks for 2 approvals by global-admin, tenant-admin or operator any more"}},
		{"a rule narrowed", nil, third(strings.Replace(full, "namespaces/*/", "namespaces/globex/", 1)),
			[]string{production + ": the rule that asks for 2 approvals by global-admin, tenant-admin or operator covers only a part of it"}},
		{"approvals", nil, third(strings.Replace(full, "approvals: 2", "approvals: 1", 1)), []string{production + ": 1 approval instead of 2"}},
		{"rollback approvals", third(strings.Replace(full, "rollbackApprovals: 1, ", "", 1)), third(full),
			[]string{production + ": 1 approval instead of 2 to restore earlier content"}},
		{"roles", nil, third(strings.Replace(full, "operator]", "operator, developer]", 1)), []string{production + ": consent of developer counts"}},
		{"any role", nil, third(strings.Replace(full, "[global-admin, tenant-admin, operator]", `["*"]`, 1)), []string{production + ": consent of anyone with a role there counts"}},
		{"a tenant's role of those that counted", nil, third(strings.Replace(full, "operator]", `"operator:acme-corp"]`, 1)), nil},
		{"consent", third(strings.Replace(full, "rotation", "consent: signed, rotation", 1)), third(full),
			[]string{production + ": commits of the branch count as consent, not only what was signed for it"}},
		{"several ways", nil, third(`{paths: ["namespaces/*/*/*/production/**"], roles: ["*"], approvals: 1, rotation: [rotator]}`),
			[]string{production + ": 1 approval instead of 2; consent of anyone with a role there counts"}},
		{"rotation", nil, func(p *policy) {
			p.rules = append(p.rules, `{paths: ["namespaces/globex/**"], roles: [global-admin], approvals: 1, rotation: [rotator]}`)
		}, []string{"namespaces/globex/**: rotator may replace sealed values alone"}},
		{"what nobody might", func(p *policy) { p.rules[0] = `{paths: ["namespaces/**"], roles: ["*"], approvals: 1}` }, nil,
			[]string{"**: it may be changed, where no rule matched all of it before"}},
		{"a principal", nil, func(p *policy) {
			*p = p.with("erin", person(`"operator:acme-corp"`, sshEntry("erin"), sshEntry("erin2")))
		},
			[]string{"erin is new, operator:acme-corp with 2 keys"}},
		{"a principal less", nil, func(p *policy) { *p = p.with("dev", "") }, nil},
		{"a role", nil, func(p *policy) { *p = p.with("bob", person(`"operator:acme-corp", global-admin`, sshEntry("bob"))) },
			[]string{"bob gets the role global-admin"}},
		{"another key", nil, func(p *policy) { *p = p.with("bob", person(`"operator:acme-corp"`, sshEntry("bob2"))) },
			[]string{"bob gets the key " + fingerprint("bob2")}},
		{"a bot no more", nil, func(p *policy) {
			*p = p.with("rotator", person(`"operator:acme-corp"`, sshEntry("rotator")))
		}, []string{"rotator is no bot any more, and counts as a person", "rotator gets the role operator:acme-corp"}},
		{"a key for longer", func(p *policy) { *p = p.with("bob", person(`"operator:acme-corp"`, until27("bob"))) }, nil,
			[]string{"the key " + fingerprint("bob") + " of bob is valid without end, not only until 2027-01-01T00:00:00Z"}},
		{"a key for less", nil, func(p *policy) { *p = p.with("bob", person(`"operator:acme-corp"`, until27("bob"))) }, nil},
		{"a login", nil, func(p *policy) {
			*p = p.with("bob", person(`"operator:acme-corp"`, sshEntry("bob"))+", logins: {github: bob-at-acme}")
		}, []string{"reviews of bob-at-acme at github count for bob"}},
		{"a forge", nil, func(p *policy) {
			p.tail = fmt.Sprintf("forges: {github: {key: %q, merges: recomputed, reviews: counted}}\n", publicLine(sshKey("forge")))
		}, []string{"merges that the forge github makes are believed, if they can be made again", "reviews at the forge github count",
			"the forge github gets the key " + fingerprint("forge")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			was, now := design(), design()
			was.rules, now.rules = slices.Clone(was.rules), slices.Clone(now.rules)
			if c.before != nil {
				c.before(&was)
			}
			if c.after != nil {
				c.after(&now)
			}
			if d := cmp.Diff(c.want, Loosens(mustPolicy(t, was, nil), mustPolicy(t, now, nil))); d != "" {
				t.Error(d)
			}
		})
	}
}

func fingerprint(name string) string {
	p, _ := ParsePolicy(policyFile, []byte(policy{repository: "r", branch: "b", version: 1, people: map[string]string{"a": person("global-admin", sshEntry(name))},
		rules: []string{`{paths: ["**"], roles: ["*"], approvals: 1}`}}.String()))
	return p.Principals()[0].Keys[0].Fingerprint
}

func until27(name string) string {
	return strings.Replace(sshEntry(name), "}", ", notAfter: 2027-01-01T00:00:00Z}", 1)
}

func TestLoosensTenants(t *testing.T) {
	tenant := func(rules string) map[string]string {
		return map[string]string{"acme-corp": "apiVersion: lcm/v1\nkind: TenantPolicy\nversion: 1\nrules:\n" + rules}
	}
	strict := tenant("  - {paths: [\"namespaces/acme-corp/**\"], roles: [operator], approvals: 2, consent: signed}\n")
	was, now := mustPolicy(t, design(), strict), mustPolicy(t, design(), nil)
	want := []string{"namespaces/acme-corp/**: no rule asks for 2 approvals by operator any more"}
	if d := cmp.Diff(want, Loosens(was, now)); d != "" {
		t.Error(d)
	}
	if got := Loosens(now, was); len(got) > 0 {
		t.Errorf("a tenant's rule more loosens: %v", got)
	}
}

func TestLoosensAuthorities(t *testing.T) {
	was := mustPolicy(t, certified("{ssh: "+corpLine()+", revoked: [13]}"), nil)
	for name, c := range map[string]struct {
		after policy
		want  []string
	}{
		"nothing":      {certified("{ssh: " + corpLine() + ", revoked: [13, 14]}"), nil},
		"a revocation": {certified(corpLine()), []string{"the authority corp does not revoke 13 any more"}},
		"a name": {certified("{ssh: "+corpLine()+", revoked: [13]}").with("bob", person(`"operator:acme-corp"`, sshEntry("bob"), certEntry("bob@acme.example", "corp"))),
			[]string{"bob gets the key corp:bob@acme.example"}},
	} {
		if d := cmp.Diff(c.want, Loosens(was, mustPolicy(t, c.after, nil))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	other := mustPolicy(t, certified(fmt.Sprintf("{ssh: %q, revoked: [13]}", publicLine(sshKey("other")))), nil)
	if got := Loosens(was, other); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "the authority corp certifies by the key SHA256:") }) {
		t.Error(got)
	}
}

func TestLoosensOpenPGP(t *testing.T) {
	short, long := uint32(3600), uint32(7200)
	c := pgpConfig(born, func(c *packet.Config) { c.KeyLifetimeSecs = short })
	e := entity(t, "bob", c)
	was := design().with("bob", person(`"operator:acme-corp"`, pgpEntry(publicBlock(t, e))))
	for _, id := range e.Identities {
		id.SelfSignature.KeyLifetimeSecs = &long
		if err := id.SelfSignature.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, c); err != nil {
			t.Fatal(err)
		}
	}
	longer := design().with("bob", person(`"operator:acme-corp"`, pgpEntry(publicBlock(t, e))))
	got := Loosens(mustPolicy(t, was, nil), mustPolicy(t, longer, nil))
	if len(got) != 1 || !strings.Contains(got[0], "of bob is valid for longer") {
		t.Error(got)
	}
	if got := Loosens(mustPolicy(t, longer, nil), mustPolicy(t, was, nil)); len(got) > 0 {
		t.Error(got)
	}
}

// Where nothing is said to be looser, whatever a policy lets pass the one before it let pass, too.
func TestLoosensMissesNothing(t *testing.T) {
	pick := func(words ...string) string { return words[rand.IntN(len(words))] }
	rule := func() string {
		approvals := 1 + rand.IntN(3)
		text := fmt.Sprintf(`{paths: [%q, %q], roles: [%s], approvals: %d`, randomPattern(), randomPattern(),
			pick(`"*"`, "global-admin", "operator", `"operator:acme-corp"`, "operator, global-admin", "developer, operator"), approvals)
		if rand.IntN(3) == 0 {
			text += fmt.Sprintf(", rollbackApprovals: %d", 1+rand.IntN(approvals))
		}
		return text + pick("", "", ", consent: signed") + "}"
	}
	admin := `{paths: [".lcm/trust.yaml"], roles: [global-admin], approvals: 1}`
	random := func(like policy) *Policy {
		p := design()
		p.rules = []string{admin}
		for _, r := range like.rules[1:] {
			switch rand.IntN(8) {
			case 0:
			case 1:
				p.rules = append(p.rules, rule())
			default:
				p.rules = append(p.rules, r)
			}
		}
		parsed, _ := parse(t, p.String())
		return parsed
	}
	compared, strict := 0, 0
	for compared < 600 {
		like := design()
		like.rules = []string{admin, rule(), rule(), rule()}
		was, now := random(like), random(like)
		if was == nil || now == nil {
			continue
		}
		compared++
		if len(Loosens(was, now)) > 0 {
			continue
		}
		strict++
		for range 50 {
			c := randomChange()
			if c.passes(now) && !c.passes(was) {
				t.Fatalf("%+v passes, and did not before\n%s\n%s", c, rulesText(was), rulesText(now))
			}
		}
	}
	if strict < compared/20 {
		t.Errorf("only %d of %d pairs loosen nothing: the test says little", strict, compared)
	}
}

func rulesText(p *Policy) string {
	var b strings.Builder
	for _, r := range p.Rules() {
		fmt.Fprintf(&b, "%v %v %d %d %v; ", r, r.Roles, r.Approvals, r.RollbackApprovals, r.SignedConsent)
	}
	return b.String()
}

func randomPattern() string {
	words := []string{"namespaces", "acme-corp", "globex", "a", "*", "**"}
	s := []string{words[rand.IntN(len(words))]}
	for range rand.IntN(4) {
		s = append(s, words[rand.IntN(len(words))])
	}
	return strings.Join(s, "/")
}

// consented is a change of a path with those who consent to it.
type consented struct {
	path             string
	signed, unsigned []string
	restores         bool
}

func randomChange() consented {
	words := []string{"namespaces", "acme-corp", "globex", "a", "z"}
	path := "namespaces/acme-corp"
	for range rand.IntN(4) {
		path += "/" + words[rand.IntN(len(words))]
	}
	c := consented{path: path, restores: rand.IntN(2) == 0}
	for _, name := range []string{"alice", "carol", "bob", "dave", "gus", "dev"} {
		switch rand.IntN(3) {
		case 0:
			c.signed = append(c.signed, name)
		case 1:
			c.unsigned = append(c.unsigned, name)
		}
	}
	return c
}

func (c consented) passes(p *Policy) bool {
	rules := p.Matching(c.path)
	for _, r := range rules {
		n, needed := 0, r.Approvals
		if c.restores {
			needed = r.rollback()
		}
		who := c.signed
		if !r.SignedConsent {
			who = append(slices.Clone(who), c.unsigned...)
		}
		for _, name := range who {
			if r.admits(p.principals[name], c.path) {
				n++
			}
		}
		if n < needed {
			return false
		}
	}
	return len(rules) > 0
}

func TestLoosened(t *testing.T) {
	seals := func(recipients string) string {
		return "creation_rules:\n  - {path_regex: '^namespaces/.*$', encrypted_regex: '^(data|previous)$', age: '" + recipients + "'}\n"
	}
	const one, two = "age1haez9u5x0s86765907nwmn3xza2w08krwq4p77m7a3uuwm4myf0qa2kfax", "age1rtvkqcm6e45takpxcdtu6yyguyxzv3psyfnmenp8lhuy4rmhw5sqdctxev"
	rego := "package lcm.own\n\ndeny contains {\"rule\": \"first\", \"path\": [], \"message\": \"m\"} if false\n\ndeny contains {\"rule\": \"second\", \"path\": [], \"message\": \"m\"} if false\n"
	base := files{"lcm.yaml": settingsText, policyFile: design().String(), ".sops.yaml": seals(one), "policies/rego/own.rego": rego, "schemas/cue/own.cue": "package lcm\n"}
	for _, c := range []struct {
		name   string
		change files // "" deletes
		want   []string
	}{
		{"documents", files{"namespaces/acme-corp/a/b/production/c.yaml": config("1"), "README.md": "x"}, nil},
		{"trust", files{policyFile: strings.Replace(design().String(), "approvals: 1}", "approvals: 2}", 1)}, nil},
		{"a recipient", files{".sops.yaml": seals(one + "," + two)}, []string{".sops.yaml: ^namespaces/.*$: " + two + " can open what is sealed from now on"}},
		{"a recipient less", files{".sops.yaml": seals(two)}, []string{".sops.yaml: ^namespaces/.*$: " + two + " can open what is sealed from now on"}},
		{"a share", files{"lcm.yaml": strings.Replace(settingsText, "10%", "50%", 1)}, []string{"lcm.yaml: limits.maxDeletes is 50%, was 10%"}},
		{"a smaller share", files{"lcm.yaml": strings.Replace(settingsText, "10%", "5%", 1)}, nil},
		{"no share", files{"lcm.yaml": strings.Replace(settingsText, "limits: {maxDeletes: 10%}\n", "", 1)},
			[]string{"lcm.yaml: limits.maxDeletes is gone, was 10%: only the daemon's own ceiling holds"}},
		{"a target", files{"lcm.yaml": strings.Replace(settingsText, "maxClassification: internal", "maxClassification: restricted, secrets: true", 1)},
			[]string{"lcm.yaml: target runtime is given what is restricted, not only what is internal", "lcm.yaml: target runtime is given Secrets"}},
		{"a route", files{"lcm.yaml": strings.Replace(settingsText, `kinds: ["*"]`, `kinds: [Config]`, 1)}, []string{"lcm.yaml: the routes changed: look at where documents go"}},
		{"a layer", files{"lcm.yaml": strings.Replace(settingsText, "inherits: staging", "inherits: base", 1)},
			[]string{"lcm.yaml: the environments changed: look at what inherits from where"}},
		{"a denial", files{"policies/rego/own.rego": strings.Replace(rego, "second", "third", 1)},
			[]string{"policies/rego/own.rego: the rule second is gone", "policies/rego/own.rego: " + look}},
		{"all denials", files{"policies/rego/own.rego": ""}, []string{"policies/rego/own.rego: the rule first is gone", "policies/rego/own.rego: the rule second is gone"}},
		{"a package more", files{"policies/rego/more.rego": "package lcm.more\n"}, nil},
		{"more of a package", files{"policies/rego/more.rego": "package lcm.own\n\nexempt := true\n"}, []string{"policies/rego/more.rego: " + look}},
		{"tests of rules", files{"policies/rego/own_test.rego": "package lcm.own_test\n"}, nil},
		{"a constraint", files{"schemas/cue/own.cue": "package lcm\n\n#Config: spec: value: _\n"}, []string{"schemas/cue/own.cue: " + look}},
		{"a constraint less", files{"schemas/cue/own.cue": ""}, []string{"schemas/cue/own.cue: it is gone: what it demanded is demanded no more"}},
		{"a constraint more", files{"schemas/cue/more.cue": "package lcm\n"}, nil},
		{"access", files{".lcm/access.yaml": "x"}, []string{".lcm/access.yaml: " + look}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after, changed := fstest.MapFS{}, fstest.MapFS{}, []gitrepo.Change(nil)
			put := func(fsys fstest.MapFS, all files) {
				for name, text := range all {
					delete(fsys, name)
					if text != "" {
						fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
					}
				}
			}
			put(before, base)
			put(after, base)
			put(after, c.change)
			for _, name := range slices.Sorted(maps.Keys(c.change)) {
				ch := gitrepo.Change{Path: name}
				if before[name] != nil {
					ch.Old = gitrepo.Blob{ID: "1"}
				}
				if after[name] != nil {
					ch.New = gitrepo.Blob{ID: "2"}
				}
				changed = append(changed, ch)
			}
			var got []string
			for _, l := range Loosened(before, after, changed) {
				got = append(got, l.File+": "+l.What)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
