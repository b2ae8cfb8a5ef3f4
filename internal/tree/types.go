package tree

import (
	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/dotprompt"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// Metadata is the metadata of a document, or, in an Entry, of what it resolves to.
type Metadata struct {
	Description    string
	Classification lcm.Classification // Entry: the strictest met on the way; default internal, restricted for a Secret
	Owner          string
	Labels         map[string]string
	Merge          string   // replace | deep
	Inheritable    bool     // default: true, false for a Secret
	Address        string   // Secret: its own address, under the MAC
	SharedWith     []string // Secret: services (org/project/service) that may refer to it
	Audience       []string // Secret: hosts it may be sent to
}

// Document is one file under namespaces/, parsed. A prompt's variants and partials are documents too: a
// variant bears its prompt's address, a partial's key is _<partial>.
type Document struct {
	File     string
	Address  lcm.Address // from the path alone
	Kind     lcm.Kind
	Metadata Metadata
	Spec     map[string]any       // Secret: its sealed spec; prompt: front matter and template
	Value    map[string]any       // the whole file as parsed: apiVersion, kind, metadata, spec, sops
	YAML     *strictyaml.Document // of a prompt: its front matter, or nil

	text     diag.Position       // where the template of a prompt, variant or partial begins
	template *dotprompt.Template // of a prompt, variant or partial
	variant  string              // the name of a prompt's variant
	weights  map[string]any      // a prompt's main file: lcm.variants
}

// Origin says where an entry comes from.
type Origin struct {
	File        string `json:"file"`
	Environment string `json:"environment"`
}

// Reference is a {ref: …} inside an entry's spec.
type Reference struct {
	Path   []string // where in the spec
	To     lcm.Address
	Origin *Document // the document that holds it
}

// Entry is what one key resolves to in one environment. Its Spec and Documents share memory with the
// Tree and must not be changed.
type Entry struct {
	Address    lcm.Address
	Kind       lcm.Kind
	Metadata   Metadata
	Spec       map[string]any // merged; references are absolute addresses; of a Secret still sealed
	Origin     Origin         // of the nearest document
	Documents  []*Document    // all that went into it, nearest first
	References []Reference
	Target     string // by the routes of lcm.yaml
}

// Resolved is one namespace, resolved. An entry that could not be resolved is absent and has a finding.
type Resolved struct {
	Namespace lcm.Namespace
	Entries   []*Entry // sorted by key
	// Passed are the documents of the namespace's layers that went into no entry: overridden ones, Tombstones,
	// what may not be inherited, partials that nobody uses. What they hold is in the repository all the same.
	Passed   []*Document
	Findings []diag.Finding
	// Services are the other services that the namespace's references lead to: a change of theirs concerns it too.
	Services []lcm.Service
}
