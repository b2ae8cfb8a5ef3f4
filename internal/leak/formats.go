package leak

import (
	_ "embed"
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// minLength is shorter than every credential that can be told by its looks.
const minLength = 12

// format is one form in which credentials are issued. A text is searched for the keywords of all formats at
// once, which costs little, and matched against a pattern only where it has one of its keywords.
type format struct {
	id, what string
	keywords []string
	folded   bool                    // the keywords are meant in any letters
	inside   bool                    // a keyword stands within; otherwise a credential begins with one
	blanks   bool                    // blanks may stand within, after the keyword
	named    bool                    // told by a name before it alone, which is a keyword
	expr     string                  // of the first group, or else the whole, is the credential
	entropy  float64                 // at least, in bits a byte
	check    func(match string) bool // nil: the pattern decides alone
	example  string                  // put together from pieces, so that scanners do not take this file for a leak

	word    bool // must not begin within a word
	pattern func() *regexp.Regexp
}

func (f *format) rule() string { return "secret/" + f.id }

func (f *format) message() string {
	if f.named {
		return "by its name and its form this may be " + f.what + " in the clear: if so, revoke it, since Git keeps it, put the new one into a Secret and refer to that"
	}
	return "here stands what looks like " + f.what + " in the clear: revoke it, since Git keeps it, put the new one into a Secret and refer to that"
}

//go:embed gitleaks.txt
var gitleaks string

// book is all formats, in the order in which they are tried: what is more special comes first, what is told
// by a name alone comes last.
type book struct {
	formats []*format
	words   *automaton
	of      []int    // the format of each word
	exact   []string // the word, where its letters count
	length  []int
}

// formats is read when the first text is looked at, and a pattern compiled when the first text has its keyword.
var formats = sync.OnceValue(func() *book {
	b := &book{}
	for i := range table {
		f := table[i]
		b.add(&f)
	}
	for line := range strings.Lines(gitleaks) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && line[0] != '#' {
			b.add(parseFormat(line))
		}
	}
	var words []string
	for i, f := range b.formats {
		for _, k := range f.keywords {
			words, b.of, b.length = append(words, k), append(b.of, i), append(b.length, len(k))
			if f.folded {
				k = ""
			}
			b.exact = append(b.exact, k)
		}
	}
	b.words = newAutomaton(words)
	return b
})

func (b *book) add(f *format) {
	expr := f.expr
	switch {
	case f.named:
		quoted := make([]string, len(f.keywords))
		for i, k := range f.keywords {
			quoted[i] = regexp.QuoteMeta(k)
		}
		expr = `^(?i:` + strings.Join(quoted, "|") + `)[ \t\w.-]{0,20}["'\s]{0,3}(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60"'\s=]{0,5}(` + expr + `)(?:[^\w-]|$)`
	case !f.inside:
		expr, f.word = strings.CutPrefix(expr, `\b`)
		expr = "^(?:" + expr + ")"
	}
	f.pattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
	b.formats = append(b.formats, f)
}

// parseFormat reads a line of gitleaks.txt, which a test holds to its form.
func parseFormat(line string) *format {
	c := strings.Split(line, "\t")
	f := &format{id: c[0], inside: c[1] == "inside", named: c[1] == "named", keywords: strings.Split(c[2], ","), what: c[4], expr: c[5]}
	f.folded = f.named
	f.entropy, _ = strconv.ParseFloat(c[3], 64)
	if f.named {
		f.check = mixed
	}
	return f
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
