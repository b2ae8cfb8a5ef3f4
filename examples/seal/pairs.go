package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// madeForEach are the Secrets of each environment that hold a key pair, made on the spot.
func madeForEach(env string) ([]secret, error) {
	signing, _, err := newECKey()
	if err != nil {
		return nil, err
	}
	account, err := serviceAccount(env)
	if err != nil {
		return nil, err
	}
	return []secret{
		{service: assistant, environment: env, key: "session-signing", kind: "jwt-signing-key", owner: "team-support",
			description: "Signs the sessions of the chat window", rotation: days("90d", "2d"),
			data: map[string]any{"algorithm": "ES256", "private_key": signing, "kid": env + "-1"}},
		{service: answers, environment: env, key: "vertex", kind: "gcp", owner: "search-team",
			description: "May call Vertex AI in the EU", rotation: days("30d", "24h"),
			data: map[string]any{"service_account_json": account}},
	}, nil
}

func madeForProduction() ([]secret, error) {
	const env = "production"
	certificate, key, err := selfSigned("assistant.acme.example")
	if err != nil {
		return nil, err
	}
	private, public, err := sshPair()
	if err != nil {
		return nil, err
	}
	return []secret{
		{service: assistant, environment: env, key: "tls", kind: "tls", owner: "team-support",
			description: "Certificate of the chat window", data: map[string]any{"certificate": certificate, "private_key": key}},
		{service: indexer, environment: env, key: "crawler-ssh", kind: "ssh", owner: "search-team",
			description: "Fetches the handbook from its Git server", rotation: days("90d", "7d"),
			data: map[string]any{"private_key": private, "public_key": public}},
	}, nil
}

func newECKey() (text string, key *ecdsa.PrivateKey, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return "", nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return armor("PRIVATE KEY", der), key, err
}

func armor(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// selfSigned makes a certificate that outlives the example.
func selfSigned(host string) (certificate, key string, err error) {
	key, private, err := newECKey()
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host, Organization: []string{"Example, not a real one"}},
		DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(30, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	return armor("CERTIFICATE", der), key, err
}

func sshPair() (private, public string, err error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", err
	}
	block, err := ssh.MarshalPrivateKey(priv, "crawler")
	if err != nil {
		return "", "", err
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", "", err
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return string(pem.EncodeToMemory(block)), line + " crawler@globex.example", nil
}

// serviceAccount has the shape of a key file of Google Cloud.
func serviceAccount(env string) (string, error) {
	key, _, err := newECKey()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "globex-" + env, "private_key_id": "example-not-a-real-one", "private_key": key,
		"client_email": "answers@globex-" + env + ".iam.gserviceaccount.example", "token_uri": "https://oauth2.googleapis.com/token",
	})
	return string(text), err
}
