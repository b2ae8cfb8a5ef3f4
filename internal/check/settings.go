package check

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/schema"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/internal/trust"
)

const (
	trustFile  = ".lcm/trust.yaml"
	accessFile = ".lcm/access.yaml"
	tenantsDir = ".lcm/tenants"
)

// settings checks who may change what. What lcm.yaml and .sops.yaml say is checked where they are loaded,
// and what is no plain file there too.
func settings(fsys fs.FS) []diag.Finding {
	plain, exists := plainFile(fsys, trustFile)
	switch {
	case !exists && misplaced(fsys):
		return nil
	case !exists:
		return []diag.Finding{diag.Errorf(diag.Position{File: trustFile, Line: 1, Column: 1}, "layout/missing",
			"the file is missing, and without it nobody may change anything: write one that names principals, their keys and rules")}
	case !plain:
		return nil
	}
	findings := policyFile(fsys, trustFile, func(data []byte) []diag.Finding {
		_, f := trust.ParsePolicy(trustFile, data)
		return f
	})
	more, whole := tenants(fsys)
	if findings = append(findings, more...); diag.Failed(findings) || !whole {
		return findings
	}
	_, findings = trust.LoadPolicy(fsys) // what shows only when the files are put together
	return findings
}

// misplaced reports whether .lcm is there but is no folder, or is in other letters.
func misplaced(fsys fs.FS) bool {
	entries, _ := fs.ReadDir(fsys, ".")
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return strings.EqualFold(e.Name(), path.Dir(trustFile)) && (e.Name() != path.Dir(trustFile) || !e.IsDir())
	})
}

// tenants checks the tenants' files one by one. They are not whole if the layout refuses one of them.
func tenants(fsys fs.FS) (findings []diag.Finding, whole bool) {
	entries, err := fs.ReadDir(fsys, tenantsDir)
	if err != nil {
		return nil, errors.Is(err, fs.ErrNotExist)
	}
	whole = true
	for _, e := range entries {
		file := path.Join(tenantsDir, e.Name())
		org, ok := strings.CutSuffix(e.Name(), ".yaml")
		if plain, _ := plainFile(fsys, file); !ok || !plain || !lcm.ValidName(org) || lcm.Reserved(org) {
			whole = false
			continue
		}
		findings = append(findings, policyFile(fsys, file, func(data []byte) []diag.Finding {
			_, f := trust.ParseTenantPolicy(org, file, data)
			return f
		})...)
	}
	return findings, whole
}

func policyFile(fsys fs.FS, file string, parse func([]byte) []diag.Finding) []diag.Finding {
	data, err := readFile(fsys, file)
	if err != nil {
		return []diag.Finding{unreadable(file)}
	}
	return parse(data)
}

// plainFile reports whether there is anything by a name, and whether it is what the layout allows: a file
// of mode 644, and no link to one.
func plainFile(fsys fs.FS, file string) (plain, exists bool) {
	entries, err := fs.ReadDir(fsys, path.Dir(file))
	i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == path.Base(file) })
	if err != nil || i < 0 {
		return false, false
	}
	info, err := entries[i].Info()
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 == 0, true
}

// access checks who may read what at run time. Without the file nobody may, which is no mistake.
func access(fsys fs.FS, s *schema.Schema) []diag.Finding {
	if plain, _ := plainFile(fsys, accessFile); !plain {
		return nil
	}
	data, err := readFile(fsys, accessFile)
	if err != nil {
		return []diag.Finding{unreadable(accessFile)}
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

// settingsFiles are the plain files that say how the repository is run.
func settingsFiles(fsys fs.FS) []string {
	out := []string{tree.SettingsFile, tree.SealRulesFile, trustFile, accessFile}
	entries, _ := fs.ReadDir(fsys, tenantsDir)
	for _, e := range entries {
		out = append(out, path.Join(tenantsDir, e.Name()))
	}
	return slices.DeleteFunc(out, func(file string) bool {
		plain, _ := plainFile(fsys, file)
		return !plain
	})
}

// readFile reads no more of a file than a file of the repository may hold, and one byte.
func readFile(fsys fs.FS, file string) ([]byte, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, strictyaml.MaxBytes+1))
}

func unreadable(file string) diag.Finding {
	return diag.Errorf(diag.Position{File: file, Line: 1, Column: 1}, "layout/unreadable", "the file can't be read")
}
