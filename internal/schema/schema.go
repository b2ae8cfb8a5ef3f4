// Package schema judges documents and settings by CUE: the definitions that the programs embed and,
// above them, a repository's own, which can only refuse more. What CUE finds is told anew in plain
// words, one violation for one mistake, and never with a value of the document in it.
package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Violation is one mistake in one document. Path leads to it; an element of a list is named by its
// index. Where a field is missing, Path ends with its name, though the document has no such place.
type Violation struct {
	Path    []string
	Key     bool // it belongs at the key, not at the value
	Rule    string
	Message string
}

// The rules of violations.
const (
	RuleRequired     = "schema/required"
	RuleUnknownField = "schema/unknown-field"
	RuleType         = "schema/type"
	RuleEnum         = "schema/enum"
	RuleBounds       = "schema/bounds"
	RulePattern      = "schema/pattern"
	RuleConflict     = "schema/conflict"
	RuleUnknownKind  = "schema/unknown-kind"
	RuleOwnCUE       = "schema/own-cue"
)

// settings are the definitions that CheckSettings knows.
var settings = [...]string{"Repository", "TrustPolicy", "TenantPolicy", "AccessPolicy", "SealRules", "Daemon"}

// kinds are the kinds that the embedded definitions have.
var kinds = [...]lcm.Kind{
	lcm.KindConfig, lcm.KindSecret, lcm.KindModelEndpoint, lcm.KindPromptTemplate, lcm.KindPreset,
	lcm.KindPriceMap, lcm.KindBudget, lcm.KindRollout, lcm.KindTombstone,
}

// Schema is a compiled set of definitions. It is safe for concurrent use.
type Schema struct {
	own     *own // nil: the repository has none
	pool    *pool
	classes map[lcm.Kind]*classes
	passed  verdicts
	large   sync.Mutex // held while a large document is judged
}

// New compiles the embedded definitions and the repository's own, its schemas/cue/*.cue by path. If
// there are findings, the Schema is nil: half of the constraints would let through what the other half refuses.
func New(files map[string][]byte) (*Schema, []diag.Finding) {
	o, findings := parseOwn(files)
	if len(findings) > 0 {
		return nil, findings
	}
	w, findings := newWorker(o)
	if len(findings) > 0 {
		return nil, findings
	}
	known, err := classesOf()
	if err != nil {
		return nil, []diag.Finding{broken(err)}
	}
	return &Schema{own: o, pool: newPool(o, w), classes: known}, nil
}

// Check judges a whole resolved document {apiVersion, kind, metadata, spec}. Of a Secret it sees the
// structure and the names of fields; values there may be anything, since they are sealed.
func (s *Schema) Check(kind lcm.Kind, value map[string]any) []Violation {
	builtin := slices.Contains(kinds[:], kind)
	if !builtin && !s.own.defines(string(kind)) {
		return []Violation{s.unknownKind(kind)}
	}
	key, keyed := s.key(kind, value)
	if keyed && s.passed.passed(key) {
		return nil
	}
	v := s.checkDocument(kind, builtin, value)
	if keyed && len(v) == 0 {
		s.passed.remember(key)
	}
	return v
}

// key names all documents that have the verdict of this one, or this one alone where the repository has
// constraints of its own on the kind.
func (s *Schema) key(kind lcm.Kind, value map[string]any) (verdict, bool) {
	if c := s.classes[kind]; c != nil && !s.own.concerns(string(kind)) {
		return c.digest(string(kind), value)
	}
	return digest(string(kind), value, exactly)
}

// largeDocument is from how many values on documents are judged one after the other: CUE takes some 10 KB
// for each.
const largeDocument = 3000

func (s *Schema) checkDocument(kind lcm.Kind, builtin bool, value map[string]any) []Violation {
	if count(value) > largeDocument {
		s.large.Lock()
		defer s.large.Unlock()
	}
	return s.with(func(w *worker) []Violation {
		base := "#Document"
		if builtin {
			base = "#" + string(kind)
		}
		if v := w.check(w.base, value, base); len(v) > 0 || !s.own.concerns(string(kind)) {
			return v
		}
		if kind == lcm.KindSecret {
			value = masked(value)
		}
		if s.own.tooLarge(value) {
			return []Violation{{Rule: RuleConflict, Message: "the document is too large for the nested loops in schemas/cue: split it, or loop only once"}}
		}
		return w.check(w.own, value, "#"+string(kind))
	})
}

// CheckOpened judges the data, or previous, of a Secret after it was opened, for the paths below it.
// The violations speak in fixed sentences, by field name alone.
func (s *Schema) CheckOpened(secretType string, data map[string]any) []Violation {
	v := s.with(func(w *worker) []Violation {
		if !w.base.lookup("#OpenedSecret", secretType).Exists() {
			return []Violation{{Rule: RuleEnum, Message: "this type of secret is unknown"}}
		}
		return w.check(w.base, data, "#OpenedSecret", secretType)
	})
	if len(v) > 0 {
		return v
	}
	return matchKeys(secretType, data)
}

// CheckSettings judges a settings file by its definition: Repository, TrustPolicy, TenantPolicy,
// AccessPolicy, SealRules (.sops.yaml) or Daemon (reconciler.yaml).
func (s *Schema) CheckSettings(definition string, value map[string]any) []Violation {
	if !slices.Contains(settings[:], definition) {
		return []Violation{{Rule: RuleConflict, Message: fmt.Sprintf("there is no definition %.80q of settings", definition)}}
	}
	return s.with(func(w *worker) []Violation { return w.check(w.base, value, "#"+definition) })
}

// Unknown says that there is no such kind, and which may have been meant; it is empty if there is one.
func (s *Schema) Unknown(kind lcm.Kind) string {
	if slices.Contains(kinds[:], kind) || s.own.defines(string(kind)) {
		return ""
	}
	return s.unknownKind(kind).Message
}

func (s *Schema) unknownKind(kind lcm.Kind) Violation {
	known := s.own.kinds()
	for _, k := range kinds {
		known = append(known, string(k))
	}
	slices.Sort(known)
	msg := fmt.Sprintf("the kind %.80q is unknown; ", string(kind))
	if near := diag.Nearest(string(kind), known); near != "" {
		msg += fmt.Sprintf("did you mean %q?", near)
	} else {
		msg += "there are " + strings.Join(known, ", ")
	}
	return Violation{Path: []string{"kind"}, Rule: RuleUnknownKind, Message: msg}
}

// with lends a worker to f. A panic inside the engine counts as a refusal, and its worker is thrown away.
func (s *Schema) with(f func(*worker) []Violation) (v []Violation) {
	w, err := s.pool.take()
	if err != nil {
		return []Violation{undecided}
	}
	sound := false
	defer func() {
		if !sound {
			_ = recover()
			w, v = nil, []Violation{undecided}
		}
		s.pool.give(w)
	}()
	v = f(w)
	sound = true
	return v
}

var undecided = Violation{Rule: RuleConflict, Message: "the schema could not judge this document: make it simpler, or report this as a bug"}

// masked copies a Secret's document with every sealed value replaced, so that a repository's own
// constraints see its field names alone.
func masked(doc map[string]any) map[string]any {
	spec, ok := doc["spec"].(map[string]any)
	if !ok {
		return doc
	}
	spec = maps.Clone(spec)
	for _, field := range [...]string{"data", "previous"} {
		if v, ok := spec[field]; ok {
			spec[field] = mask(v)
		}
	}
	doc = maps.Clone(doc)
	doc["spec"] = spec
	return doc
}

func mask(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = mask(e)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = mask(e)
		}
		return l
	default:
		return "sealed"
	}
}
