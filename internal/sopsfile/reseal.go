package sopsfile

import (
	"fmt"
	"maps"

	"filippo.io/age"
)

// Reseal seals a file anew, with a fresh data key, to other recipients. What was sealed passes through
// memory and is given to nobody, so that it may be done to any file, believed or not.
func (o *Opener) Reseal(file string, data []byte, recipients []string) ([]byte, error) {
	sealed, document, err := o.openAll(file, data)
	if err != nil {
		return nil, err
	}
	plain := maps.Clone(document)
	delete(plain, envelopeKey)
	spec, _ := plain["spec"].(map[string]any)
	spec = maps.Clone(spec)
	maps.Copy(spec, sealed)
	plain["spec"] = spec
	return Seal(file, plain, recipients)
}

// NewIdentity makes an age key pair: the content of an identity file, as age-keygen writes it, and the
// recipient that goes with it.
func NewIdentity() (file []byte, recipient string, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, "", fmt.Errorf("making an age key: %w", err)
	}
	return fmt.Appendf(nil, "# public key: %s\n%s\n", id.Recipient(), id), id.Recipient().String(), nil
}
