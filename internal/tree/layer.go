package tree

import (
	"fmt"
	"io/fs"
	"iter"
	"regexp"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// layer is one environment's folder of one service, parsed.
type layer struct {
	docs     map[string]*Document
	prompts  map[string]*promptSet
	partials map[string]*Document
	// broken keys and partials have a file that could not be read as it should be. They are neither
	// there nor absent: what resolves to one is unknown, and is not looked for further up.
	broken         map[string]bool
	brokenPartials map[string]bool
	findings       []diag.Finding
}

// promptSet is a prompt's main file with its variants: they inherit as one.
type promptSet struct {
	main     *Document
	variants map[string]*Document
}

// all yields every document of the layer.
func (l *layer) all() iter.Seq[*Document] {
	return func(yield func(*Document) bool) {
		for _, docs := range [...]map[string]*Document{l.docs, l.partials} {
			for _, d := range docs {
				if !yield(d) {
					return
				}
			}
		}
		for _, set := range l.prompts {
			if !yield(set.main) {
				return
			}
			for _, d := range set.variants {
				if !yield(d) {
					return
				}
			}
		}
	}
}

func (l *layer) size() int { return 1 + len(l.docs) + len(l.prompts) + len(l.partials) }

// layer returns a layer of a service, empty if there is none.
func (t *Tree) layer(s lcm.Service, environment string) *layer {
	if !t.unlisted && !t.layers[s][environment] {
		return &layer{}
	}
	ns := s.In(environment)
	return t.cache.get(ns, func() *layer {
		if dir := layerDir(s, environment); t.beside != nil && sameFolder(t.fsys, t.beside.fsys, dir) {
			return t.beside.layer(s, environment)
		}
		return readLayer(t.fsys, ns, t.partly)
	})
}

func readLayer(fsys fs.FS, ns lcm.Namespace, some *part) *layer {
	l := &layer{
		docs: map[string]*Document{}, prompts: map[string]*promptSet{}, partials: map[string]*Document{},
		broken: map[string]bool{}, brokenPartials: map[string]bool{},
	}
	dir := layerDir(ns.Service, ns.Environment)
	entries, f := some.list(fsys, dir)
	if f != nil {
		l.findings = append(l.findings, *f)
	}
	seen := map[string]name{} // by key, the first file
	for _, e := range entries {
		l.entry(fsys, ns, dir+"/"+e.Name(), e, seen, some)
	}
	l.completeSets()
	l.dropBroken()
	return l
}

// entry reads one entry of the folder.
func (l *layer) entry(fsys fs.FS, ns lcm.Namespace, path string, e fs.DirEntry, seen map[string]name, some *part) {
	n, rule, msg := parseName(e.Name())
	if f := mode(path, e); f != nil {
		l.fail(n, *f)
		return
	}
	if e.IsDir() {
		l.fail(n, diag.Errorf(start(path), "layout/depth", "an environment's folder holds documents only, no folders"))
		return
	}
	if msg != "" {
		l.fail(n, diag.Errorf(start(path), rule, "%s", msg))
		return
	}
	if first, ok := seen[n.key]; ok && !n.partial && first.form != n.form {
		l.fail(n, diag.Errorf(start(path), "layout/two-files", "%s already defines this key: keep one of the two", first.base))
		return
	} else if !ok && !n.partial {
		seen[n.key] = n
	}
	d, findings := some.document(path, e, func() (*Document, []diag.Finding, int) { return n.parse(fsys, ns, path) })
	if l.fail(n, findings...) {
		l.add(n, d)
	}
}

// parse reads and parses a file; size is that of its content.
func (n name) parse(fsys fs.FS, ns lcm.Namespace, path string) (d *Document, findings []diag.Finding, size int) {
	data, f := read(fsys, path)
	if f != nil {
		return nil, []diag.Finding{*f}, 0
	}
	file := source{path: path, data: data, address: ns.Key(n.key)}
	switch {
	case n.form != formPrompt:
		d, findings = file.document(n.form == formSealed)
	case n.partial:
		d, findings = file.partial()
	default:
		d, findings = file.prompt(n.variant)
	}
	return d, findings, len(data)
}

func (l *layer) add(n name, d *Document) {
	switch {
	case n.form != formPrompt:
		l.docs[n.key] = d
	case n.partial:
		l.partials[n.key] = d
	default:
		l.prompt(n, d)
	}
}

func (l *layer) prompt(n name, d *Document) {
	set := l.prompts[n.key]
	if set == nil {
		set = &promptSet{variants: map[string]*Document{}}
		l.prompts[n.key] = set
	}
	if n.variant == "" {
		set.main = d
	} else {
		set.variants[n.variant] = d
	}
}

// fail notes findings of a file, and that its key is broken. It reports whether there were none.
func (l *layer) fail(n name, findings ...diag.Finding) bool {
	if len(findings) == 0 {
		return true
	}
	l.findings = append(l.findings, findings...)
	if n.key == "" {
		return false
	}
	if n.partial {
		l.brokenPartials[n.key] = true
	} else {
		l.broken[n.key] = true
	}
	return false
}

// completeSets looks at what only a whole set of prompt files shows.
func (l *layer) completeSets() {
	for _, key := range sortedKeys(l.prompts) {
		set := l.prompts[key]
		if l.broken[key] {
			continue
		}
		if set.main == nil {
			first := set.variants[sortedKeys(set.variants)[0]]
			l.fail(name{key: key}, diag.Errorf(start(first.File), "prompt/no-main",
				"a variant stands beside its main file, %s.prompt, in the same folder", key))
			continue
		}
		l.fail(name{key: key}, set.weigh()...)
	}
}

func (l *layer) dropBroken() {
	for key := range l.broken {
		delete(l.docs, key)
		delete(l.prompts, key)
	}
}

// source is the content of one file, about to be parsed.
type source struct {
	path    string
	data    []byte
	address lcm.Address
}

// name is what a file's name says.
type name struct {
	base    string // the whole name
	key     string // of a partial: the partial's name
	variant string
	partial bool
	form    fileForm
}

// fileForm is which of the three forms of file it is.
type fileForm string

const (
	formPlain  fileForm = ".yaml"
	formSealed fileForm = ".sops.yaml"
	formPrompt fileForm = ".prompt"
)

var versionName = regexp.MustCompile(`^v[0-9]+$`)

// parseName takes a file's name apart. With a message, only what could be recognised is set.
func parseName(base string) (n name, rule, msg string) {
	stem := base
	for _, form := range [...]fileForm{formSealed, formPlain, formPrompt} {
		if s, ok := strings.CutSuffix(base, string(form)); ok {
			n.form, stem = form, s
			break
		}
	}
	n.base = base
	if n.form == "" {
		return name{}, "layout/unknown-file", "a file here is <key>.yaml, <key>.sops.yaml, <name>.prompt, <name>.<variant>.prompt or _<partial>.prompt"
	}
	n.key = stem
	if n.form == formPrompt {
		if n.key, n.partial = strings.CutPrefix(stem, "_"); !n.partial {
			n.key, n.variant, _ = strings.Cut(stem, ".")
		}
	}
	const shape = "must be small letters, digits and inner hyphens, at most %d"
	switch {
	case !lcm.ValidName(n.key):
		return name{}, "layout/name", fmt.Sprintf("the key %.80q "+shape, n.key, lcm.MaxName)
	case !n.partial && lcm.Reserved(n.key):
		return name{}, "layout/reserved", fmt.Sprintf("%q is a word of the API and cannot be a key: rename the file", n.key)
	case n.variant == "" && strings.Contains(stem, "."):
		return n, "layout/name", "the variant's name is empty"
	case n.variant != "" && !lcm.ValidName(n.variant):
		return n, "layout/name", fmt.Sprintf("the variant %.80q "+shape, n.variant, lcm.MaxName)
	case versionName.MatchString(n.variant):
		return n, "prompt/variant-name", fmt.Sprintf("%q reads like a version: versions stand in lcm.version, variants have names", n.variant)
	}
	return n, "", ""
}
