package tree

import (
	"regexp"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// parseDocument reads a <key>.yaml or, sealed, a <key>.sops.yaml. Any finding means no document.
func parseDocument(doc *strictyaml.Document, address lcm.Address, sealed bool) (*Document, []diag.Finding) {
	f := &form{doc: doc}
	m, ok := doc.Value.(map[string]any)
	if !ok {
		f.at(nil, "document/shape", "a document is a mapping of apiVersion, kind, metadata and spec")
		return nil, f.findings
	}
	d := &Document{File: doc.File, Address: address, Value: m, YAML: doc, Spec: map[string]any{}}
	allowed := []string{"apiVersion", "kind", "metadata", "spec"}
	if sealed {
		allowed = append(allowed, "sops")
	}
	f.only(m, nil, "document/unknown-field", allowed...)
	if m["apiVersion"] != lcm.APIVersion {
		f.at([]string{"apiVersion"}, "document/api-version", "apiVersion must be %s", lcm.APIVersion)
	}
	d.Kind = f.kind(m["kind"], sealed)
	if spec, ok := m["spec"]; ok {
		if d.Spec, ok = spec.(map[string]any); !ok {
			f.at([]string{"spec"}, "document/spec", "spec must be a mapping")
		}
	}
	d.Metadata = f.metadata(m, d.Kind)
	if d.Kind == lcm.KindSecret {
		f.secret(m, d)
	}
	if len(f.findings) > 0 {
		return nil, f.findings
	}
	return d, nil
}

// kind reads the kind and holds it against the file's name. It is empty if there is a finding.
func (f *form) kind(v any, sealed bool) lcm.Kind {
	s, _ := v.(string)
	kind := lcm.Kind(s)
	path := []string{"kind"}
	switch {
	case !kindShape.MatchString(s):
		f.at(path, "document/kind", "kind must be a name such as Config or ModelEndpoint")
	case kind == lcm.KindPromptTemplate:
		f.at(path, "document/kind", "a PromptTemplate is a file <name>.prompt, not YAML")
	case kind == lcm.KindSecret && !sealed:
		f.at(path, "document/secret-unsealed", "a Secret stands in a file <key>.sops.yaml, sealed: treat what was committed here as disclosed")
	case kind != lcm.KindSecret && sealed:
		f.at(path, "document/not-a-secret", "a file .sops.yaml holds a Secret and nothing else: name this one <key>.yaml")
	default:
		return kind
	}
	return ""
}

// secret checks what must hold of a sealed file without opening it.
func (f *form) secret(m map[string]any, d *Document) {
	const rule = "document/secret-unsealed"
	if meta, ok := m["metadata"].(map[string]any); ok || !contains(m, "metadata") {
		f.secretAddress(meta, d)
	}
	if _, ok := m["sops"].(map[string]any); !ok {
		f.at(nil, rule, "this Secret is not sealed by SOPS: treat its values as disclosed, replace and seal them")
		return
	}
	for _, field := range [...]string{"data", "previous"} {
		if v, ok := d.Spec[field]; ok {
			f.sealedValues(v, []string{"spec", field})
		}
	}
}

// secretAddress holds metadata.address against the file's own: it is under the MAC, so a sealed
// file copied elsewhere gives itself away.
func (f *form) secretAddress(meta map[string]any, d *Document) {
	want := d.Address.String()
	v, ok := meta["address"]
	if !ok {
		path := []string{"metadata"}
		f.atKey(path, "document/address", "metadata.address is missing: a Secret names its own address, %s", want)
	} else if s, isString := v.(string); isString && s != want {
		f.at([]string{"metadata", "address"}, "document/address", "metadata.address must be the file's own, %s: seal the value anew here instead of copying the file", want)
	}
}

// sealedShape is what SOPS leaves in place of a value. Whether it opens is not seen here.
var sealedShape = regexp.MustCompile(`^ENC\[AES256_GCM,data:[A-Za-z0-9+/=]+,iv:[A-Za-z0-9+/=]+,tag:[A-Za-z0-9+/=]+,type:[a-z]+\]$`)

// sealedValues refuses every value that is not a ciphertext; the value itself is never repeated.
func (f *form) sealedValues(v any, at []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			f.sealedValues(v[k], join(at, k))
		}
	case []any:
		for i, e := range v {
			f.sealedValues(e, join(at, index(i)))
		}
	default:
		if s, ok := v.(string); !ok || !sealedShape.MatchString(s) {
			f.at(at, "secret/plaintext", "this value of a Secret is not sealed: treat it as disclosed, replace and seal it")
		}
	}
}
