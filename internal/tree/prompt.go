package tree

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/dotprompt"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// Fields of the front matter. Ours are flat keys under one dotted namespace, as Dotprompt asks of
// extensions; keys of other dotted namespaces are other people's and stay out of the entry.
const (
	promptVersion        = "lcm.version"
	promptClassification = "lcm.classification"
	promptOwner          = "lcm.owner"
	promptLabels         = "lcm.labels"
	promptMetrics        = "lcm.metrics"
	promptVariants       = "lcm.variants"
	promptSticky         = "lcm.sticky_key"
)

var (
	specified  = []string{"model", "config", "input", "output"}
	forVariant = append([]string{promptVersion, promptClassification}, specified...)
	forMain    = append([]string{promptOwner, promptLabels, promptMetrics, promptVariants, promptSticky}, forVariant...)
	extension  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+$`)
	semver     = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)
)

// document parses the source as YAML.
func (s source) document(sealed bool) (*Document, []diag.Finding) {
	doc, findings := strictyaml.Parse(s.path, s.data)
	if doc == nil {
		return nil, findings
	}
	return parseDocument(doc, s.address, sealed)
}

// partial parses the source as a partial: all of it is the template, as Dotprompt has it.
func (s source) partial() (*Document, []diag.Finding) {
	d := &Document{File: s.path, Kind: lcm.KindPromptTemplate, Metadata: defaultMetadata(lcm.KindPromptTemplate), Spec: map[string]any{}}
	d.Address = s.address
	d.Address.Key = "_" + d.Address.Key
	if f := s.encoding(); f != nil {
		return nil, []diag.Finding{*f}
	}
	return d, s.template(d, dotprompt.Parts{Finish: len(s.data)})
}

// prompt parses the source as the main file of a prompt, or as one of its variants.
func (s source) prompt(variant string) (*Document, []diag.Finding) {
	if f := s.encoding(); f != nil {
		return nil, []diag.Finding{*f}
	}
	d := &Document{File: s.path, Address: s.address, Kind: lcm.KindPromptTemplate, variant: variant,
		Metadata: defaultMetadata(lcm.KindPromptTemplate), Spec: map[string]any{}}
	parts := dotprompt.Split(s.data)
	if parts.Unclosed {
		return nil, []diag.Finding{diag.Errorf(s.at(parts.Front), "prompt/front-matter", "the front matter that begins here has no closing line ---")}
	}
	findings := s.frontMatter(d, parts, variant)
	findings = append(findings, s.template(d, parts)...)
	if len(findings) > 0 {
		return nil, findings
	}
	d.Value = d.promptValue()
	return d, nil
}

// at is the place of an offset in the source.
func (s source) at(offset int) diag.Position {
	before := s.data[:offset]
	begin := bytes.LastIndexByte(before, '\n') + 1
	return diag.Position{File: s.path, Line: 1 + bytes.Count(before, []byte("\n")), Column: 1 + utf8.RuneCount(before[begin:])}
}

// encoding holds a prompt to the same text as YAML.
func (s source) encoding() *diag.Finding {
	for i := 0; i < len(s.data); {
		r, n := utf8.DecodeRune(s.data[i:])
		if r == '\r' && !bytes.HasPrefix(s.data[i:], []byte("\r\n")) || r == utf8.RuneError && n == 1 || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f || r == 0xfeff {
			f := diag.Errorf(s.at(i), "prompt/encoding", "a prompt is UTF-8 without byte order marks and control characters")
			return &f
		}
		i += n
	}
	return nil
}

// template puts the text into the document, and what it says.
func (s source) template(d *Document, p dotprompt.Parts) (findings []diag.Finding) {
	text := string(s.data[p.Begin:p.Finish])
	d.Spec["template"], d.text = text, s.at(p.Begin)
	var problems []dotprompt.Problem
	d.template, problems = dotprompt.Parse(text)
	for _, wrong := range problems {
		findings = append(findings, diag.Errorf(s.at(p.Begin+wrong.At), wrong.Rule, "%s", wrong.Message))
	}
	return findings
}

// frontMatter reads the front matter into the document.
func (s source) frontMatter(d *Document, p dotprompt.Parts, variant string) []diag.Finding {
	missing := diag.Errorf(s.at(p.Front), "prompt/version", "the front matter must give %s, such as 1.0.0", promptVersion)
	m := map[string]any{}
	if p.Found {
		// Empty lines in front keep the lines of the file.
		pad := bytes.Repeat([]byte("\n"), bytes.Count(s.data[:p.Front], []byte("\n")))
		doc, findings := strictyaml.Parse(s.path, append(pad, s.data[p.Front:p.End]...))
		switch {
		case doc == nil && findings[0].Rule != "yaml/empty":
			return findings
		case doc != nil:
			d.YAML = doc
			if m = doc.Map(); m == nil {
				return []diag.Finding{diag.Errorf(doc.Position(), "prompt/front-matter", "the front matter must be a mapping")}
			}
		}
	}
	if variant == "" && !contains(m, promptVersion) {
		return []diag.Finding{missing}
	}
	if d.YAML == nil {
		return nil
	}
	f := &form{doc: d.YAML}
	f.promptFields(d, m, variant)
	return f.findings
}

func (f *form) promptFields(d *Document, m map[string]any, variant string) {
	allowed := forMain
	if variant != "" {
		allowed = forVariant
	}
	for _, k := range sortedKeys(m) {
		if !extension.MatchString(k) || strings.HasPrefix(k, "lcm.") {
			f.only(map[string]any{k: nil}, nil, "prompt/unknown-field", allowed...)
		}
	}
	for _, k := range specified {
		if v, ok := m[k]; ok {
			d.Spec[k] = v
		}
	}
	for k, name := range map[string]string{promptMetrics: "metrics", promptSticky: "sticky_key"} {
		if v, ok := m[k]; ok {
			d.Spec[name] = v
		}
	}
	for _, k := range sortedKeys(m) {
		f.promptField(d, k, m[k])
	}
}

func (f *form) promptField(d *Document, k string, v any) {
	at := []string{k}
	switch k {
	case promptVersion:
		s, _ := v.(string)
		if d.Spec["version"] = s; !semver.MatchString(s) {
			f.at(at, "prompt/version", "%s must be a semantic version such as 1.0.0", promptVersion)
		}
	case promptClassification:
		d.Metadata.Classification = f.classification(v, at, d.Metadata.Classification)
	case promptOwner:
		d.Metadata.Owner = f.text(v, at)
	case promptLabels:
		d.Metadata.Labels = f.labels(v, at)
	case promptVariants:
		var ok bool
		if d.weights, ok = v.(map[string]any); !ok {
			f.at(at, "prompt/variant", "%s must be a mapping of the variants' names to their weights", promptVariants)
		}
	}
}

// promptValue writes the front matter as if it were a document of YAML.
func (d *Document) promptValue() map[string]any {
	meta := map[string]any{}
	for _, k := range [...]string{promptClassification, promptOwner, promptLabels} {
		if d.YAML == nil {
			break
		}
		if v, ok := d.YAML.Map()[k]; ok {
			meta[strings.TrimPrefix(k, "lcm.")] = v
		}
	}
	return map[string]any{"apiVersion": lcm.APIVersion, "kind": string(lcm.KindPromptTemplate), "metadata": meta, "spec": d.Spec}
}

// weigh gives each variant the weight that the main file names for it.
func (s *promptSet) weigh() (findings []diag.Finding) {
	for _, name := range sortedKeys(s.main.weights) {
		if v, ok := s.variants[name]; ok {
			v.Spec["weight"] = s.main.weights[name]
			continue
		}
		findings = append(findings, diag.Errorf(s.main.YAML.KeyPosition(promptVariants, name), "prompt/variant",
			"there is no variant of this name beside the main file"))
	}
	return findings
}
