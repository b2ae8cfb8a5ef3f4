package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

const settingsYAML = `apiVersion: lcm/v1
kind: Repository
name: acme-config
rules: "1"
environments:
  base: {abstract: true}
  development: {inherits: base}
  staging: {inherits: development}
  production: {inherits: staging}
targets:
  vault: {secrets: true, maxClassification: restricted}
  runtime: {}
routes:
  - {match: {namespaces: ["acme/**"], kinds: [Secret]}, target: vault}
  - {match: {namespaces: ["**"], kinds: ["*"]}, target: runtime}
limits: {maxDeletes: 10%}
`

// A sealed value as SOPS writes it, and what SOPS adds to a file.
const (
	enc     = "ENC[AES256_GCM,data:aGVsbG8=,iv:aGVsbG8=,tag:aGVsbG8=,type:str]"
	sopsEnd = "sops:\n  mac: " + enc + "\n"
)

// files is a repository by path; lcm.yaml is there unless it is given. Paths that begin with a slash
// are short for namespaces/acme/ml/chat/…
type files map[string]string

func (f files) fs() fstest.MapFS {
	m := fstest.MapFS{SettingsFile: {Data: []byte(settingsYAML)}}
	for p, content := range f {
		if strings.HasPrefix(p, "/") {
			p = "namespaces/acme/ml/chat" + p
		}
		if content == "" && p == SettingsFile {
			delete(m, p)
			continue
		}
		m[p] = &fstest.MapFile{Data: []byte(content)}
	}
	return m
}

func config(value string) string {
	return "apiVersion: lcm/v1\nkind: Config\nspec: {value: " + value + "}\n"
}

func document(kind, metadata, spec string) string {
	return "apiVersion: lcm/v1\nkind: " + kind + "\nmetadata: {" + metadata + "}\nspec: {" + spec + "}\n"
}

func secret(address, metadata string) string {
	return document("Secret", "address: "+address+metadata, "type: opaque, data: {key: \""+enc+"\"}") + sopsEnd
}

var chat = lcm.Service{Org: "acme", Project: "ml", Name: "chat"}

// load loads a repository that must have no findings.
func load(t *testing.T, fsys fs.FS) *Tree {
	t.Helper()
	tr, findings := Load(fsys)
	if len(findings) > 0 {
		t.Fatalf("Load: %v", findings)
	}
	return tr
}

// all returns the findings of Load and of every published namespace, each once.
func all(fsys fs.FS) []diag.Finding {
	tr, findings := Load(fsys)
	if tr == nil {
		return findings
	}
	for _, ns := range tr.Namespaces() {
		findings = append(findings, tr.Resolve(ns).Findings...)
	}
	return diag.Sort(findings)
}

func brief(findings []diag.Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%s %s", f.Position, f.Rule))
	}
	return out
}

func short(paths []string) []string {
	for i, p := range paths {
		paths[i] = strings.ReplaceAll(p, "namespaces/acme/ml/chat/", "/")
	}
	return paths
}

// entry resolves one key, which must be there.
func entry(t *testing.T, tr *Tree, environment, key string) *Entry {
	t.Helper()
	r := tr.Resolve(chat.In(environment))
	if len(r.Findings) > 0 {
		t.Fatalf("%s: %v", environment, r.Findings)
	}
	for _, e := range r.Entries {
		if e.Address.Key == key {
			return e
		}
	}
	t.Fatalf("%s has no %s", environment, key)
	return nil
}

func keys(r *Resolved) []string {
	var out []string
	for _, e := range r.Entries {
		out = append(out, e.Address.Key)
	}
	return out
}

func diff(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestServicesAndNamespaces(t *testing.T) {
	tr := load(t, files{
		"/base/a.yaml": config("1"), "/production/a.yaml": config("2"),
		"namespaces/acme/ml/embed/staging/a.yaml": config("3"),
		"namespaces/bolt/x/y/production/a.yaml":   config("4"),
	}.fs())
	var got []string
	for _, ns := range tr.Namespaces() {
		got = append(got, ns.String())
	}
	diff(t, "namespaces", got, []string{
		"acme/ml/chat/development", "acme/ml/chat/production", "acme/ml/chat/staging",
		"acme/ml/embed/production", "acme/ml/embed/staging", "bolt/x/y/production",
	})
	layers, ok := tr.Service(chat)
	diff(t, "layers", layers, []string{"base", "production"})
	if _, none := tr.Service(lcm.Service{Org: "no", Project: "such", Name: "thing"}); !ok || none || len(tr.Services()) != 3 {
		t.Error("Service, Services")
	}
	diff(t, "chain", tr.Chain("production"), []string{"production", "staging", "development", "base"})
	diff(t, "feeds", short(tr.Feeds(chat.In("staging"))), []string{"/staging", "/development", "/base"})
	if tr.Chain("none") != nil || tr.Feeds(chat.In("none")) != nil {
		t.Error("an environment that is not declared has a chain")
	}
}

func TestRoutes(t *testing.T) {
	tr := load(t, files{"/base/a.yaml": config("1")}.fs())
	for _, c := range []struct {
		org  string
		kind lcm.Kind
		want string
	}{{"acme", lcm.KindSecret, "vault"}, {"bolt", lcm.KindSecret, "runtime"}, {"acme", lcm.KindConfig, "runtime"}} {
		r, ok := tr.Route(lcm.Service{Org: c.org, Project: "p", Name: "s"}.In("production"), c.kind)
		if !ok || r.Target != c.want {
			t.Errorf("%s %s goes to %q", c.org, c.kind, r.Target)
		}
	}
	if got := entry(t, tr, "production", "a").Target; got != "runtime" {
		t.Errorf("target %q", got)
	}
}

func TestFindingsOfLayout(t *testing.T) {
	for _, c := range []struct {
		path, content, want string
	}{
		{"namespaces/README.md", "x", "namespaces/README.md:1:1 layout/unknown-file"},
		{"namespaces/acme/k.yaml", "x", "namespaces/acme/k.yaml:1:1 layout/depth"},
		{"/k.prompt", "x", "/k.prompt:1:1 layout/depth"},
		{"/base/sub/k.yaml", "x", "/base/sub:1:1 layout/depth"},
		{"namespaces/Acme/ml/chat/base/k.yaml", config("1"), "namespaces/Acme:1:1 layout/name"},
		{"namespaces/bulk/ml/chat/base/k.yaml", config("1"), "namespaces/bulk:1:1 layout/reserved"},
		{"/prod/k.yaml", config("1"), "/prod:1:1 layout/environment"},
		{"/base/README.md", "x", "/base/README.md:1:1 layout/unknown-file"},
		{"/base/k.yml", "x", "/base/k.yml:1:1 layout/unknown-file"},
		{"/base/K.yaml", config("1"), "/base/K.yaml:1:1 layout/name"},
		{"/base/k.x.yaml", config("1"), "/base/k.x.yaml:1:1 layout/name"},
		{"/base/k..prompt", "x", "/base/k..prompt:1:1 layout/name"},
		{"/base/k.a.b.prompt", "x", "/base/k.a.b.prompt:1:1 layout/name"},
		{"/base/_a.b.prompt", "x", "/base/_a.b.prompt:1:1 layout/name"},
		{"/base/history.yaml", config("1"), "/base/history.yaml:1:1 layout/reserved"},
		{"/base/k.yaml", lfsPointer + "v1\noid sha256:1\n", "/base/k.yaml:1:1 layout/lfs-pointer"},
		{"/base/k.yaml", strings.Repeat("#", 1<<20+1), "/base/k.yaml:1:1 yaml/too-large"},
		{".lcm/README", "x", ".lcm/README:1:1 layout/unknown-file"},
		{".lcm/keys/a", "x", ".lcm/keys:1:1 layout/unknown-file"},
		{".lcm/tenants/Acme.yaml", "x", ".lcm/tenants/Acme.yaml:1:1 layout/unknown-file"},
		{"schemas/x.cue", "x", "schemas/x.cue:1:1 layout/unknown-file"},
		{"schemas/cue/x.json", "x", "schemas/cue/x.json:1:1 layout/unknown-file"},
		{"schemas/cue/sub/x.cue", "x", "schemas/cue/sub:1:1 layout/unknown-file"},
		{"policies/rego/x.cue", "x", "policies/rego/x.cue:1:1 layout/unknown-file"},
		{"policies", "x", "policies:1:1 layout/unknown-file"},
		{"Namespaces/x", "x", "Namespaces:1:1 layout/case-twin"},
		{".sops.YAML", "x", ".sops.YAML:1:1 layout/case-twin"},
	} {
		diff(t, c.path, short(brief(all(files{c.path: c.content}.fs()))), []string{c.want})
	}
	free := files{"README.md": "x", ".github/workflows/x.yml": "x", ".lcm/trust.yaml": "x", ".lcm/access.yaml": "x",
		".lcm/tenants/acme.yaml": "x", "schemas/cue/a_b.cue": "x", "policies/rego/a.rego": "x"}
	diff(t, "free", all(free.fs()), []diag.Finding(nil))
}

func TestFileModes(t *testing.T) {
	for path, mode := range map[string]fs.FileMode{
		"namespaces/acme/ml/chat/base/k.yaml": 0o755, "namespaces/acme/ml/chat/staging/k.yaml": fs.ModeSymlink,
		"namespaces/acme/ml/link": fs.ModeSymlink, "namespaces/acme/ml/mod": fs.ModeIrregular, ".lcm/trust.yaml": 0o700,
		".sops.yaml": fs.ModeSymlink, "lcm.yaml": 0o755, "schemas": fs.ModeSymlink,
	} {
		m := files{"/base/other.yaml": config("1")}.fs()
		m[path] = &fstest.MapFile{Data: []byte(config("1")), Mode: mode}
		if path == SettingsFile {
			m[path].Data = []byte(settingsYAML)
		}
		diff(t, path, brief(all(m)), []string{path + ":1:1 layout/file-mode"})
	}
}

func TestTwoFilesForOneKey(t *testing.T) {
	m := files{
		"/base/a.sops.yaml": secret("acme/ml/chat/base/a", ""), "/base/a.yaml": config("1"),
		"/base/b.yaml": config("1"), "/base/b.x.prompt": "text",
		"/base/c.yaml": config("1"), "/staging/c.sops.yaml": secret("acme/ml/chat/staging/c", ", inheritable: true"),
		"/base/_d.prompt": "text", "/base/d.yaml": config("1"),
	}.fs()
	diff(t, "findings", short(brief(all(m))), []string{"/base/a.yaml:1:1 layout/two-files", "/base/b.yaml:1:1 layout/two-files"})
	tr, _ := Load(m)
	diff(t, "keys", keys(tr.Resolve(chat.In("production"))), []string{"c", "d"})
}

// Nothing that Load does may depend on the number of documents.
func TestLoadReadsNoDocuments(t *testing.T) {
	m := files{"/base/a.yaml": config("1")}.fs()
	seen := map[string]int{}
	if _, findings := Load(spy{m, seen}); len(findings) > 0 {
		t.Fatal(findings)
	}
	diff(t, "opened", slices.Sorted(maps.Keys(seen)), []string{".", "lcm.yaml", "namespaces", "namespaces/acme", "namespaces/acme/ml", "namespaces/acme/ml/chat"})
}

type spy struct {
	fs   fs.FS
	seen map[string]int
}

func (s spy) Open(name string) (fs.File, error) {
	s.seen[name]++
	return s.fs.Open(name)
}

// A service that is larger than the cache is read once a namespace, not once a key.
func TestServiceLargerThanTheCache(t *testing.T) {
	m := files{}
	for _, k := range []string{"a", "b", "c"} {
		m["/base/"+k+".yaml"], m["/staging/"+k+".yaml"] = config("1"), document("Config", "merge: deep", "value: 2")
	}
	seen := map[string]int{}
	tr := load(t, spy{m.fs(), seen})
	tr.cache.max = 1
	if r := tr.Resolve(chat.In("production")); len(r.Entries) != 3 {
		t.Fatalf("%+v", r)
	}
	for p, n := range seen {
		if n != 1 {
			t.Errorf("%s was opened %d times", p, n)
		}
	}
}

// On a real work tree, through os.Root, links are seen as such and never followed.
func TestWorkTree(t *testing.T) {
	dir := t.TempDir()
	write := func(p, content string, mode fs.FileMode) {
		p = filepath.Join(dir, p)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(content), mode)); err != nil {
			t.Fatal(err)
		}
	}
	write(SettingsFile, settingsYAML, 0o644)
	write("namespaces/acme/ml/chat/base/a.yaml", config("1"), 0o644)
	write("namespaces/acme/ml/chat/base/b.yaml", config("1"), 0o755)
	for link, to := range map[string]string{"chat/base/c.yaml": "a.yaml", "linked": "chat", "chat/base/d.yaml": "/etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(dir, "namespaces/acme/ml", link)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	diff(t, "findings", short(brief(all(root.FS()))), []string{
		"/base/b.yaml:1:1 layout/file-mode", "/base/c.yaml:1:1 layout/file-mode", "/base/d.yaml:1:1 layout/file-mode",
		"namespaces/acme/ml/linked:1:1 layout/file-mode"})
}
