package sopsfile

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
)

// sealedType is the type tag of a ciphertext, empty if s is none. A ciphertext is
// ENC[AES256_GCM,data:…,iv:…,tag:…,type:…] with base64 and nothing around it.
func sealedType(s string) string {
	s, opens := strings.CutPrefix(s, "ENC[AES256_GCM,")
	s, closes := strings.CutSuffix(s, "]")
	if !opens || !closes {
		return ""
	}
	for _, field := range [...]string{"data:", "iv:", "tag:"} {
		part, rest, ok := strings.Cut(s, ",")
		text, named := strings.CutPrefix(part, field)
		if !ok || !named || !isBase64(text) {
			return ""
		}
		s = rest
	}
	kind, ok := strings.CutPrefix(s, "type:")
	if !ok || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz") != "" {
		return ""
	}
	return kind
}

func isBase64(s string) bool {
	s = strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '+', c == '/':
		default:
			return false
		}
	}
	return s != ""
}

// cipher opens values with the cipher of SOPS, as strings, and reads types by itself: the tag is not
// authenticated, and the library panics on one of them. It serves one file.
type cipher struct {
	aes  aes.Cipher
	deny string // why the first value was refused
}

func newCipher() *cipher { return &cipher{aes: aes.NewCipher()} }

var errRefused = errors.New("refused")

func (c *cipher) refuse(why string) (any, error) {
	if c.deny == "" {
		c.deny = why
	}
	return nil, errRefused
}

// Decrypt implements sops.Cipher. The errors hold nothing: SOPS would repeat them with the value.
func (c *cipher) Decrypt(ciphertext string, key []byte, path string) (any, error) {
	kind := sealedType(ciphertext)
	if kind == "" {
		return c.refuse("a value is not sealed")
	}
	v, err := c.aes.Decrypt(strings.TrimSuffix(ciphertext, kind+"]")+"str]", key, path)
	text, ok := v.(string)
	if err != nil || !ok {
		return c.refuse("a sealed value was changed, moved or sealed with another data key")
	}
	if !utf8.ValidString(text) { // as JSON it would become another value, silently
		return c.refuse("a sealed value is not UTF-8: seal it as base64, or as text")
	}
	if v, ok := typed(kind, text); ok {
		return v, nil
	}
	return c.refuse("a sealed value is not of the type that stands beside it, or a number that JSON cannot hold (write it as a string)")
}

// Encrypt implements sops.Cipher.
func (c *cipher) Encrypt(v any, key []byte, path string) (string, error) {
	return c.aes.Encrypt(v, key, path)
}

// maxInt is the largest integer that JSON holds exactly.
const maxInt int64 = 1 << 53

func typed(kind, text string) (any, bool) {
	switch kind {
	case "str":
		return text, true
	case "int":
		i, err := strconv.Atoi(text)
		return i, err == nil && strconv.Itoa(i) == text && int64(i) <= maxInt && int64(i) >= -maxInt
	case "float":
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	case "bool":
		return text == "True", text == "True" || text == "False"
	case "comment":
		return sops.Comment{}, true
	}
	return nil, false
}
