package modeltest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Files of a repository as values, and how they are written.

const (
	policyFile   = ".lcm/trust.yaml"
	settingsFile = "lcm.yaml"
)

func tenantFile(org string) string { return ".lcm/tenants/" + org + ".yaml" }

// policy is .lcm/trust.yaml.
type policy struct {
	repository, branch string
	version            int
	principals         map[string]principal
	rules              []rule
	comment            string
}

// tenant is .lcm/tenants/<org>.yaml.
type tenant struct {
	org        string
	version    int
	principals map[string]principal
	rules      []rule
}

type principal struct {
	bot   bool
	roles []string // "global-admin", "operator:acme"
	keys  []key
}

type key struct {
	name     string
	notAfter int // hours since epoch; 0: no end
}

type rule struct {
	paths, roles        []string
	approvals, rollback int // rollback 0: as approvals
	rotation            []string
	signed              bool // consent: signed
}

func (p *policy) content() *content {
	text := fmt.Sprintf("apiVersion: lcm/v1\nkind: TrustPolicy\nrepository: %s\nbranch: %s\nversion: %d\n", p.repository, p.branch, p.version)
	return &content{text + principalLines(p.principals) + ruleLines(p.rules) + p.comment, p}
}

func (t *tenant) content() *content {
	text := fmt.Sprintf("apiVersion: lcm/v1\nkind: TenantPolicy\ntenant: %s\nversion: %d\n", t.org, t.version)
	return &content{text + principalLines(t.principals) + ruleLines(t.rules), t}
}

func principalLines(all map[string]principal) string {
	var b strings.Builder
	b.WriteString("principals:\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p := all[name]
		var keys []string
		for _, k := range p.keys {
			end := ""
			if k.notAfter != 0 {
				end = ", notAfter: " + hours(k.notAfter).Format("2006-01-02T15:04:05Z")
			}
			keys = append(keys, fmt.Sprintf("{ssh: %q%s}", signerOf(k.name).line, end))
		}
		fmt.Fprintf(&b, "  %s: {bot: %v, roles: [%s], keys: [%s]}\n", name, p.bot, quoted(p.roles), strings.Join(keys, ", "))
	}
	return b.String()
}

func ruleLines(rules []rule) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "  - {paths: [%s], roles: [%s], approvals: %d", quoted(r.paths), quoted(r.roles), r.approvals)
		if r.rollback != 0 {
			fmt.Fprintf(&b, ", rollbackApprovals: %d", r.rollback)
		}
		if len(r.rotation) > 0 {
			fmt.Fprintf(&b, ", rotation: [%s]", quoted(r.rotation))
		}
		if r.signed {
			b.WriteString(", consent: signed")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func quoted(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, fmt.Sprintf("%q", w))
	}
	return strings.Join(all, ", ")
}

// settings is lcm.yaml, as far as it varies: what each environment inherits from.
type settings struct {
	inherits map[string]string // "": nothing
	comment  string
	unusable bool
}

func (s *settings) content() *content {
	var b strings.Builder
	b.WriteString("apiVersion: lcm/v1\nkind: Repository\nname: acme-config\nrules: \"1\"\nenvironments:\n  base: {abstract: true}\n")
	for _, env := range published {
		fmt.Fprintf(&b, "  %s: {", env)
		if s.inherits[env] != "" {
			fmt.Fprintf(&b, "inherits: %s", s.inherits[env])
		}
		b.WriteString("}\n")
	}
	b.WriteString("targets:\n  runtime: {maxClassification: restricted, secrets: true}\nroutes:\n  - {match: {namespaces: [\"**\"], kinds: [\"*\"]}, target: runtime}\nlimits: {maxDeletes: 10%}\n")
	if s.unusable {
		b.WriteString("unknown: field\n")
	}
	return &content{b.String() + s.comment, s}
}

// document is a Config, or a Tombstone, or what cannot be read.
type document struct {
	kind          string
	owner         string
	value         map[string]int
	deep, private bool // merge: deep; inheritable: false
	comment       string
}

const broken = "broken" // the kind of what cannot be read

func (d *document) content() *content {
	if d.kind == broken {
		return &content{"no document: " + d.owner + "\n", d}
	}
	spec := ""
	if d.kind != tombstone {
		var fields []string
		for _, k := range slices.Sorted(maps.Keys(d.value)) {
			fields = append(fields, fmt.Sprintf("%s: %d", k, d.value[k]))
		}
		spec = "value: {" + strings.Join(fields, ", ") + "}"
	}
	return &content{fmt.Sprintf("apiVersion: lcm/v1\nkind: %s\nmetadata: {%s}\nspec: {%s}\n%s", d.kind, d.metadata(), spec, d.comment), d}
}

func (d *document) metadata() string {
	meta := "owner: " + d.owner
	if d.deep {
		meta += ", merge: deep"
	}
	if d.private {
		meta += ", inheritable: false"
	}
	return meta
}

// secret is a sealed Secret: what is readable of it, and what is not.
type secret struct {
	address   string
	owner     string
	shared    bool // inheritable: true
	recipient string
	sealed    int // another number, other sealed values
}

func (s *secret) content() *content {
	return &content{fmt.Sprintf(`apiVersion: lcm/v1
kind: Secret
metadata: {owner: %s, address: %s, inheritable: %v}
spec: {type: opaque, data: {key: "ENC[AES256_GCM,data:%s,iv:AAAA,tag:AAAA,type:str]"}}
sops:
  age:
    - recipient: %s
      enc: |
        -----BEGIN AGE ENCRYPTED FILE-----
        %s
        -----END AGE ENCRYPTED FILE-----
  lastmodified: "2026-06-01T00:00:%02dZ"
  mac: ENC[AES256_GCM,data:%s,iv:AAAA,tag:AAAA,type:str]
  encrypted_regex: ^(data|previous)$
  version: 3.9.0
`, s.owner, s.address, s.shared, cipher(s.sealed), s.recipient, cipher(s.sealed), s.sealed%60, cipher(s.sealed)), s}
}

// cipher is base64 of some length.
func cipher(n int) string { return fmt.Sprintf("%08d", n) }

// prompt is the main file, a variant or a partial; all but the partial use the partial.
func prompt(file string, n int) *content {
	if strings.HasPrefix(file, "_") {
		return &content{text: fmt.Sprintf("tone %d\n", n)}
	}
	return &content{text: fmt.Sprintf("---\nlcm.version: 1.0.0\n---\nask %d {{> tone}}\n", n)}
}

func plain(text string) *content { return &content{text: text + "\n"} }

// symlink is a symbolic link to its text.
func symlink(to string) *content { return &content{text: "link: " + to, means: link{}} }

// signer is a key, always the same for a name.
type signer struct {
	ssh.Signer
	line string // as in a .pub file
}

var signers sync.Map

func signerOf(name string) signer {
	if s, ok := signers.Load(name); ok {
		return s.(signer)
	}
	seed := sha256.Sum256([]byte(name))
	s, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		panic(err)
	}
	made := signer{s, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey())))}
	signers.Store(name, made)
	return made
}
