package sopsfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
)

const (
	envelopeKey = "sops"
	// encryptedRegex is the one selection of fields that a Secret seals.
	encryptedRegex = "^(data|previous)$"
	maxRecipients  = 100
	maxWrapped     = 4 << 10
)

// envelope is what the sops section of a file says.
type envelope struct {
	keys         []wrappedKey
	mac          string // sealed
	lastModified string // in the form in which it authenticates the MAC
}

// readEnvelope reads the sops section strictly: SOPS itself would skip what it does not know, and
// take a string for a flag.
func readEnvelope(file string, doc map[string]any) (*envelope, error) {
	m, ok := doc[envelopeKey].(map[string]any)
	if !ok {
		return nil, refuse(file, "sops/missing", "it is not sealed: seal it with sops, and treat what it holds as disclosed")
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if err := envelopeField(file, name, m[name]); err != nil {
			return nil, err
		}
	}
	if m["encrypted_regex"] != encryptedRegex {
		return nil, refuse(file, "sops/encrypted-regex", "encrypted_regex must be '%s': set it in .sops.yaml and seal the file again", encryptedRegex)
	}
	e := &envelope{}
	e.mac, _ = m["mac"].(string)
	if sealedType(e.mac) != "str" {
		return nil, refuse(file, "sops/mac", "it has no MAC, so nothing shows that it is as it was sealed: seal it again")
	}
	modified, _ := m["lastmodified"].(string)
	at, err := time.Parse(time.RFC3339, modified)
	if err != nil {
		return nil, refuse(file, "sops/malformed", "sops.lastmodified is not a time: seal the file again")
	}
	e.lastModified = at.Format(time.RFC3339)
	e.keys, err = readKeys(file, m["age"])
	return e, err
}

// envelopeField refuses every setting by which a file could be less than wholly sealed and
// authenticated, or opened by other means than age.
func envelopeField(file, name string, v any) error {
	switch name {
	case "age", "mac", "lastmodified", "encrypted_regex", "version":
		return nil
	case "mac_only_encrypted":
		if v == false {
			return nil
		}
		return refuse(file, "sops/mac-only-encrypted", "the MAC must cover the whole file: remove mac_only_encrypted from .sops.yaml and seal the file again")
	case "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms", "pgp":
		// Older versions of SOPS write empty lists.
		if list, ok := v.([]any); v == nil || ok && len(list) == 0 {
			return nil
		}
		return refuse(file, "sops/unsupported", "it is sealed with %s: only age recipients are supported", name)
	case "key_groups", "shamir_threshold":
		return refuse(file, "sops/unsupported", "several key groups are not supported: seal it to age recipients in one group")
	}
	return refuse(file, "sops/unsupported", "sops.%.40q is not supported: encrypted_regex is the only choice of what is sealed", name)
}

func readKeys(file string, v any) ([]wrappedKey, error) {
	list, _ := v.([]any)
	if len(list) == 0 || len(list) > maxRecipients {
		return nil, refuse(file, "sops/recipients", "it must be sealed to 1 to %d age recipients", maxRecipients)
	}
	var keys []wrappedKey
	for i, e := range list {
		m, _ := e.(map[string]any)
		recipient, okR := m["recipient"].(string)
		enc, okE := m["enc"].(string)
		if !okR || !okE || len(m) != 2 || len(enc) > maxWrapped {
			return nil, refuse(file, "sops/recipients", "entry %d of sops.age is not a recipient with its wrapped key: run sops updatekeys", i+1)
		}
		if err := checkRecipient(recipient); err != nil {
			return nil, refuse(file, "sops/recipients", "entry %d of sops.age: %v", i+1, err)
		}
		if slices.ContainsFunc(keys, func(k wrappedKey) bool { return k.recipient == recipient }) {
			return nil, refuse(file, "sops/recipients", "a recipient stands twice in sops.age")
		}
		keys = append(keys, wrappedKey{recipient, enc})
	}
	return keys, nil
}

// checkRecipient accepts native X25519 recipients. A plugin's would run a program.
func checkRecipient(s string) error {
	if strings.HasPrefix(s, "AGE-SECRET-KEY-") {
		return fmt.Errorf("this is a private key where a recipient belongs: it is disclosed, make a new one")
	}
	if _, err := age.ParseX25519Recipient(s); err != nil {
		return fmt.Errorf("only native age recipients are supported: age1 and 58 further characters")
	}
	return nil
}
