package schema

import (
	"bytes"
	"crypto/tls"
	"errors"

	"golang.org/x/crypto/ssh"
)

// matchKeys tells what CUE cannot: whether the two halves of a key pair belong together. Its
// sentences are fixed, since errors of the parsers may quote what they read.
func matchKeys(secretType string, data map[string]any) []Violation {
	text := func(field string) []byte { s, _ := data[field].(string); return []byte(s) }
	no := func(field, message string) []Violation {
		return []Violation{{Path: []string{field}, Rule: RuleConflict, Message: message}}
	}
	switch secretType {
	case "tls":
		if _, err := tls.X509KeyPair(text("certificate"), text("private_key")); err != nil {
			return no("private_key", "private_key does not belong to the certificate, or one of the two cannot be read")
		}
	case "jwt-signing-key":
		if algorithm, _ := data["algorithm"].(string); data["private_key"] != nil && !signs(algorithm, text("private_key")) {
			return no("private_key", "private_key cannot be read, or is none that this algorithm signs with: RS and PS take RSA of at least 2048 bits, ES256, ES384 and ES512 the curves P-256, P-384 and P-521, EdDSA Ed25519")
		}
	case "gcp":
		if !isServiceAccount(text("service_account_json")) {
			return no("service_account_json", "service_account_json must be the JSON of a key file, with its type")
		}
	case "ssh":
		public, _, _, _, err := ssh.ParseAuthorizedKey(text("public_key"))
		if err != nil {
			return no("public_key", "public_key cannot be read: it must be one line as in authorized_keys")
		}
		private, locked, err := sshPublic(text("private_key"), text("passphrase"))
		switch {
		case locked:
			return no("passphrase", "private_key needs a passphrase, and the one given, if any, does not open it")
		case err != nil:
			return no("private_key", "private_key cannot be read as an SSH private key")
		case !bytes.Equal(private.Marshal(), public.Marshal()):
			return no("public_key", "public_key does not belong to private_key")
		}
	}
	return nil
}

// sshPublic derives the public half of a private key; locked says that the passphrase is missing or wrong.
func sshPublic(pem, passphrase []byte) (key ssh.PublicKey, locked bool, err error) {
	signer, err := ssh.ParsePrivateKey(pem)
	var needs *ssh.PassphraseMissingError
	if errors.As(err, &needs) {
		if signer, err = ssh.ParsePrivateKeyWithPassphrase(pem, passphrase); err != nil {
			return nil, true, err
		}
	}
	if err != nil {
		return nil, false, err
	}
	return signer.PublicKey(), false, nil
}
