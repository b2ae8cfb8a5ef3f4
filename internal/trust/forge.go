package trust

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// Forge is a server that merges pull requests and signs what it makes of them. It consents to nothing:
// what it made counts only as far as it can be made again from what others signed.
type Forge struct {
	Name    string
	Merges  bool   // merges: recomputed — its merges are believed if merging again gives the same tree
	Reviews bool   // reviews: counted — approvals that it reports count beside signed consent
	Keys    []*Key // its public keys

	owner *Principal // stands for it in the keyring; no principal of the policy
}

// Forges returns the forges that the policy speaks of, sorted by name.
func (p *Policy) Forges() []*Forge {
	return slices.SortedFunc(maps.Values(p.forges), func(a, b *Forge) int { return strings.Compare(a.Name, b.Name) })
}

// countsReviews reports whether the reviews of some forge count for anything.
func (p *Policy) countsReviews() bool {
	return slices.ContainsFunc(p.Forges(), func(f *Forge) bool { return f.Reviews })
}

// maxForges bounds the forges of a policy.
const maxForges = 16

// forges reads what the policy lets forges count for.
func (r *reader) forges(top section) map[string]*Forge {
	v, present := top.fields["forges"]
	if !present {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) > maxForges {
		r.at("trust/format", fmt.Sprintf("forges must be a mapping from a forge's name to its key, merges and reviews, at most %d", maxForges), "forges")
		return nil
	}
	all := make(map[string]*Forge, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !principalName.MatchString(name) {
			r.at("trust/format", "the name of a forge is made of small letters, digits and inner hyphens, dots or underscores, such as github", "forges", name)
			continue
		}
		all[name] = r.forge(name, m[name])
	}
	return all
}

func (r *reader) forge(name string, v any) *Forge {
	s := r.section(v, []string{"key", "merges", "reviews"}, "forges", name)
	f := &Forge{Name: name}
	f.owner = &Principal{Name: "the forge " + name, Bot: true, forge: f}
	if s.fields == nil {
		return f
	}
	f.Merges, f.Reviews = r.word(s, "merges", "recomputed"), r.word(s, "reviews", "counted")
	f.Keys = r.forgeKeys(s, f.owner)
	f.owner.Keys = f.Keys
	if f.Merges && s.fields["key"] == nil {
		r.at("trust/format", "key is required where merges are: the public key that the forge signs its merges with", s.path...)
	}
	return f
}

// forgeKeys reads key: one public key or, while a forge changes its own, a list of them. Each is an
// armored OpenPGP key or a line as in a .pub file.
func (r *reader) forgeKeys(s section, owner *Principal) []*Key {
	v, present := s.fields["key"]
	if !present {
		return nil
	}
	list, several := v.([]any)
	if !several {
		list = []any{v}
	}
	if len(list) == 0 || len(list) > maxKeys {
		r.at("trust/format", fmt.Sprintf("key must be the forge's public key, or a list of 1 to %d of them", maxKeys), s.at("key")...)
		return nil
	}
	var keys []*Key
	for i, v := range list {
		at := s.at("key")
		if several {
			at = append(at, strconv.Itoa(i))
		}
		text, _ := v.(string)
		form := map[bool]string{true: "openpgp", false: "ssh"}[strings.Contains(text, "-----BEGIN ")]
		k, err := parseKey(map[string]any{form: text})
		if err != nil {
			r.at("trust/key", err.Error(), at...)
			continue
		}
		k.Owner, k.Position = owner, r.doc.Position(at...)
		keys = append(keys, k)
	}
	return keys
}

// login is an account at a forge, in small letters: forges do not tell its case apart.
type login struct{ forge, name string }

// indexLogins finds accounts that stand twice: one person's review would count as two persons'.
func (p *Policy) indexLogins() []diag.Finding {
	p.logins = map[login]*Principal{}
	var findings []diag.Finding
	for _, who := range p.Principals() {
		doc := p.doc
		if who.Tenant != "" {
			doc = p.tenants[who.Tenant].doc
		}
		for _, forge := range slices.Sorted(maps.Keys(who.Logins)) {
			at := login{forge, strings.ToLower(who.Logins[forge])}
			if other := p.logins[at]; other != nil {
				findings = append(findings, diag.Errorf(doc.Position("principals", who.Name, "logins", forge), "trust/duplicate-login",
					"the login %s at %s is that of %s and of %s: each account belongs to one principal", who.Logins[forge], forge, other.Name, who.Name))
				continue
			}
			p.logins[at] = who
		}
	}
	return findings
}
