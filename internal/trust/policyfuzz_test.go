package trust

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

const tenantText = `apiVersion: lcm/v1
kind: TenantPolicy
tenant: acme-corp
version: 3
principals:
  tess: {roles: ["tenant-admin:acme-corp"], keys: [], logins: {github: tess}}
  bot: {bot: true, roles: ["service-account:acme-corp"], keys: [], logins: {github: bot}}
rules:
  - {paths: ["namespaces/acme-corp/**"], roles: [tenant-admin], approvals: 1, rotation: [bot]}
`

// FuzzPolicy: a policy that is accepted is sound by a second look, and reads the same when its values
// are written in another way; one that is not accepted says where and why. Each text is taken for a trust.yaml
// and for a tenant's file.
func FuzzPolicy(f *testing.F) {
	full := design()
	full.rules = append(full.rules, `{paths: ["namespaces/acme-corp/**"], roles: ["operator:acme-corp"], approvals: 1, consent: signed}`)
	full.tail = fmt.Sprintf("forges: {github: {key: %q, merges: recomputed, reviews: counted}}\n", blockOf(fixedEntity("github")))
	full = full.with("olga", person(`"operator:acme-corp"`, pgpEntry(blockOf(fixedEntity("olga"))), strings.Replace(sshEntry("olga"), "}", ", notAfter: 2027-01-01T00:00:00Z}", 1)))
	if p, findings := ParsePolicy(policyFile, []byte(full.String())); p == nil {
		f.Fatal(findings)
	}
	for _, text := range []string{full.String(), design().next().String(), tenantText, "apiVersion: lcm/v1\nkind: TrustPolicy\nversion: 0\n", "[]"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, findings := ParsePolicy(policyFile, data); p == nil {
			explained(t, findings)
		} else {
			sound(t, p)
			again, findings := ParsePolicy(policyFile, rewrittenYAML(t, p.doc))
			if again == nil {
				t.Fatalf("written again: %v", findings)
			}
			if d := cmp.Diff(p, again, samePolicy); d != "" {
				t.Error(d)
			}
		}
		if p, findings := ParseTenantPolicy("acme-corp", tenantsDir+"/acme-corp.yaml", data); p == nil {
			explained(t, findings)
		} else {
			again, findings := ParseTenantPolicy("acme-corp", tenantsDir+"/acme-corp.yaml", rewrittenYAML(t, p.doc))
			if again == nil {
				t.Fatalf("written again: %v", findings)
			}
			if d := cmp.Diff(p, again, samePolicy); d != "" {
				t.Error(d)
			}
			bounded(t, p)
		}
	})
}

// samePolicy leaves out where things stand, and keys beyond what they are.
var samePolicy = cmp.Options{
	cmp.Exporter(func(reflect.Type) bool { return true }),
	cmpopts.IgnoreTypes(diag.Position{}, &strictyaml.Document{}, keyring{}),
	cmp.Comparer(func(a, b lcm.Pattern) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b *Key) bool {
		return a.Fingerprint == b.Fingerprint && a.NotAfter.Equal(b.NotAfter) && cmp.Equal(a.material, b.material)
	}),
}

// rewrittenYAML writes a document's values as JSON, which is YAML.
func rewrittenYAML(t *testing.T, d *strictyaml.Document) []byte {
	t.Helper()
	text, err := json.Marshal(d.Value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// explained demands an error that says where and why.
func explained(t *testing.T, findings []diag.Finding) {
	t.Helper()
	if !diag.Failed(findings) {
		t.Fatalf("refused without an error: %v", findings)
	}
	for _, f := range findings {
		if f.Rule == "" || f.Message == "" || f.Line < 1 {
			t.Errorf("%+v", f)
		}
	}
}

// sound looks at what each rule of DESIGN asks of a policy, as simply as can be.
func sound(t *testing.T, p *Policy) {
	t.Helper()
	if p.Repository == "" || p.Branch == "" || p.Version < 1 || len(p.principals) == 0 || len(p.Matching(policyFile)) == 0 {
		t.Errorf("%+v", p)
	}
	owner := map[string]string{}
	for name, who := range p.principals {
		if who.Name != name || who.Tenant != "" || len(who.Roles) == 0 {
			t.Errorf("%s: %+v", name, who)
		}
		for _, k := range who.Keys {
			if k.Owner != who || owner[k.Fingerprint] != "" {
				t.Errorf("the key %s of %s is also that of %s", k.Fingerprint, name, owner[k.Fingerprint])
			}
			owner[k.Fingerprint] = name
		}
	}
	for _, r := range p.rules {
		if r.Approvals < 1 || r.RollbackApprovals < 0 || r.RollbackApprovals > r.Approvals || len(r.Paths) == 0 || len(r.Roles) == 0 {
			t.Errorf("%+v", r)
		}
		for _, name := range r.Rotation {
			if p.principals[name] == nil {
				t.Errorf("rotation by %q", name)
			}
		}
	}
}

// bounded demands that a tenant's file speaks of its own tenant only.
func bounded(t *testing.T, p *TenantPolicy) {
	t.Helper()
	for name, who := range p.principals {
		for _, role := range who.Roles {
			if role.Org != "acme-corp" || who.Tenant != "acme-corp" {
				t.Errorf("%s: %+v", name, who)
			}
		}
	}
	for _, r := range p.rules {
		for _, path := range r.Paths {
			if !strings.HasPrefix(path.String(), "namespaces/acme-corp/") || r.Approvals < 1 {
				t.Errorf("%+v", r)
			}
		}
	}
}
