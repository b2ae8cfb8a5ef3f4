// Package sopsfile opens and seals Secrets: YAML files in the format of SOPS, sealed with age. It
// alone imports SOPS, and trusts it with little: the file is read strictly first, the MAC must cover
// all of it, metadata.address must be the file's own, and whatever the library would let pass, log or
// panic over is refused before it gets there. No error holds a value or a key.
package sopsfile

import (
	"fmt"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// Config says with what secrets are opened.
type Config struct {
	// IdentityFile holds age identities, as age-keygen writes them: native X25519 keys, one a line.
	// Empty is an error.
	IdentityFile string
}

// Opener opens Secrets. It is safe for concurrent use.
type Opener struct{ keys *keyring }

// NewOpener reads the identities. They are read once: a changed file needs a new Opener.
func NewOpener(c Config) (*Opener, error) {
	keys, err := readIdentities(c.IdentityFile)
	if err != nil {
		return nil, err
	}
	return &Opener{keys}, nil
}

// open is Open without the question where the file comes from.
func (o *Opener) open(file string, data []byte) (lcm.Secret, error) {
	opened, _, err := o.openAll(file, data)
	if err != nil {
		return lcm.Secret{}, err
	}
	return lcm.NewSecret(opened["data"].(map[string]any)), nil
}

// openAll returns what stands under spec.data and, if it is there, spec.previous, and the document as
// it stands, sealed.
func (o *Opener) openAll(file string, data []byte) (opened, doc map[string]any, err error) {
	// SOPS panics on some malformed input. What a panic says may hold a value.
	defer func() {
		if recover() != nil {
			opened, doc, err = nil, nil, refuse(file, "sops/malformed", "SOPS cannot process this file: seal it anew")
		}
	}()
	address, err := addressOf(file)
	if err != nil {
		return nil, nil, err
	}
	parsed, findings := strictyaml.Parse(file, data)
	if len(findings) > 0 {
		// The finding's own words may quote what should have been sealed.
		f := findings[0]
		return nil, nil, refuse(file, f.Rule, "line %d is not what the repository format allows: run lcm-lint", f.Line)
	}
	doc = parsed.Map()
	env, err := readEnvelope(file, doc)
	if err != nil {
		return nil, nil, err
	}
	if err := checkShape(file, address, doc); err != nil {
		return nil, nil, err
	}
	key, err := o.keys.dataKey(file, env.keys)
	if err != nil {
		return nil, nil, err
	}
	opened, err = decrypt(file, data, env, key)
	return opened, doc, err
}

const (
	namespacesDir = "namespaces/"
	extension     = ".sops.yaml"
)

// addressOf is the address that a sealed file has by its path.
func addressOf(file string) (lcm.Address, error) {
	path, ok := strings.CutPrefix(file, namespacesDir)
	stem, sealed := strings.CutSuffix(path, extension)
	if ok && sealed {
		if a, err := lcm.ParseAddress(stem); err == nil {
			return a, nil
		}
	}
	return lcm.Address{}, refuse(file, "sops/path", "a sealed file stands at %s<org>/<project>/<service>/<environment>/<key>%s", namespacesDir, extension)
}

// Error is why a file cannot be opened or sealed.
type Error struct {
	File   string
	Rule   string // a stable id such as sops/mac
	Reason string // what is wrong, and what to do; never a value
}

func (e *Error) Error() string { return e.File + ": " + e.Reason }

func refuse(file, rule, format string, args ...any) *Error {
	return &Error{file, rule, fmt.Sprintf(format, args...)}
}
