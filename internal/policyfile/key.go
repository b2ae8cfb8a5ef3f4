package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/trust"
	"github.com/llm-config-manager/lcm/internal/yamledit"
)

// Limits on a file of keys. A policy takes no more keys of one person.
const (
	maxKeyFile = 256 << 10
	maxKeys    = 50
)

// Key is a public key that is to go into a policy.
type Key struct {
	Fingerprint string
	NotAfter    time.Time // zero: no end

	kind, text string // "ssh" or "openpgp", and how the policy states it
}

func (k Key) entry() yamledit.Mapping {
	m := yamledit.Mapping{{Key: k.kind, Value: k.text}}
	if !k.NotAfter.IsZero() {
		m = append(m, yamledit.Field{Key: "notAfter", Value: stamp(k.NotAfter)})
	}
	return m
}

// stamp writes a time as a policy has it: UTC, whole seconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// ReadKeys reads the public keys of one person, all that a file holds: a .pub file, a list such as
// https://github.com/<login>.keys answers, one key a line, or an armored OpenPGP key. Each must be one that a
// policy may state; the error names the line of one that is not.
func ReadKeys(name string, r io.Reader) ([]Key, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxKeyFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", name, err)
	case len(data) > maxKeyFile:
		return nil, fmt.Errorf("%s is larger than %d bytes: that is no list of a person's public keys", name, maxKeyFile)
	case bytes.Contains(data, []byte("PRIVATE KEY")):
		return nil, fmt.Errorf("%s holds a private key: name the public one (a file that ends in .pub), and show the other to nobody", name)
	case bytes.Contains(data, []byte("-----BEGIN PGP")):
		return readOpenPGP(name, string(data))
	}
	return readLines(name, string(data))
}

func readOpenPGP(name, text string) ([]Key, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) + "\n"
	k, err := trust.ReadKey("openpgp", text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return []Key{{Fingerprint: k.Fingerprint, kind: "openpgp", text: text}}, nil
}

func readLines(name, text string) ([]Key, error) {
	var keys []Key
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		k, err := trust.ReadKey("ssh", line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
		if len(keys) == maxKeys {
			return nil, fmt.Errorf("%s holds more than %d keys: keep those that the person signs with", name, maxKeys)
		}
		keys = append(keys, Key{Fingerprint: k.Fingerprint, kind: "ssh", text: withoutComment(line)})
	}
	if len(keys) == 0 {
		return nil, errors.New(name + " holds no public key: it is to look like a file that ends in .pub (ssh-keygen -t ed25519 makes one)")
	}
	return keys, nil
}

// withoutComment leaves the type and the key: what else a line says is nothing that anybody verified.
func withoutComment(line string) string {
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return line
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
}
