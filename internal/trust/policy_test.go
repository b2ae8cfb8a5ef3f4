package trust

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

func parse(t *testing.T, text string) (*Policy, []diag.Finding) {
	t.Helper()
	return ParsePolicy(policyFile, []byte(text))
}

func TestParsePolicy(t *testing.T) {
	p := design()
	p.rules = append(p.rules, `{paths: ["namespaces/acme-corp/**"], roles: ["operator:acme-corp"], approvals: 1, consent: signed}`)
	p.tail = fmt.Sprintf("forges: {github: {key: [%q, %q], merges: recomputed, reviews: counted}}\n", publicLine(sshKey("forge")), publicLine(sshKey("old forge")))
	got, findings := parse(t, p.String())
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	if got.Repository != "acme-config" || got.Branch != "main" || got.Version != 1 || len(got.Principals()) != 7 || len(got.Rules()) != 4 {
		t.Errorf("%+v", got)
	}
	rules := got.Matching("namespaces/acme-corp/a/b/production/k.yaml")
	if len(rules) != 3 || rules[1].RollbackApprovals != 1 || rules[1].Rotation[0] != "rotator" || !rules[2].SignedConsent {
		t.Errorf("%v", rules)
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	key := sshEntry("mallory")
	for name, c := range map[string]struct {
		change func(*policy) // or
		edit   [2]string     // old and new text
		rule   string
		line   int // 0: not checked
	}{
		"unknown field":           {edit: [2]string{"version: 1", "version: 1\nowner: me"}, rule: "trust/unknown-field", line: 6},
		"unknown field of a rule": {edit: [2]string{"approvals: 1}", "approvals: 1, quorum: 2}"}, rule: "trust/unknown-field"},
		"kind":                    {edit: [2]string{"TrustPolicy", "Trust"}, rule: "trust/format", line: 2},
		"not a mapping":           {edit: [2]string{"apiVersion", "- apiVersion"}, rule: "yaml/syntax"},
		"duplicate yaml key":      {edit: [2]string{"version: 1", "version: 1\nversion: 2"}, rule: "yaml/duplicate-key"},
		"version 0":               {edit: [2]string{"version: 1", "version: 0"}, rule: "trust/version", line: 5},
		"version text":            {edit: [2]string{"version: 1", `version: "1"`}, rule: "trust/version"},
		"version at the maximum":  {edit: [2]string{"version: 1", "version: 9007199254740992"}, rule: "trust/version"},
		"no branch":               {edit: [2]string{"branch: main\n", ""}, rule: "trust/format"},
		"no rules":                {change: func(p *policy) { p.rules = nil }, rule: "trust/format"},
		"no principals":           {change: func(p *policy) { p.people = nil }, rule: "trust/principals"},
		"unknown role":            {change: func(p *policy) { *p = p.with("x", person("root", key)) }, rule: "trust/role"},
		"role without tenant":     {change: func(p *policy) { *p = p.with("x", person("operator", key)) }, rule: "trust/role"},
		"global role of a tenant": {change: func(p *policy) { *p = p.with("x", person(`"global-admin:acme-corp"`, key)) }, rule: "trust/role"},
		"star is no role":         {change: func(p *policy) { *p = p.with("x", person(`"*"`, key)) }, rule: "trust/role"},
		"bot's role":              {change: func(p *policy) { *p = p.with("x", person(`"service-account:acme-corp"`, key)) }, rule: "trust/role"},
		"no roles":                {change: func(p *policy) { *p = p.with("x", person("", key)) }, rule: "trust/principals"},
		"no keys":                 {change: func(p *policy) { *p = p.with("x", person("global-admin")) }, rule: "trust/principals"},
		"bad name":                {change: func(p *policy) { *p = p.with("Mallory", person("global-admin", key)) }, rule: "trust/principals"},
		"bad pattern":             {change: func(p *policy) { p.rules = append(p.rules, `{paths: ["a*"], roles: ["*"], approvals: 1}`) }, rule: "trust/pattern"},
		"no paths":                {change: func(p *policy) { p.rules = append(p.rules, `{paths: [], roles: ["*"], approvals: 1}`) }, rule: "trust/rule"},
		"no roles in a rule":      {change: func(p *policy) { p.rules = append(p.rules, `{paths: ["**"], approvals: 1}`) }, rule: "trust/rule"},
		"no approvals":            {change: func(p *policy) { p.rules = append(p.rules, `{paths: ["**"], roles: ["*"]}`) }, rule: "trust/approvals"},
		"approvals 0":             {change: func(p *policy) { p.rules = append(p.rules, `{paths: ["**"], roles: ["*"], approvals: 0}`) }, rule: "trust/approvals"},
		"rollback 0": {change: func(p *policy) {
			p.rules = append(p.rules, `{paths: ["x"], roles: ["*"], approvals: 1, rollbackApprovals: 0}`)
		}, rule: "trust/approvals"},
		"rollback above": {change: func(p *policy) {
			p.rules = append(p.rules, `{paths: ["x"], roles: ["*"], approvals: 1, rollbackApprovals: 2}`)
		}, rule: "trust/approvals"},
		"unknown rotation": {change: func(p *policy) {
			p.rules = append(p.rules, `{paths: ["x"], roles: ["*"], approvals: 1, rotation: [who]}`)
		}, rule: "trust/rule"},
		"unknown consent": {change: func(p *policy) { p.rules = append(p.rules, `{paths: ["x"], roles: ["*"], approvals: 1, consent: any}`) }, rule: "trust/format"},
		"no key":          {change: func(p *policy) { *p = p.with("x", person("global-admin", `{ssh: "ssh-ed25519 AAAA"}`)) }, rule: "trust/key"},
		"options before a key": {change: func(p *policy) {
			*p = p.with("x", person("global-admin", fmt.Sprintf("{ssh: %q}", "no-touch-required "+publicLine(sshKey("x")))))
		}, rule: "trust/key"},
		"both kinds": {change: func(p *policy) { *p = p.with("x", person("global-admin", `{ssh: a, openpgp: b}`)) }, rule: "trust/key"},
		"bad notAfter": {change: func(p *policy) {
			*p = p.with("x", person("global-admin", strings.Replace(key, "}", ", notAfter: tomorrow}", 1)))
		}, rule: "trust/format"},
		"one key, two names":      {change: func(p *policy) { *p = p.with("x", person("global-admin", sshEntry("alice"))) }, rule: "trust/duplicate-key"},
		"one key twice":           {change: func(p *policy) { *p = p.with("x", person("global-admin", key, key)) }, rule: "trust/duplicate-key"},
		"too few admins":          {change: func(p *policy) { *p = p.with("carol", "") }, rule: "trust/unsatisfiable"},
		"bots are no admins":      {change: func(p *policy) { *p = p.with("carol", "bot: true, "+p.people["carol"]) }, rule: "trust/unsatisfiable"},
		"tenants cannot fill in":  {change: func(p *policy) { p.rules[0] = `{paths: ["**"], roles: ["*"], approvals: 3}` }, rule: "trust/unsatisfiable"},
		"settings without a rule": {change: func(p *policy) { p.rules = []string{`{paths: ["namespaces/**"], roles: ["*"], approvals: 1}`} }, rule: "trust/unsatisfiable"},
		"forge's field":           {change: func(p *policy) { p.tail = "forges: {github: {reviews: always}}\n" }, rule: "trust/format"},
		"forge's key":             {change: func(p *policy) { p.tail = "forges: {github: {key: x, merges: recomputed}}\n" }, rule: "trust/key"},
		"forge without a key":     {change: func(p *policy) { p.tail = "forges: {github: {merges: recomputed}}\n" }, rule: "trust/format"},
		"forge's name":            {change: func(p *policy) { p.tail = "forges: {Git Hub: {reviews: counted}}\n" }, rule: "trust/format"},
	} {
		t.Run(name, func(t *testing.T) {
			p := design()
			if c.change != nil {
				c.change(&p)
			}
			text := p.String()
			if c.edit[0] != "" {
				text = strings.Replace(text, c.edit[0], c.edit[1], 1)
			}
			got, findings := parse(t, text)
			if got != nil || len(findings) != 1 || findings[0].Rule != c.rule {
				t.Fatalf("want exactly one %s, got %v", c.rule, findings)
			}
			if f := findings[0]; f.Line == 0 || f.Column == 0 || c.line != 0 && f.Line != c.line {
				t.Errorf("position %v, want line %d", f.Position, c.line)
			}
		})
	}
}

func TestTenantPolicy(t *testing.T) {
	good := "apiVersion: lcm/v1\nkind: TenantPolicy\ntenant: acme-corp\nversion: 1\nprincipals:\n  erin: {" +
		person(`"operator:acme-corp"`, sshEntry("erin")) + "}\nrules:\n  - {paths: [\"namespaces/acme-corp/**\"], roles: [operator], approvals: 1}\n"
	load := func(tenant string) (*Policy, []diag.Finding) {
		return LoadPolicy(fstest.MapFS{
			policyFile:                     {Data: []byte(design().String()), Mode: 0o644},
			tenantsDir + "/acme-corp.yaml": {Data: []byte(tenant), Mode: 0o644},
		})
	}
	p, findings := load(good)
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	if len(p.Principals()) != 8 || len(p.Matching("namespaces/acme-corp/a/b/base/k.yaml")) != 2 || len(p.Matching("namespaces/globex/a/b/base/k.yaml")) != 1 {
		t.Error("the tenant's principal and rule are not in force, or beyond its tenant")
	}
	for name, c := range map[string]struct{ old, new, rule string }{
		"role of another tenant": {`"operator:acme-corp"`, `"operator:globex"`, "trust/role"},
		"global role":            {`"operator:acme-corp"`, `global-admin`, "trust/role"},
		"rule beyond the tenant": {"namespaces/acme-corp/**", "namespaces/**", "trust/pattern"},
		"rule for the settings":  {"namespaces/acme-corp/**", ".lcm/**", "trust/pattern"},
		"another tenant's roles": {"roles: [operator]", `roles: ["operator:globex"]`, "trust/role"},
		"name of a principal":    {"erin:", "bob:", "trust/principals"},
		"key of a principal":     {sshEntry("erin"), sshEntry("bob"), "trust/duplicate-key"},
		"another tenant's file":  {"tenant: acme-corp", "tenant: globex", "trust/format"},
		"no version":             {"version: 1\n", "", "trust/version"},
		"global rotation":        {"approvals: 1}", "approvals: 1, rotation: [rotator]}", "trust/rule"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatal("nothing replaced")
			}
			if p, findings := load(text); p != nil || len(findings) != 1 || findings[0].Rule != c.rule {
				t.Errorf("want exactly one %s, got %v", c.rule, findings)
			}
		})
	}
}

// A tenant's rule alone must not permit what trust.yaml leaves to nobody.
func TestTenantRulesOnlyTighten(t *testing.T) {
	p := design()
	p.rules = p.rules[1:]
	tenant := "apiVersion: lcm/v1\nkind: TenantPolicy\nversion: 1\nrules: [{paths: [\"namespaces/acme-corp/**\"], roles: [operator], approvals: 1}]\n"
	got, findings := LoadPolicy(fstest.MapFS{
		policyFile:                     {Data: []byte(p.String()), Mode: 0o644},
		tenantsDir + "/acme-corp.yaml": {Data: []byte(tenant), Mode: 0o644},
	})
	if got == nil {
		t.Fatal(findings)
	}
	if rules := got.Matching("namespaces/acme-corp/a/b/staging/k.yaml"); len(rules) != 0 {
		t.Errorf("permitted by %v", rules)
	}
}

func TestLoadPolicyFileModes(t *testing.T) {
	for name, mode := range map[string]fs.FileMode{"symlink": fs.ModeSymlink | 0o777, "executable": 0o755, "folder": fs.ModeDir | 0o755} {
		p, findings := LoadPolicy(fstest.MapFS{policyFile: {Data: []byte(design().String()), Mode: mode}})
		if p != nil || len(findings) != 1 {
			t.Errorf("%s: %v", name, findings)
		}
	}
}

func TestRolesReach(t *testing.T) {
	admin, operator := Role{Word: globalAdmin}, Role{"operator", "acme-corp"}
	for path, want := range map[string]bool{
		"namespaces/acme-corp/a/b/base/k.yaml": true, "namespaces/acme-corp": true, ".lcm/tenants/acme-corp.yaml": true,
		"namespaces/acme-corp2/a/b/base/k.yaml": false, "README.md": false, ".lcm/trust.yaml": false, "acme-corp/x": false,
		".lcm/tenants/globex.yaml": false, ".lcm/tenants/x/acme-corp.yaml": false, "namespaces": false,
	} {
		if operator.reaches(path) != want {
			t.Errorf("operator at %s: want %v", path, want)
		}
		if !admin.reaches(path) {
			t.Errorf("global-admin at %s", path)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"**", "lcm.yaml", true}, {"*", "lcm.yaml", true}, {"*/x", "schemas/**", true}, {"schemas/cue/*", "schemas/**", true},
		{"namespaces/**", "schemas/**", false}, {"**/trust.yaml", ".lcm/trust.yaml", true}, {".lcm/tenants/*", ".lcm/trust.yaml", false},
		{"a/**/b", "a/*/c", false}, {"a/**/b", "**/c/b", true}, {"*", "a/b", false},
	} {
		if got := overlap(lcm.MustPattern(c.a), lcm.MustPattern(c.b)); got != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
		if got := overlap(lcm.MustPattern(c.b), lcm.MustPattern(c.a)); got != c.want {
			t.Errorf("%s and %s: %v", c.b, c.a, got)
		}
	}
}

func TestTenantFileNames(t *testing.T) {
	for name, want := range map[string]string{"acme-corp.yaml": "", "acme-corp.yml": "trust/tenant", "Acme.yaml": "trust/tenant"} {
		p, findings := LoadPolicy(fstest.MapFS{
			policyFile:              {Data: []byte(design().String()), Mode: 0o644},
			tenantsDir + "/" + name: {Data: []byte("apiVersion: lcm/v1\nkind: TenantPolicy\nversion: 1\n"), Mode: 0o644},
		})
		if (p != nil) != (want == "") || want != "" && (len(findings) != 1 || findings[0].Rule != want) {
			t.Errorf("%s: %v", name, findings)
		}
	}
}
