package sopsfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
)

const (
	maxIdentityFile = 64 << 10
	maxIdentities   = 64
)

// readIdentities reads an age identity file. Its errors name line numbers, never what stands there.
func readIdentities(file string) (*keyring, error) {
	if file == "" {
		return nil, errors.New("no age identity file is configured: set secrets.age.identityFile to a file made by age-keygen")
	}
	text, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("reading the age identity file: %w; make one with age-keygen -o, and seal the secrets to its public key", err)
	}
	k := newKeyring(file)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, err := parseIdentity(line)
		if err != nil {
			return nil, fmt.Errorf("age identity file %s, line %d: %w", file, n, err)
		}
		k.add(id)
	}
	switch {
	case len(k.identities) == 0:
		return nil, fmt.Errorf("age identity file %s holds no identity: make one with age-keygen", file)
	case len(k.identities) > maxIdentities:
		return nil, fmt.Errorf("age identity file %s holds more than %d identities", file, maxIdentities)
	}
	return k, nil
}

func readBounded(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIdentityFile+1))
	if err == nil && len(b) > maxIdentityFile {
		err = fmt.Errorf("%s has more than %d bytes", file, maxIdentityFile)
	}
	return string(b), err
}

func parseIdentity(line string) (*age.X25519Identity, error) {
	switch {
	case strings.HasPrefix(line, "age1"):
		return nil, errors.New("this is a public key: an identity begins with AGE-SECRET-KEY-1")
	case strings.HasPrefix(line, "AGE-PLUGIN-"), strings.HasPrefix(line, "AGE-SECRET-KEY-PQ-1"):
		return nil, errors.New("only native X25519 identities are supported: make one with age-keygen")
	case strings.HasPrefix(line, "age-encryption.org/"), strings.HasPrefix(line, "-----BEGIN"):
		return nil, errors.New("an encrypted file or an SSH key: a plain age identity file is needed")
	}
	id, err := age.ParseX25519Identity(line)
	if err != nil {
		return nil, errors.New("this is not an age identity: it begins with AGE-SECRET-KEY-1 and has no typing error")
	}
	return id, nil
}
