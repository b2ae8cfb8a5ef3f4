package schema

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// allowed returns the functions of one of CUE's packages that a repository's constraints may call:
// they look at values, and none makes something much larger than what it is given. CUE cannot be
// interrupted, so what could run for ever is refused before it runs.
func allowed(pkg string) []string {
	switch pkg {
	case "list":
		return []string{"Contains", "IsSortedStrings", "Max", "MaxItems", "Min", "MinItems", "Sum"}
	case "math":
		return []string{"Abs", "Ceil", "Floor", "MultipleOf", "Round", "Trunc"}
	case "net":
		return []string{"AbsURL", "FQDN", "IP", "IPCIDR", "IPv4", "IPv6", "LoopbackIP", "URL"}
	case "regexp":
		return []string{"Find", "Match", "Valid"}
	case "strings":
		return []string{"Contains", "ContainsAny", "Count", "HasPrefix", "HasSuffix", "Index", "IndexAny", "LastIndex", "MaxRunes",
			"MinRunes", "ToLower", "ToUpper", "Trim", "TrimLeft", "TrimPrefix", "TrimRight", "TrimSpace", "TrimSuffix"}
	case "struct":
		return []string{"MaxFields", "MinFields"}
	case "time":
		return []string{"Duration", "ParseDuration", "Time"}
	}
	return nil
}

// sandbox judges whether a repository's CUE may run at all.
type sandbox struct {
	own      *own
	base     map[string]bool // names of the embedded definitions
	imports  map[string]string
	findings []diag.Finding
}

func (s *sandbox) refuse(n ast.Node, format string, args ...any) {
	if len(s.findings) < 20 {
		s.findings = append(s.findings, diag.Errorf(s.own.position(n.Pos()), RuleOwnCUE, format, args...))
	}
}

func (s *sandbox) judge(files []*ast.File) {
	for _, f := range files {
		s.file(f)
	}
	if len(s.findings) > 0 {
		return
	}
	m := newMeter(files)
	for _, f := range files {
		for _, decl := range f.Decls {
			if c := m.cost(decl, 0); c.tooMuch() != "" {
				s.refuse(decl, "evaluating this could take too long: %s", c.tooMuch())
			}
		}
	}
	s.own.loops = m.loops
}

func (s *sandbox) file(f *ast.File) {
	if f.PackageName() != "lcm" {
		s.findings = append(s.findings, diag.Errorf(diag.Position{File: f.Filename, Line: 1, Column: 1}, RuleOwnCUE,
			"the file must begin with: package lcm"))
		return
	}
	s.imports = map[string]string{}
	for spec := range f.ImportSpecs() {
		s.imported(spec)
	}
	for _, decl := range f.Decls {
		s.declaration(decl)
	}
	ast.Walk(f, s.node, nil)
}

func (s *sandbox) imported(spec *ast.ImportSpec) {
	name, err := literal.Unquote(spec.Path.Value)
	if err != nil || allowed(name) == nil {
		s.refuse(spec, "this import is not allowed: there are list, math, net, regexp, strings, struct and time")
		return
	}
	alias := path.Base(name)
	if spec.Name != nil {
		alias = spec.Name.Name
	}
	s.imports[alias] = name
}

func (s *sandbox) declaration(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.Package, *ast.ImportDecl, *ast.CommentGroup, *ast.LetClause, *ast.Attribute:
	case *ast.Field:
		name, _, err := ast.LabelName(d.Label)
		if err != nil {
			s.refuse(d, "at the top of a file, a field must have a plain name")
			return
		}
		def := strings.TrimPrefix(name, "#")
		if s.base[name] && (slices.Contains(settings[:], def) || def == "OpenedSecret") {
			s.refuse(d, "%s cannot be constrained from a repository: only kinds can", name)
		}
	default:
		s.refuse(d, "at the top of a file there may only be definitions such as #Config")
	}
}

func (s *sandbox) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.Attribute:
		if key, _ := n.Split(); key != "expect" {
			s.refuse(n, "the attribute @%.40s is not allowed", key)
		}
	case *ast.BinaryExpr:
		if n.Op == token.MUL {
			s.refuse(n, "multiplication is not allowed: of a string or list it has no bound")
		}
	case *ast.CallExpr:
		if fun, ok := n.Fun.(*ast.Ident); ok && fun.Name == "error" {
			if _, ok := errorText(n); !ok {
				s.refuse(n, "error takes one plain string: a message made from values could tell them")
			}
		}
	case *ast.SelectorExpr:
		s.selector(n)
	case *ast.UnaryExpr:
		if expr, ok := regex(n); ok {
			if _, err := regexp.Compile(expr); err != nil {
				s.refuse(n, "this is not a valid regular expression (RE2)")
			}
		}
	}
	return true
}

func (s *sandbox) selector(n *ast.SelectorExpr) {
	x, ok := n.X.(*ast.Ident)
	if !ok {
		return
	}
	pkg, ok := s.imports[x.Name]
	if !ok {
		return
	}
	if name, _, err := ast.LabelName(n.Sel); err != nil || !slices.Contains(allowed(pkg), name) {
		s.refuse(n, "this function of %s is not allowed: there are %s", pkg, list(allowed(pkg)))
	}
}
