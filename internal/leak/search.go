package leak

import "strings"

// Limits of what is matched against patterns, in bytes. The patterns are RE2, so time grows with what they are
// given and no faster; but a text can repeat the keywords of all of them.
const (
	maxMatched = 4 << 20 // in one document
	maxAfter   = 2048    // of one credential, after its keyword
	maxBlanks  = 256     // the same, where blanks may stand within
	maxBefore  = 128     // before a keyword that stands within
	fixedCost  = 64      // of a try, as if it were so many bytes
)

// search looks through texts until its budget is spent. The zero search has none.
type search struct {
	left int // bytes that may still be matched
}

func newSearch() *search { return &search{left: maxMatched} }

func (s *search) spent() bool { return s.left <= 0 }

// find gives the first format, in the order of the book, of which text holds a credential, and where that
// begins. It is nil where there is none, and where the budget ends first.
func (s *search) find(text string) (best *format, at int) {
	if len(text) < minLength {
		return nil, 0
	}
	b := formats()
	rank := len(b.formats)
	b.words.each(text, func(word, end int) bool {
		if b.of[word] >= rank {
			return true
		}
		begin := end - b.length[word]
		if exact := b.exact[word]; exact != "" && text[begin:end] != exact {
			return true
		}
		if found, ok := s.match(b.formats[b.of[word]], text, begin, end); ok {
			rank, at = b.of[word], found
			best = b.formats[rank]
		}
		return !s.spent()
	})
	return best, at
}

// match reports whether a credential stands at, or around, the keyword that begins at an offset of text.
func (s *search) match(f *format, text string, begin, end int) (at int, ok bool) {
	from := begin
	switch {
	case f.inside:
		from = max(0, begin-maxBefore)
	case f.word && begin > 0 && wordByte(text[begin-1]):
		return 0, false
	}
	part := text[from:f.reach(text, end)]
	s.left -= fixedCost + len(part)
	if !f.inside { // then it can only stand at the beginning
		m := f.pattern().FindStringSubmatchIndex(part)
		return from, m != nil && f.accepts(part, m)
	}
	for _, m := range f.pattern().FindAllStringSubmatchIndex(part, 16) {
		if f.accepts(part, m) {
			return from + m[0], true
		}
	}
	return 0, false
}

// reach is how far to look for the end of a credential whose keyword ends somewhere: most hold no blanks.
func (f *format) reach(text string, end int) int {
	if f.named || f.blanks {
		return min(len(text), end+maxBlanks)
	}
	rest := text[end:min(len(text), end+maxAfter)]
	if i := strings.IndexAny(rest, " \n"); i >= 0 {
		return end + i
	}
	return end + len(rest)
}

// accepts judges what the pattern matched, of which m are the offsets.
func (f *format) accepts(part string, m []int) bool {
	whole := part[m[0]:m[1]]
	secret := whole
	if len(m) > 2 && m[2] >= 0 {
		secret = part[m[2]:m[3]]
	}
	if f.named {
		whole = secret
	}
	return (f.entropy == 0 || entropy(secret) >= f.entropy) && (f.check == nil || f.check(whole))
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
