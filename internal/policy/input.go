package policy

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Input is all that a rule can decide by; Rego sees its JSON form as input, and beside it
// input.credentials, a set of {path} or {path, ref} for each field named like a credential. A rule
// that needs a fact which is missing here must deny.
type Input struct {
	Document Document `json:"document"`
	Origin   Origin   `json:"origin"`
	// Target is where the routes send the document; nil: no route matched.
	Target *Target `json:"target,omitempty"`
	// References holds a fact sheet for each document that this one refers to, by whole address
	// (org/project/service/environment/key).
	References map[string]Reference `json:"references"`
	// Service is what the namespace holds as a whole; nil: not known.
	Service *Service `json:"service,omitempty"`
	// Changes are the steps that brought the document to its present state. The repository's own rules are
	// asked about each of them, as input.change; without any, as in the linter, those that look at it are left
	// out, and what publishes must refuse.
	Changes []*Change `json:"-"`

	credentials *ast.Term // see found
	plain       *object   // see value
	whole       ast.Value // plain, as one object
}

// Document is one resolved document. Environment is the one it is resolved for, not the layer it
// comes from. Of a Secret only type, rotation and expires_at of the spec are passed on, whatever Spec
// holds, and the names of its sealed fields, as spec.fields.
type Document struct {
	Address     string         `json:"address"`
	Org         string         `json:"org"`
	Project     string         `json:"project"`
	Service     string         `json:"service"`
	Environment string         `json:"environment"`
	Key         string         `json:"key"`
	Kind        lcm.Kind       `json:"kind"`
	Metadata    Metadata       `json:"metadata"`
	Spec        map[string]any `json:"spec"`
}

// Metadata are the resolved ones: of the nearest document, with the strictest classification met.
type Metadata struct {
	Description    string             `json:"description,omitempty"`
	Classification lcm.Classification `json:"classification"`
	Owner          string             `json:"owner,omitempty"`
	Labels         map[string]string  `json:"labels,omitempty"`
	Merge          string             `json:"merge,omitempty"`
	Inheritable    bool               `json:"inheritable"`
	SharedWith     []string           `json:"sharedWith,omitempty"`
	Audience       []string           `json:"audience,omitempty"`
}

// Origin is the file and the layer that the nearest document comes from.
type Origin struct {
	File        string `json:"file"`
	Environment string `json:"environment"`
}

// Target is what lcm.yaml says of a target.
type Target struct {
	Name              string             `json:"name"`
	Secrets           bool               `json:"secrets"`
	MaxClassification lcm.Classification `json:"maxClassification"`
}

// Reference is what is told about a document that is referred to.
type Reference struct {
	Kind           lcm.Kind           `json:"kind"`
	Type           string             `json:"type,omitempty"` // of a Secret
	Classification lcm.Classification `json:"classification"`
	Labels         map[string]string  `json:"labels,omitempty"`
	Audience       []string           `json:"audience,omitempty"` // of a Secret
}

// Service is shared by all documents of a namespace: make one and pass its pointer, so that it is
// converted once. It must not change after its first use.
type Service struct {
	Keys []Key `json:"keys"`

	once sync.Once
	term *ast.Term
}

// Key is one key of the namespace.
type Key struct {
	Key            string             `json:"key"`
	Kind           lcm.Kind           `json:"kind"`
	Classification lcm.Classification `json:"classification"`
	Target         string             `json:"target,omitempty"`
}

// object gathers the fields of one object of OPA's.
type object struct{ pairs [][2]*ast.Term }

func (o *object) add(key string, value *ast.Term) {
	k, ok := keys[key]
	if !ok {
		k = ast.StringTerm(key)
	}
	o.pairs = append(o.pairs, [2]*ast.Term{k, value})
}

// keys are the names that every input has. OPA's terms do not change, so that all inputs can share them.
var keys = func() map[string]*ast.Term {
	m := map[string]*ast.Term{}
	for _, k := range [...]string{
		"address", "approvers", "audience", "change", "classification", "credentials", "description", "document", "environment",
		"file", "firstSeen", "inheritable", "key", "keys", "kind", "labels", "maxClassification", "merge", "metadata", "name", "org",
		"origin", "owner", "path", "paths", "project", "ref", "references", "revision", "roles", "secrets", "service", "sharedWith", "signer", "spec", "target", "type",
		"vouched",
	} {
		m[k] = ast.StringTerm(k)
	}
	return m
}()

func (o *object) text(key, value string) {
	if value != "" {
		o.add(key, ast.StringTerm(value))
	}
}

func (o *object) texts(key string, values []string) {
	if len(values) == 0 {
		return
	}
	terms := make([]*ast.Term, len(values))
	for i, v := range values {
		terms[i] = ast.StringTerm(v)
	}
	o.add(key, ast.ArrayTerm(terms...))
}

func (o *object) labels(labels map[string]string) {
	if len(labels) == 0 {
		return
	}
	var l object
	for k, v := range labels {
		l.add(k, ast.StringTerm(v))
	}
	o.add("labels", l.term())
}

func (o *object) term() *ast.Term { return ast.ObjectTerm(o.pairs...) }

// with is the object and one field more.
func (o *object) with(key string, value *ast.Term) *object {
	more := object{pairs: o.pairs[:len(o.pairs):len(o.pairs)]}
	more.add(key, value)
	return &more
}

// found is the set of the document's fields that are named like a credential, which is looked for once.
func (in *Input) found() *ast.Term {
	if in.credentials == nil {
		in.credentials = in.Document.credentials()
	}
	return in.credentials
}

// value is OPA's form of the input, with a change if one is given; all but that is built once, when it is first asked
// for.
func (in *Input) value(c *Change) (ast.Value, error) {
	if in.plain == nil {
		o, err := in.object()
		if err != nil {
			return nil, err
		}
		in.plain, in.whole = &o, o.term().Value
	}
	if c == nil {
		return in.whole, nil
	}
	return in.plain.with("change", c.value()).term().Value, nil
}

// object builds OPA's form of the input directly: through JSON it would take ten times as long.
func (in *Input) object() (object, error) {
	document, err := in.Document.term()
	if err != nil {
		return object{}, err
	}
	o, origin := object{pairs: make([][2]*ast.Term, 0, 8)}, object{pairs: make([][2]*ast.Term, 0, 2)}
	o.add("document", document)
	origin.add("file", ast.StringTerm(in.Origin.File))
	origin.add("environment", ast.StringTerm(in.Origin.Environment))
	o.add("origin", origin.term())
	o.add("credentials", in.found())
	if in.Target != nil {
		o.add("target", in.Target.term())
	}
	var references object
	for address, r := range in.References {
		references.add(address, r.term())
	}
	o.add("references", references.term())
	if in.Service != nil {
		o.add("service", in.Service.value())
	}
	return o, nil
}

func (d *Document) term() (*ast.Term, error) {
	spec, err := ast.InterfaceToValue(d.visible())
	if err != nil {
		// The engine's own words may quote the spec.
		return nil, fmt.Errorf("%s: the spec holds something that is neither text, number, bool, list nor mapping", d.Address)
	}
	o := object{pairs: make([][2]*ast.Term, 0, 9)}
	o.add("address", ast.StringTerm(d.Address))
	o.add("org", ast.StringTerm(d.Org))
	o.add("project", ast.StringTerm(d.Project))
	o.add("service", ast.StringTerm(d.Service))
	o.add("environment", ast.StringTerm(d.Environment))
	o.add("key", ast.StringTerm(d.Key))
	o.add("kind", ast.StringTerm(string(d.Kind)))
	o.add("metadata", d.Metadata.term())
	o.add("spec", ast.NewTerm(spec))
	return o.term(), nil
}

// visible is what of the spec may be seen. It does not rely on the caller for Secrets: even the sealed
// values stay out.
func (d *Document) visible() map[string]any {
	if d.Kind != lcm.KindSecret {
		if d.Spec == nil {
			return map[string]any{}
		}
		return d.Spec
	}
	spec := make(map[string]any, 4)
	for _, field := range [...]string{"type", "rotation", "expires_at"} {
		if v, ok := d.Spec[field]; ok {
			spec[field] = v
		}
	}
	fields := []string{}
	switch names := d.Spec["fields"].(type) {
	case []string:
		fields = names
	case nil:
		if data, ok := d.Spec["data"].(map[string]any); ok {
			fields = slices.Sorted(maps.Keys(data))
		}
	}
	spec["fields"] = fields
	return spec
}

func (m *Metadata) term() *ast.Term {
	o := object{pairs: make([][2]*ast.Term, 0, 8)}
	o.text("description", m.Description)
	o.add("classification", ast.StringTerm(string(m.Classification)))
	o.text("owner", m.Owner)
	o.labels(m.Labels)
	o.text("merge", m.Merge)
	o.add("inheritable", ast.BooleanTerm(m.Inheritable))
	o.texts("sharedWith", m.SharedWith)
	o.texts("audience", m.Audience)
	return o.term()
}

func (t *Target) term() *ast.Term {
	var o object
	o.add("name", ast.StringTerm(t.Name))
	o.add("secrets", ast.BooleanTerm(t.Secrets))
	o.add("maxClassification", ast.StringTerm(string(t.MaxClassification)))
	return o.term()
}

func (r *Reference) term() *ast.Term {
	var o object
	o.add("kind", ast.StringTerm(string(r.Kind)))
	o.text("type", r.Type)
	o.add("classification", ast.StringTerm(string(r.Classification)))
	o.labels(r.Labels)
	o.texts("audience", r.Audience)
	return o.term()
}

func (s *Service) value() *ast.Term {
	s.once.Do(func() {
		keys := make([]*ast.Term, len(s.Keys))
		for i, k := range s.Keys {
			var o object
			o.add("key", ast.StringTerm(k.Key))
			o.add("kind", ast.StringTerm(string(k.Kind)))
			o.add("classification", ast.StringTerm(string(k.Classification)))
			o.text("target", k.Target)
			keys[i] = o.term()
		}
		var o object
		o.add("keys", ast.ArrayTerm(keys...))
		s.term = o.term()
	})
	return s.term
}
