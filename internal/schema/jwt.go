package schema

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
)

// signs reports whether a private key in PEM is one that a JWT algorithm signs with (RFC 7518, section 3.1; RFC 8037).
func signs(algorithm string, text []byte) bool {
	block, _ := pem.Decode(text)
	if block == nil {
		return false
	}
	switch key := privateKey(block.Bytes).(type) {
	case *rsa.PrivateKey:
		return (strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")) && key.N.BitLen() >= 2048
	case *ecdsa.PrivateKey:
		return algorithm == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[key.Curve.Params().BitSize]
	case ed25519.PrivateKey:
		return algorithm == "EdDSA"
	}
	return false
}

// privateKey reads any of the three encodings; nil if it is none.
func privateKey(der []byte) any {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	return nil
}

// isServiceAccount reports whether a text is JSON of Google's form; what else stands in it is Google's matter.
func isServiceAccount(text []byte) bool {
	var account struct {
		Type string `json:"type"`
	}
	return json.Unmarshal(text, &account) == nil && account.Type != ""
}
