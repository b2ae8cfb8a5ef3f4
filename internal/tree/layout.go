package tree

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Names of the repository's own files and folders.
const (
	namespacesDir = "namespaces"
	trustDir      = ".lcm"
)

// strictNames are the names at the root that mean something. Everything else there is free.
var strictNames = [...]string{SettingsFile, SealRulesFile, trustDir, namespacesDir, "schemas", "policies"}

// layout walks the strict part of a repository down to the environments' folders, which are read
// only when a namespace is resolved.
type layout struct {
	fsys     fs.FS
	before   *Layout // of a state with the same environments; or nil
	findings []diag.Finding
}

func (l *layout) refuse(path, rule, format string, args ...any) {
	l.findings = append(l.findings, diag.Errorf(start(path), rule, format, args...))
}

// list returns the entries of a folder that are folders and plain files.
func (l *layout) list(dir string) []fs.DirEntry {
	entries, f := listBounded(l.fsys, dir)
	if f != nil {
		l.findings = append(l.findings, *f)
	}
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		if e.Type() == fs.ModeDir {
			return false
		}
		f := mode(path.Join(dir, e.Name()), e)
		if f != nil {
			l.findings = append(l.findings, *f)
		}
		return f != nil
	})
}

// root returns what stands under the strict names, in the shape that each must have.
func (l *layout) root() map[string]bool {
	entries, f := list(l.fsys, ".")
	if f != nil {
		l.findings = append(l.findings, *f)
	}
	found := map[string]bool{}
	for _, e := range entries {
		i := slices.IndexFunc(strictNames[:], func(n string) bool { return strings.EqualFold(n, e.Name()) })
		if i < 0 {
			continue
		}
		want := strictNames[i]
		if e.Name() != want {
			l.refuse(e.Name(), "layout/case-twin", "on some systems this is the same name as %s: rename it", want)
			continue
		}
		if f := mode(want, e); f != nil {
			l.findings = append(l.findings, *f)
			continue
		}
		if file := want == SettingsFile || want == SealRulesFile; file == e.IsDir() {
			l.refuse(want, "layout/unknown-file", "%s must be a %s", want, map[bool]string{true: "file", false: "folder"}[file])
			continue
		}
		found[want] = true
	}
	return found
}

var moduleName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// beside checks the strict folders other than namespaces/.
func (l *layout) beside(root map[string]bool) {
	if root[trustDir] {
		for _, e := range l.list(trustDir) {
			p := path.Join(trustDir, e.Name())
			switch {
			case e.IsDir() && e.Name() == "tenants":
				l.tenants(p)
			case e.IsDir() || e.Name() != "trust.yaml" && e.Name() != "access.yaml":
				l.refuse(p, "layout/unknown-file", "%s holds trust.yaml, access.yaml and tenants/<org>.yaml only", trustDir)
			}
		}
	}
	for _, m := range [...]struct{ dir, sub, ext string }{{"schemas", "cue", ".cue"}, {"policies", "rego", ".rego"}} {
		if root[m.dir] {
			l.modules(m.dir, m.sub, m.ext)
		}
	}
}

func (l *layout) tenants(dir string) {
	for _, e := range l.list(dir) {
		org, ok := strings.CutSuffix(e.Name(), ".yaml")
		if e.IsDir() || !ok || !lcm.ValidName(org) || lcm.Reserved(org) {
			l.refuse(path.Join(dir, e.Name()), "layout/unknown-file", "%s holds <org>.yaml only, org being the name of a tenant", dir)
		}
	}
}

// modules checks schemas/cue and policies/rego: one flat folder of files with one extension.
func (l *layout) modules(dir, sub, ext string) {
	for _, e := range l.list(dir) {
		if !e.IsDir() || e.Name() != sub {
			l.refuse(path.Join(dir, e.Name()), "layout/unknown-file", "%s holds %s/*%s only", dir, sub, ext)
			continue
		}
		inner := path.Join(dir, sub)
		for _, e := range l.list(inner) {
			if e.IsDir() || path.Ext(e.Name()) != ext || !moduleName.MatchString(e.Name()) {
				l.refuse(path.Join(inner, e.Name()), "layout/unknown-file", "%s holds *%s only, without subfolders", inner, ext)
			}
		}
	}
}

// services finds the layers of each service below namespaces/.
func (l *layout) services(environments map[string]Environment) map[lcm.Service]map[string]bool {
	found := map[lcm.Service]map[string]bool{}
	for _, org := range l.folders(namespacesDir) {
		if lcm.Reserved(org) {
			l.refuse(path.Join(namespacesDir, org), "layout/reserved", "%q is a word of the API and cannot be an org: rename the folder", org)
			continue
		}
		same := l.same(path.Join(namespacesDir, org))
		for _, project := range l.folders(path.Join(namespacesDir, org)) {
			if same[project] {
				l.before.project(found, org, project)
				continue
			}
			l.project(found, org, project, environments)
		}
	}
	return found
}

// project finds the layers of each service of a project.
func (l *layout) project(found map[lcm.Service]map[string]bool, org, project string, environments map[string]Environment) {
	dir := path.Join(namespacesDir, org, project)
	same := l.same(dir)
	for _, name := range l.folders(dir) {
		s := lcm.Service{Org: org, Project: project, Name: name}
		var layers map[string]bool
		if same[name] {
			layers = l.before.layers[s]
		} else {
			layers = l.layers(s, environments)
		}
		if len(layers) > 0 {
			found[s] = layers
		}
	}
}

func (l *layout) layers(s lcm.Service, environments map[string]Environment) map[string]bool {
	layers := map[string]bool{}
	for _, env := range l.folders(ServiceDir(s)) {
		if contains(environments, env) {
			layers[env] = true
			continue
		}
		l.refuse(path.Join(ServiceDir(s), env), "layout/environment", "the environment %q is not declared in %s", env, SettingsFile)
	}
	return layers
}

// folders returns the well-named folders of a folder above the environments.
func (l *layout) folders(dir string) []string {
	var names []string
	for _, e := range l.list(dir) {
		if e.IsDir() && lcm.ValidName(e.Name()) {
			names = append(names, e.Name())
			continue
		}
		p := path.Join(dir, e.Name())
		switch ext := path.Ext(e.Name()); {
		case e.IsDir():
			l.refuse(p, "layout/name", "a folder's name must be small letters, digits and inner hyphens, at most %d", lcm.MaxName)
		case ext == ".yaml" || ext == ".prompt":
			l.refuse(p, "layout/depth", "a document stands at namespaces/<org>/<project>/<service>/<environment>/")
		default:
			l.refuse(p, "layout/unknown-file", "only folders stand here: a README belongs outside of %s/", namespacesDir)
		}
	}
	return names
}

// ServiceDir is the folder of a service.
func ServiceDir(s lcm.Service) string { return namespacesDir + "/" + s.String() }

func layerDir(s lcm.Service, environment string) string { return ServiceDir(s) + "/" + environment }
