package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// Bounds of a file of secrets. A secret that can be guessed is none.
const (
	maxSecrets = 16 << 10 // bytes
	minSecret  = 16       // characters
)

// readSecrets reads the secrets of a file, one a line: while they are changed at the forge, the old and the new count.
func readSecrets(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecrets+1))
	if err != nil {
		return nil, err
	}
	secrets := strings.Fields(string(data))
	for _, s := range secrets {
		if len(s) < minSecret {
			return nil, fmt.Errorf("%s: a secret has fewer than %d characters: make one with openssl rand -hex 32", file, minSecret)
		}
	}
	if len(secrets) == 0 || len(data) > maxSecrets {
		return nil, fmt.Errorf("%s: it must hold one secret or more, one a line, and at most %d bytes", file, maxSecrets)
	}
	return secrets, nil
}

// signed reports whether GitHub signed a body with a secret, as its documentation on validating webhook deliveries says. The
// signature of SHA-1 that it sends beside counts for nothing.
func signed(h http.Header, body []byte, secret string) bool {
	all := h.Values("X-Hub-Signature-256")
	if len(all) != 1 {
		return false
	}
	text, ok := strings.CutPrefix(all[0], "sha256=")
	sum, err := hex.DecodeString(text)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hmac.Equal(sum, mac.Sum(nil)) && ok && err == nil
}

// bears reports whether a request bears a token. Its digest is compared, so that not even its length shows.
func bears(h http.Header, _ []byte, token string) bool {
	all := h.Values("Authorization")
	if len(all) != 1 {
		return false
	}
	scheme, given, _ := strings.Cut(all[0], " ")
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// gitHubPush reads a delivery of GitHub's: https://docs.github.com/webhooks/webhook-events-and-payloads#push.
func gitHubPush(h http.Header, body []byte) (push, Result) {
	switch h.Get("X-GitHub-Event") {
	case "":
		return push{}, Malformed
	case "ping":
		return push{}, Ping
	case "push":
	default:
		return push{}, Ignored
	}
	body, err := payload(h.Get("Content-Type"), body)
	if err != nil {
		return push{}, Malformed
	}
	var p struct {
		Ref        string `json:"ref"`
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Repository.FullName == "" || !strings.HasPrefix(p.Ref, "refs/") {
		return push{}, Malformed
	}
	branch, ok := strings.CutPrefix(p.Ref, "refs/heads/")
	if !ok || branch == "" {
		return push{}, Ignored // a tag
	}
	return push{forge: p.Repository.FullName, branch: branch}, Accepted
}

// payload is the JSON of a delivery. GitHub sends it as such, or, unless told otherwise, as a field of a form.
func payload(contentType string, body []byte) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return body, nil
	}
	form, err := url.ParseQuery(string(body))
	return []byte(form.Get("payload")), err
}

// genericPush reads what anybody may send who has the token. Nothing at all is for every repository.
func genericPush(_ http.Header, body []byte) (push, Result) {
	if len(bytes.TrimSpace(body)) == 0 {
		return push{}, Accepted
	}
	var p struct {
		Repository string `json:"repository"`
		Branch     string `json:"branch"`
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return push{}, Malformed
	}
	if _, err := d.Token(); err != io.EOF {
		return push{}, Malformed
	}
	return push{repository: p.Repository, branch: p.Branch}, Accepted
}
