package leak

import (
	"bytes"
	"math"
	"regexp"
	"slices"
	"strings"
)

const (
	genericID      = "secret/generic"
	genericMessage = "this field is named like a credential and holds what looks like one, in the clear: revoke it, since Git keeps it, put the new one into a Secret and refer to that"
)

// names are what field names for credentials end with, without what separates words; the plurals are
// meant too. They are chosen so that max_tokens, sticky_key or token_url are none.
var names = [...]string{
	"password", "passwd", "passphrase", "apikey", "clientsecret", "sharedsecret", "webhooksecret", "appsecret", "secretkey",
	"privatekey", "accesskey", "signingkey", "encryptionkey", "masterkey", "accountkey", "authkey", "accesstoken",
	"refreshtoken", "authtoken", "bearertoken", "sessiontoken", "apitoken", "connectionstring",
}

// words are whole names of the same sort. As endings they would say too little: stop_token.
var words = [...]string{"token", "secret", "pwd", "credential", "authorization", "dsn"}

// Suspicious reports whether a field's name says that it holds a credential: OPENAI_API_KEY,
// dbPassword, access-tokens.
func Suspicious(field string) bool {
	if len(field) < 3 || len(field) > 128 {
		return false
	}
	var buffer [128]byte
	short := buffer[:0]
	for i := range len(field) {
		switch c := field[i]; {
		case c >= 'A' && c <= 'Z':
			short = append(short, c+'a'-'A')
		case c != '_' && c != '-' && c != '.' && c != ' ':
			short = append(short, c)
		}
	}
	short = bytes.TrimSuffix(short, []byte("s"))
	if len(short) < 3 || !endings[short[len(short)-1]] {
		return false
	}
	for _, n := range names {
		if len(short) >= len(n) && string(short[len(short)-len(n):]) == n {
			return true
		}
	}
	return slices.Contains(words[:], string(short))
}

// endings are the last letters of names and words: most fields end otherwise.
var endings = func() (e [256]bool) {
	for _, n := range names {
		e[n[len(n)-1]] = true
	}
	for _, w := range words {
		e[w[len(w)-1]] = true
	}
	return e
}()

var harmless = regexp.MustCompile(`^(?:` +
	`[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}` + // UUID
	`|(?:sha(?:1|256|384|512)|md5|blake[23][bs]?|hmac-sha256)[:-].*` + // digest
	`|[0-9a-f]{40}` + // Git id
	`|[a-z][a-z0-9+.-]*://.*` + // URL; one with a password has a format of its own
	`|(?:[a-z0-9]+(?:-[a-z0-9]+)*/){3,4}[a-z0-9-]+` + // address
	`|(?:\.{0,2}|~)/.*` + // path
	`|<.*>|os\.environ/.*|(?:env|vault|file|secret|ssm|sops|op|awskms|gcpkms):.*` +
	`|[0-9.,:T+Z-]*` + // numbers, times
	`)$`)

// placeholder reports whether a text only marks where a credential will stand.
func placeholder(s string) bool {
	return s == "" || strings.ContainsAny(s[:1], "$%<{*[") || strings.Trim(s, s[:1]) == ""
}

// random reports whether a text looks made by a machine: long enough, without blanks, letters and
// digits mixed, and with few repetitions.
func random(text string) bool {
	if len(text) < minLength || len(text) > 4096 || strings.ContainsAny(text, " \t\r\n") || placeholder(text) || harmless.MatchString(text) {
		return false
	}
	hasDigit := strings.ContainsAny(text, "0123456789")
	hasLetter := strings.ContainsFunc(text, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' })
	return hasDigit && hasLetter && entropy(text) >= 3
}

// entropy is Shannon's, in bits a byte.
func entropy(s string) float64 {
	var counts [256]int
	for i := range len(s) {
		counts[s[i]]++
	}
	var bits float64
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(s))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}
