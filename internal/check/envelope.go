package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// envelope checks how a Secret is sealed, as far as that can be seen without a key: by whom it can be
// opened, and that it is authenticated as a whole. That it is sealed, and no value stands in the clear, a
// tree.Document has been held to already.
func (r *Rules) envelope(d *tree.Document) []diag.Finding {
	sops, _ := d.Value["sops"].(map[string]any)
	e := envelope{doc: d}
	e.settings(sops)
	e.recipients(sops, r.seals)
	return e.findings
}

type envelope struct {
	doc      *tree.Document
	findings []diag.Finding
}

func (e *envelope) value(path []string, rule, format string, args ...any) {
	e.findings = append(e.findings, diag.Errorf(e.doc.YAML.Position(path...), rule, format, args...))
}

func (e *envelope) key(path []string, rule, format string, args ...any) {
	e.findings = append(e.findings, diag.Errorf(e.doc.YAML.KeyPosition(path...), rule, format, args...))
}

// known are the fields of the sops mapping that mean what they should. Key sources other than age, and
// other ways to choose what is sealed, are refused by name, so that nothing new slips in.
var known = []string{"age", "lastmodified", "mac", "encrypted_regex", "version", "mac_only_encrypted"}

func (e *envelope) settings(sops map[string]any) {
	if mac, _ := sops["mac"].(string); !strings.HasPrefix(mac, "ENC[AES256_GCM,") {
		e.key([]string{"sops", "mac"}, "sops/mac", "the Secret has no MAC: seal it again with sops")
	}
	if re, _ := sops["encrypted_regex"].(string); re != tree.EncryptedRegex {
		e.key([]string{"sops", "encrypted_regex"}, "sops/encrypted-regex", "encrypted_regex must be '%s': set it in .sops.yaml and seal the file again", tree.EncryptedRegex)
	}
	if only, ok := sops["mac_only_encrypted"]; ok && only != false {
		e.key([]string{"sops", "mac_only_encrypted"}, "sops/mac-only-encrypted", "the MAC must cover the whole file: remove mac_only_encrypted from .sops.yaml and seal it again")
	}
	for _, name := range sorted(sops) {
		if empty(sops[name]) || slices.Contains(known, name) {
			continue
		}
		e.key([]string{"sops", name}, "sops/unsupported", "%s is not supported: Secrets are sealed with age, by encrypted_regex alone", name)
	}
}

func empty(v any) bool {
	list, ok := v.([]any)
	return v == nil || ok && len(list) == 0
}

func (e *envelope) recipients(sops map[string]any, rules *tree.SealRules) {
	if wrong := rules.Findings(); len(wrong) > 0 {
		// One mistake, told in the same words for every Secret that it concerns.
		e.findings = append(e.findings, wrong...)
		return
	}
	want, err := rules.Recipients(e.doc.File)
	if err != nil {
		e.key([]string{"sops"}, "sops/recipients", "%v", err)
		return
	}
	list, _ := sops["age"].([]any)
	var have []string
	for i, v := range list {
		m, _ := v.(map[string]any)
		r, _ := m["recipient"].(string)
		if slices.Contains(have, r) || !slices.Contains(want, r) {
			e.value([]string{"sops", "age", strconv.Itoa(i), "recipient"}, "sops/recipients",
				"this recipient is none of those that .sops.yaml names for the file: seal it again with sops updatekeys, and change the value if the recipient must not know it")
			return
		}
		have = append(have, r)
	}
	if len(have) < len(want) {
		e.key([]string{"sops", "age"}, "sops/recipients", "%d of the recipients that .sops.yaml names for the file can't open it: run sops updatekeys", len(want)-len(have))
	}
}

func sorted(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
