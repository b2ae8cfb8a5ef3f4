package leak

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// minLength is shorter than every credential that can be told by its looks.
const minLength = 12

// format is one form in which credentials are issued. A text is searched for the keywords first, which
// costs little, and matched against the pattern only if it has one.
type format struct {
	id, what string
	keywords []string
	pattern  *regexp.Regexp
	check    func(match string) bool // nil: the pattern decides alone
	example  string                  // put together from pieces, so that scanners do not take this file for a leak
}

func (f *format) rule() string { return "secret/" + f.id }

func (f *format) message() string {
	return "here stands what looks like " + f.what + " in the clear: revoke it, since Git keeps it, put the new one into a Secret and refer to that"
}

// find gives the first format of which text holds a credential.
func find(text string) *format {
	if len(text) < minLength {
		return nil
	}
	for i := range formats {
		f := &formats[i]
		if !f.hasKeyword(text) {
			continue
		}
		if f.check == nil {
			if f.pattern.MatchString(text) {
				return f
			}
			continue
		}
		for _, m := range f.pattern.FindAllString(text, 16) {
			if f.check(m) {
				return f
			}
		}
	}
	return nil
}

func (f *format) hasKeyword(text string) bool {
	for _, k := range f.keywords {
		if strings.Contains(text, k) {
			return true
		}
	}
	return false
}

// mixed keeps prose with hyphens from looking like a key: a key has both letters and digits.
func mixed(match string) bool {
	return strings.ContainsAny(match, "0123456789") && entropy(match) >= 3
}

// userinfo accepts a URL's user:password@ unless the password is a place for one.
func userinfo(match string) bool {
	_, rest, _ := strings.Cut(match, "://")
	_, password, _ := strings.Cut(strings.TrimSuffix(rest, "@"), ":")
	return !placeholder(password)
}

// basic accepts what decodes to user:password.
func basic(match string) bool {
	encoded := strings.TrimRight(match[strings.LastIndexByte(match, ' ')+1:], "=")
	decoded, err := base64.RawStdEncoding.DecodeString(encoded)
	return err == nil && strings.Contains(string(decoded), ":")
}

func filler(n int) string {
	return strings.Repeat("a1B2c3D4e5F6g7H8i9J0", n/20+1)[:n]
}

func hexFiller(n int) string { return strings.Repeat("0a1b2c3d4e5f6789", n/16+1)[:n] }
