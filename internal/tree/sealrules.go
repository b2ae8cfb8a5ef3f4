package tree

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// SealRulesFile is where SOPS, too, looks for its creation rules.
const SealRulesFile = ".sops.yaml"

// EncryptedRegex is the one selection of fields that a Secret seals.
const EncryptedRegex = "^(data|previous)$"

// SealRules say which recipients seal which paths. The zero SealRules seal nothing.
type SealRules struct {
	rules []sealRule
	wrong []diag.Finding
}

// Findings is why there are no rules: the file is absent, or wrong. They concern every Secret.
func (s *SealRules) Findings() []diag.Finding { return slices.Clone(s.wrong) }

type sealRule struct {
	at         diag.Position // of its path_regex
	path       *regexp.Regexp
	recipients []string
}

// Recipients returns the age recipients that must seal the file at path, sorted. It is an error if
// none or several rules match: SOPS itself would take the first, silently.
func (s *SealRules) Recipients(path string) ([]string, error) {
	var found []string
	n := 0
	for _, r := range s.rules {
		if r.path.MatchString(path) {
			found = r.recipients
			n++
		}
	}
	if n != 1 {
		return nil, fmt.Errorf("%d rules of %s match this path: exactly one must", n, SealRulesFile)
	}
	return slices.Clone(found), nil
}

const (
	sealRuleID    = "sops/rule"
	maxSealRules  = 1000
	maxPathRegex  = 1024
	maxRecipients = 100

	maxSealFindings = 20
)

// parseSealRules returns no rules at all if any is wrong, so that nothing is sealed to, or accepted
// for, half-understood recipients.
func parseSealRules(doc *strictyaml.Document) (*SealRules, []diag.Finding) {
	f := &form{doc: doc}
	s := &SealRules{}
	m, ok := doc.Value.(map[string]any)
	list, isList := m["creation_rules"].([]any)
	if !ok || !isList || len(list) > maxSealRules {
		f.at([]string{"creation_rules"}, sealRuleID, "%s must be a mapping with creation_rules, a list of at most %d rules", SealRulesFile, maxSealRules)
		return &SealRules{wrong: f.findings}, f.findings
	}
	f.only(m, nil, sealRuleID, "creation_rules")
	for i, v := range list {
		if len(f.findings) >= maxSealFindings {
			break
		}
		s.rules = append(s.rules, f.sealRule(v, []string{"creation_rules", strconv.Itoa(i)}))
	}
	if len(f.findings) > 0 {
		return &SealRules{wrong: f.findings}, f.findings
	}
	return s, nil
}

func (f *form) sealRule(v any, at []string) (r sealRule) {
	m, ok := v.(map[string]any)
	if !ok {
		f.at(at, sealRuleID, "a rule is a mapping of path_regex, age and encrypted_regex")
		return r
	}
	f.only(m, at, sealRuleID, "path_regex", "age", "encrypted_regex")
	for _, field := range []string{"path_regex", "age", "encrypted_regex"} {
		if _, ok := m[field]; !ok {
			f.at(at, sealRuleID, "the rule has no %s", field)
		}
	}
	if v, ok := m["encrypted_regex"]; ok && v != EncryptedRegex {
		f.at(join(at, "encrypted_regex"), sealRuleID, "encrypted_regex must be '%s': just these fields of a Secret are sealed", EncryptedRegex)
	}
	if v, ok := m["path_regex"]; ok {
		r.at = f.doc.Position(join(at, "path_regex")...)
		r.path = f.pathRegex(v, join(at, "path_regex"))
	}
	if v, ok := m["age"]; ok {
		r.recipients = f.recipients(v, join(at, "age"))
	}
	return r
}

// maxRegexSteps bounds a compiled pattern, of which there may be many: (.{0,9}){0,9} is one of 16 bytes and takes 184.
const maxRegexSteps = 2000

func tooComplex(expr string) bool {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return false
	}
	prog, err := syntax.Compile(re.Simplify())
	return err == nil && len(prog.Inst) > maxRegexSteps
}

func (f *form) pathRegex(v any, at []string) *regexp.Regexp {
	s, ok := v.(string)
	if !ok || len(s) > maxPathRegex {
		f.at(at, sealRuleID, "path_regex must be a string of at most %d bytes", maxPathRegex)
		return nil
	}
	if tooComplex(s) {
		f.at(at, sealRuleID, "path_regex repeats too much: name the folders, and write [^/]+ for any")
		return nil
	}
	re, err := regexp.Compile(s)
	if err != nil {
		f.at(at, sealRuleID, "path_regex is not a regular expression of Go")
		return nil
	}
	if !anchored(s) {
		f.at(at, sealRuleID, "path_regex must be anchored as a whole: write ^…$, and alternatives inside as ^(a|b)$")
	}
	return re
}

// anchored looks at the parsed expression, since ^a|b$ begins with ^ and ends with $ and yet
// matches in the middle of a path.
func anchored(expr string) bool {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat {
		return false
	}
	return re.Sub[0].Op == syntax.OpBeginText && re.Sub[len(re.Sub)-1].Op == syntax.OpEndText
}

// recipients reads a comma-separated string, as SOPS has it, or a list.
func (f *form) recipients(v any, at []string) []string {
	type item struct {
		value any
		at    []string
	}
	var items []item
	switch v := v.(type) {
	case string:
		for s := range strings.SplitSeq(v, ",") {
			items = append(items, item{strings.TrimSpace(s), at})
		}
	case []any:
		for i, e := range v {
			items = append(items, item{e, join(at, strconv.Itoa(i))})
		}
	}
	if len(items) == 0 || len(items) > maxRecipients {
		f.at(at, sealRuleID, "age must be 1 to %d recipients: a list, or a string with commas", maxRecipients)
		return nil
	}
	var out []string
	for _, it := range items {
		s, _ := it.value.(string)
		switch {
		case !validRecipient(s):
			f.at(it.at, sealRuleID, "this is not an age recipient: age1 and 58 further characters, without a typing error")
		case slices.Contains(out, s):
			f.at(it.at, sealRuleID, "this recipient stands twice in the rule")
		default:
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// validRecipient reports whether s is the Bech32 form (BIP 173) of an X25519 recipient, its
// checksum included. Plugin recipients are no such thing: they would run a program.
func validRecipient(s string) bool {
	const prefix = "age"
	if len(s) != 62 || !strings.HasPrefix(s, prefix+"1") {
		return false
	}
	sum := uint32(1)
	for i := range len(prefix) {
		sum = polymod(sum, uint32(prefix[i]>>5))
	}
	sum = polymod(sum, 0)
	for i := range len(prefix) {
		sum = polymod(sum, uint32(prefix[i]&31))
	}
	for i := len(prefix) + 1; i < len(s); i++ {
		v := strings.IndexByte(bech32Alphabet, s[i])
		if v < 0 {
			return false
		}
		sum = polymod(sum, uint32(v))
	}
	return sum == 1
}

func polymod(sum, v uint32) uint32 {
	top := sum >> 25
	sum = (sum&0x1ffffff)<<5 ^ v
	for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
		if top>>i&1 == 1 {
			sum ^= g
		}
	}
	return sum
}
