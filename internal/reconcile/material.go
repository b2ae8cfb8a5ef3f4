package reconcile

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// keyFields are the fields of each type of Secret that hold what must not be known. To burn the others would
// burn every Secret of the same provider, host or region. Of all other types, any field may hold it.
var keyFields = map[string][]string{
	"api-key":         {"key"},
	"database":        {"password"},
	"tls":             {"private_key"},
	"ssh":             {"private_key", "passphrase"},
	"oauth2":          {"client_secret", "access_token", "refresh_token"},
	"jwt-signing-key": {"private_key", "secret"},
	"aws":             {"secret_access_key", "session_token"},
	"azure":           {"client_secret"},
	"gcp":             {"service_account_json"},
}

// minMaterial is the length from which a text of an opaque Secret can be burned: shorter ones are shared by too many.
const minMaterial = 8

// material returns the values of a Secret that can be burned.
func material(kind string, s lcm.Secret) (out []string) {
	fields, typed := keyFields[kind]
	for field, v := range s.Reveal() {
		if typed && !slices.Contains(fields, field) {
			continue
		}
		for _, t := range texts(v) {
			if len(t) >= minMaterial || typed && t != "" {
				out = append(out, t)
			}
		}
	}
	return out
}

// texts returns all single values in a value, without the blanks around them, and the private key in the file of a
// service account, however that is written.
func texts(v any) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			out = append(out, texts(e)...)
		}
	case []any:
		for _, e := range v {
			out = append(out, texts(e)...)
		}
	case string:
		out = append(out, strings.TrimSpace(v))
		var file struct {
			PrivateKey string `json:"private_key"`
		}
		if strings.HasPrefix(out[0], "{") && json.Unmarshal([]byte(v), &file) == nil && file.PrivateKey != "" {
			out = append(out, strings.TrimSpace(file.PrivateKey))
		}
	default:
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// prints fingerprints values. They are bound to the tenant and to no address, so that a value is burned wherever
// the tenant holds it, and nobody can try out what another tenant's were.
func (r *Reconciler) prints(org string, values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		m := hmac.New(sha256.New, r.fingerprint)
		fmt.Fprintf(m, "burned\x00%s\x00%d\x00", org, len(v))
		m.Write([]byte(v))
		out[i] = base64.RawStdEncoding.EncodeToString(m.Sum(nil))
	}
	return out
}
