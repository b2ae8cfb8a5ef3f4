package leak

import (
	"math/rand/v2"
	"regexp/syntax"
	"strings"
	"unicode"
)

// sample is a text that holds such a credential: the one of the table, or one that is made up, the same each time.
func (f *format) sample() string {
	if f.example != "" {
		return f.example
	}
	s := f.makeUp(rand.New(rand.NewPCG(1, 2)))
	if f.named {
		s = f.keywords[0] + "_key: " + s
	}
	return s
}

// makeUp gives a text that the format's pattern matches and its other conditions accept.
func (f *format) makeUp(random *rand.Rand) string {
	re, err := syntax.Parse(f.expr, syntax.Perl)
	if err != nil {
		return ""
	}
	for range 1000 {
		if s := example(re, random); entropy(s) >= f.entropy+0.05 && (f.check == nil || f.check(s)) {
			return s
		}
	}
	return ""
}

func example(re *syntax.Regexp, random *rand.Rand) string {
	var b strings.Builder
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(oneOf(re.Rune, random))
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			b.WriteString(example(sub, random))
		}
	case syntax.OpAlternate:
		if re.Sub[len(re.Sub)-1].Op == syntax.OpEndText {
			return "" // what follows a credential
		}
		return example(re.Sub[random.IntN(len(re.Sub))], random)
	case syntax.OpRepeat:
		n := re.Min
		if re.Max > re.Min && random.IntN(2) == 0 {
			n++
		}
		for range n {
			b.WriteString(example(re.Sub[0], random))
		}
	case syntax.OpPlus:
		return strings.Repeat(example(re.Sub[0], random), 8)
	}
	return b.String()
}

// oneOf takes a printable character of a class, mostly letters and digits, as issuers do.
func oneOf(ranges []rune, random *rand.Rand) rune {
	var all []rune
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= min(ranges[i+1], 0x7e); r++ {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				all = append(all, r)
			}
		}
	}
	if len(all) == 0 {
		return ranges[0]
	}
	return all[random.IntN(len(all))]
}
