package schema

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxOwnBytes is how much CUE a repository may bring along.
const maxOwnBytes = 256 << 10

// maxOwnFiles bounds how many files that is.
const maxOwnFiles = 256

// own are the constraints of a repository. They are unified with the embedded definitions and asked
// only after those have passed a document, so that whatever they add can but refuse more.
type own struct {
	sources []source
	text    map[string][]byte // by path, for positions
	new     []string          // kinds that the repository defines
	touched map[string]bool   // kinds that have constraints here
	all     bool              // a definition that many kinds share has
	loops   int               // how deep for stands in for
}

func (o *own) kinds() []string {
	if o == nil {
		return nil
	}
	return slices.Clone(o.new)
}

func (o *own) defines(kind string) bool { return o != nil && slices.Contains(o.new, kind) }

func (o *own) concerns(kind string) bool {
	return o != nil && (o.all || o.touched[kind] || o.defines(kind))
}

// maxSteps bounds what the repository's loops may go through in one document.
const maxSteps = 5_000_000

// tooLarge reports whether the loops of the repository's CUE would take too long over a document.
func (o *own) tooLarge(doc any) bool {
	if o.loops < 2 {
		return false
	}
	n := count(doc)
	return n*n > maxSteps
}

func count(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			n += count(e)
		}
	case []any:
		for _, e := range v {
			n += count(e)
		}
	}
	return n
}

// parseOwn reads the repository's files; nil without findings if there are none.
func parseOwn(files map[string][]byte) (*own, []diag.Finding) {
	if len(files) == 0 {
		return nil, nil
	}
	o := &own{text: files, touched: map[string]bool{}}
	if len(files) > maxOwnFiles {
		return nil, []diag.Finding{diag.Errorf(diag.Position{File: slices.Min(slices.Collect(maps.Keys(files))), Line: 1, Column: 1}, RuleOwnCUE,
			"there are more than %d files of CUE: put them together", maxOwnFiles)}
	}
	total := 0
	var syntax []*ast.File
	var findings []diag.Finding
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if total += len(files[name]); total > maxOwnBytes {
			return nil, []diag.Finding{diag.Errorf(diag.Position{File: name, Line: 1, Column: 1}, RuleOwnCUE,
				"with this file there are more than %d KiB of CUE: at most that much is read", maxOwnBytes>>10)}
		}
		f, err := parser.ParseFile(name, files[name])
		if err != nil {
			findings = append(findings, o.findings(err)...)
			continue
		}
		syntax = append(syntax, f)
		o.sources = append(o.sources, source{name, files[name]})
	}
	if len(findings) > 0 {
		return nil, findings
	}
	base, err := embeddedNames()
	if err != nil {
		return nil, []diag.Finding{broken(err)}
	}
	s := sandbox{own: o, base: base}
	if s.judge(syntax); len(s.findings) > 0 {
		return nil, s.findings
	}
	return o, o.findNew(syntax, base)
}

// embeddedNames are the names of all embedded definitions.
func embeddedNames() (map[string]bool, error) {
	sources, err := embedded()
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, s := range sources {
		f, err := parser.ParseFile(s.name, s.data)
		if err != nil {
			return nil, err
		}
		for name := range labels(f) {
			names[name] = true
		}
	}
	return names, nil
}

// labels are the top-level fields of a file.
func labels(f *ast.File) map[string]*ast.Field {
	out := map[string]*ast.Field{}
	for _, decl := range f.Decls {
		if field, ok := decl.(*ast.Field); ok {
			if name, _, err := ast.LabelName(field.Label); err == nil {
				out[name] = field
			}
		}
	}
	return out
}

// findNew finds the kinds that the repository defines, its definitions with a field spec, and adds a
// file that makes a document of each.
func (o *own) findNew(syntax []*ast.File, base map[string]bool) []diag.Finding {
	sources, err := embedded()
	if err != nil {
		return []diag.Finding{broken(err)}
	}
	d, err := compile(cuecontext.New(), append(sources, o.sources...))
	if err != nil {
		return o.findings(err)
	}
	var findings []diag.Finding
	for _, f := range syntax {
		names := labels(f)
		for _, label := range slices.Sorted(maps.Keys(names)) {
			name, isDef := strings.CutPrefix(label, "#")
			switch {
			case slices.Contains(kinds[:], lcm.Kind(name)) && isDef:
				o.touched[name] = true
			case base[label]:
				o.all = true
			case isDef && isKind(d.lookup(label)):
				if near := diag.Nearest(name, kindNames()); near != "" {
					findings = append(findings, diag.Errorf(o.position(names[label].Pos()), RuleOwnCUE,
						"the new kind %s is almost called %s: if that is meant, write #%s; else take a name that nobody confuses with it", name, near, near))
				} else if !slices.Contains(o.new, name) {
					o.new = append(o.new, name)
				}
			}
		}
	}
	if len(o.new) > 0 {
		slices.Sort(o.new)
		var b strings.Builder
		b.WriteString("package lcm\n")
		for _, name := range o.new {
			fmt.Fprintf(&b, "#%s: #Document & {kind!: %q}\n", name, name)
		}
		o.sources = append(o.sources, source{"builtin/new-kinds.cue", []byte(b.String())})
	}
	return findings
}

func kindNames() []string {
	var out []string
	for _, k := range kinds {
		out = append(out, string(k))
	}
	return out
}

// isKind reports whether a definition is of a document: it says what spec holds.
func isKind(v cue.Value) bool {
	if v.IncompleteKind() != cue.StructKind {
		return false
	}
	it, err := v.Fields(cue.Optional(true))
	for err == nil && it.Next() {
		if it.Selector().IsString() && it.Selector().Unquoted() == "spec" {
			return true
		}
	}
	return false
}

// findings places errors of CUE in the repository's own files.
func (o *own) findings(err error) []diag.Finding {
	var out []diag.Finding
	for _, e := range errors.Errors(err) {
		at := diag.Position{}
		for _, p := range append([]token.Pos{e.Position()}, e.InputPositions()...) {
			if _, ours := o.text[p.Filename()]; ours {
				at = o.position(p)
				break
			}
		}
		if at.File == "" {
			at = diag.Position{File: o.first(), Line: 1, Column: 1}
		}
		format, args := e.Msg()
		msg := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
		if len(msg) > 300 {
			msg = strings.ToValidUTF8(msg[:300], "") + "…"
		}
		if len(out) > 0 && out[len(out)-1].Position == at {
			continue // the same mistake, seen from another side
		}
		out = append(out, diag.Errorf(at, RuleOwnCUE, "this CUE does not hold together: %s", msg))
		if len(out) == 20 {
			break
		}
	}
	return out
}

func (o *own) first() string {
	for _, name := range slices.Sorted(maps.Keys(o.text)) {
		return path.Clean(name)
	}
	return ""
}

// position counts columns in code points, as all findings do; CUE counts bytes.
func (o *own) position(p token.Pos) diag.Position {
	at := diag.Position{File: p.Filename(), Line: p.Line(), Column: p.Column()}
	data := o.text[at.File]
	begin := p.Offset() - (p.Column() - 1)
	if begin >= 0 && p.Offset() <= len(data) && begin <= p.Offset() {
		at.Column = 1 + utf8.RuneCount(data[begin:p.Offset()])
	}
	return at
}
