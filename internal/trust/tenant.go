package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// TenantPolicy is what .lcm/tenants/<org>.yaml adds for one tenant: principals with roles of that
// tenant, and rules below namespaces/<org>/ that must be met besides those of trust.yaml.
type TenantPolicy struct {
	Org     string
	Version int64

	principals map[string]*Principal
	rules      []*Rule
	doc        *strictyaml.Document
}

// ParseTenantPolicy reads one tenant's file: apiVersion, kind TenantPolicy, tenant (optional),
// version, principals, rules. It returns nil if any finding is an error. Names and keys that clash with other files are
// found only when the files are put together, by LoadPolicy.
func ParseTenantPolicy(org, file string, data []byte) (*TenantPolicy, []diag.Finding) {
	doc, findings := strictyaml.Parse(file, data)
	if doc == nil {
		return nil, findings
	}
	r := &reader{doc: doc}
	t := &TenantPolicy{Org: org, doc: doc}
	top := r.top("TenantPolicy", "tenant", "version", "principals", "rules")
	if top.fields == nil {
		return nil, r.findings
	}
	if !lcm.ValidName(org) || lcm.Reserved(org) {
		r.at("trust/tenant", fmt.Sprintf("%q cannot be the name of a tenant", org))
	}
	r.word(top, "tenant", org)
	t.Version = r.version(top)
	t.principals = r.principals(top, org)
	t.rules = r.rules(top, org)
	r.checkRotation(t.rules, func(name string) bool { return t.principals[name] != nil })
	if diag.Failed(r.findings) {
		return nil, diag.Sort(r.findings)
	}
	return t, diag.Sort(r.findings)
}

// LoadPolicy reads trust.yaml and the tenants' files of a tree and puts them together. It returns a
// nil Policy if any finding is an error.
func LoadPolicy(fsys fs.FS) (*Policy, []diag.Finding) {
	p, findings, err := loadPolicy(fsys)
	if err != nil {
		return nil, []diag.Finding{diag.Errorf(diag.Position{File: policyFile}, "trust/format", "the policy cannot be read: %v", err)}
	}
	return p, findings
}

// loadPolicy tells what the repository holds (findings, which stay true) from failures to read it.
func loadPolicy(fsys fs.FS) (*Policy, []diag.Finding, error) {
	data, f, err := readRegular(fsys, policyFile)
	if f != nil || err != nil {
		return nil, f, err
	}
	p, findings := ParsePolicy(policyFile, data)
	if p == nil {
		return nil, findings, nil
	}
	tenants, more, err := loadTenants(fsys)
	if err != nil {
		return nil, nil, err
	}
	findings = append(findings, more...)
	if !diag.Failed(findings) && len(tenants) > 0 {
		p, more = p.with(tenants)
		findings = append(findings, more...)
	}
	if diag.Failed(findings) {
		p = nil
	}
	return p, diag.Sort(findings), nil
}

func loadTenants(fsys fs.FS) (tenants []*TenantPolicy, findings []diag.Finding, err error) {
	entries, err := fs.ReadDir(fsys, tenantsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		file := tenantsDir + "/" + e.Name()
		org, ok := strings.CutSuffix(e.Name(), ".yaml")
		if !ok {
			findings = append(findings, diag.Errorf(diag.Position{File: file}, "trust/tenant", "only <org>.yaml stands here: remove it"))
			continue
		}
		data, f, err := readRegular(fsys, file)
		if err != nil {
			return nil, nil, err
		}
		findings = append(findings, f...)
		if f == nil {
			t, more := ParseTenantPolicy(org, file, data)
			findings = append(findings, more...)
			tenants = append(tenants, t)
		}
	}
	return tenants, findings, nil
}

// with puts the tenants' principals and rules beside those of trust.yaml. A name stands for one
// principal in all files, or an approval by that name would mean two people.
func (p *Policy) with(tenants []*TenantPolicy) (*Policy, []diag.Finding) {
	all := *p
	all.principals, all.rules = maps.Clone(p.principals), slices.Clone(p.rules)
	all.tenants = make(map[string]*TenantPolicy, len(tenants))
	var findings []diag.Finding
	for _, t := range tenants {
		all.tenants[t.Org] = t
		all.rules = append(all.rules, t.rules...)
		for _, name := range slices.Sorted(maps.Keys(t.principals)) {
			if other, taken := all.principals[name]; taken {
				findings = append(findings, diag.Errorf(t.doc.KeyPosition("principals", name), "trust/principals",
					"the name %s is taken by a principal of %s: choose another", name, fileOf(other)))
				continue
			}
			all.principals[name] = t.principals[name]
		}
	}
	if len(all.principals) > maxPrincipals || len(all.rules) > maxRules {
		findings = append(findings, diag.Errorf(diag.Position{File: tenantsDir}, "trust/format",
			"%d principals and %d rules in all files; at most %d and %d are read", len(all.principals), len(all.rules), maxPrincipals, maxRules))
	}
	return &all, append(findings, all.index()...)
}

func fileOf(p *Principal) string {
	if p.Tenant == "" {
		return policyFile
	}
	return tenantsDir + "/" + p.Tenant + ".yaml"
}

// readRegular reads a plain file: what a symlink or a folder of that name would give is refused.
func readRegular(fsys fs.FS, name string) ([]byte, []diag.Finding, error) {
	wrong := func(format string, args ...any) ([]byte, []diag.Finding, error) {
		return nil, []diag.Finding{diag.Errorf(diag.Position{File: name}, "trust/format", format, args...)}, nil
	}
	info, err := fs.Stat(fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return wrong("the file is missing: without it nobody may change anything")
	case err == nil && (!info.Mode().IsRegular() || info.Mode()&0o111 != 0):
		return wrong("it must be a plain file of mode 644")
	}
	var data []byte
	if err == nil {
		data, err = fs.ReadFile(fsys, name)
	}
	return data, nil, err
}
