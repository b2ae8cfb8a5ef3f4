package check

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/schema"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
	"github.com/llm-config-manager/lcm/internal/trust"
)

const (
	trustFile  = ".lcm/trust.yaml"
	accessFile = ".lcm/access.yaml"
	tenantsDir = ".lcm/tenants"
)

// settings checks who may change what. What lcm.yaml and .sops.yaml say is checked where they are loaded.
func settings(fsys fs.FS) []diag.Finding {
	data, err := fs.ReadFile(fsys, trustFile)
	if err != nil {
		return []diag.Finding{unreadable(trustFile, err, "without it nobody may change anything: write one that names principals, their keys and rules")}
	}
	_, findings := trust.ParsePolicy(trustFile, data)
	tenants, err := fs.ReadDir(fsys, tenantsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return append(findings, unreadable(tenantsDir, err, ""))
	}
	for _, e := range tenants {
		org, ok := strings.CutSuffix(e.Name(), ".yaml")
		if !ok || !e.Type().IsRegular() {
			continue // the layout says so
		}
		file := path.Join(tenantsDir, e.Name())
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			findings = append(findings, unreadable(file, err, ""))
			continue
		}
		_, more := trust.ParseTenantPolicy(org, file, data)
		findings = append(findings, more...)
	}
	return findings
}

// access checks who may read what at run time. Without the file nobody may, which is no mistake.
func access(fsys fs.FS, s *schema.Schema) []diag.Finding {
	data, err := fs.ReadFile(fsys, accessFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []diag.Finding{unreadable(accessFile, err, "")}
	}
	doc, findings := strictyaml.Parse(accessFile, data)
	if doc == nil {
		return findings
	}
	return Violations(doc, s.CheckSettings("AccessPolicy", doc.Map()))
}

// Violations turns what a schema says of a whole file into findings with their places.
func Violations(doc *strictyaml.Document, vs []schema.Violation) []diag.Finding {
	var out []diag.Finding
	for _, v := range vs {
		at := doc.Position(v.Path...)
		if v.Key {
			at = doc.KeyPosition(v.Path...)
		}
		out = append(out, diag.Errorf(at, v.Rule, "%s", v.Message))
	}
	return out
}

func unreadable(file string, err error, hint string) diag.Finding {
	at := diag.Position{File: file, Line: 1, Column: 1}
	if errors.Is(err, fs.ErrNotExist) {
		return diag.Errorf(at, "layout/missing", "the file is missing: %s", hint)
	}
	return diag.Errorf(at, "layout/unreadable", "the file can't be read")
}
