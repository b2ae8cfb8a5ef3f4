package rule

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/llm-config-manager/lcm/internal/leak"
)

// Pane shows a file of an example, or what is about it that matters.
type Pane struct {
	File string `json:"file"`
	Note string `json:"note,omitempty"` // "removed", "mode 755", "a link to greeting.yaml"
	Text string `json:"text,omitempty"` // credentials and sealed values are cut short
}

// Panes shows the two examples of a rule: of files that the base has too, only the lines that differ.
func (r Rule) Panes() (bad, good []Pane, err error) {
	wrong, err := r.Bad.Repository()
	if err != nil {
		return nil, nil, err
	}
	right, err := r.Good.Repository()
	if err != nil {
		return nil, nil, err
	}
	if r.Before != nil {
		was, err := r.Before.Repository()
		if err != nil {
			return nil, nil, err
		}
		for _, p := range r.panes(was, Base(), nil) {
			p.Note = "before the change"
			bad = append(bad, p)
		}
	}
	bad = append(bad, r.panes(wrong, Base(), nil)...)
	return bad, r.panes(right, Base(), r.shown(wrong)), nil
}

// shown lists the files that the good example only points to, each as the bad one has it.
func (r Rule) shown(wrong Repository) Repository {
	files := Repository{}
	for _, s := range r.Good.script {
		if s[0] == "show" {
			files[s[1]] = wrong[s[1]]
		}
	}
	return files
}

func (r Rule) panes(repository, base, shown Repository) (out []Pane) {
	names := maps.Clone(repository)
	maps.Copy(names, base)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		f, there := repository[name]
		was, before := base[name]
		if other, ok := shown[name]; ok {
			was, before = other, other.Data != nil
		} else if there && before && f.Mode == was.Mode && string(f.Data) == string(was.Data) {
			continue
		}
		out = append(out, r.pane(name, f, was, there, before))
	}
	return out
}

func (r Rule) pane(name string, f, was File, there, before bool) Pane {
	switch {
	case !there:
		return Pane{File: name, Note: "removed"}
	case f.Mode&fs.ModeSymlink != 0:
		return Pane{File: name, Note: "a link to " + string(f.Data)}
	case f.Mode != 0o644:
		return Pane{File: name, Note: fmt.Sprintf("mode %o", f.Mode)}
	case before:
		return Pane{File: name, Text: r.readable(excerpt(string(f.Data), string(was.Data)))}
	}
	return Pane{File: name, Text: r.readable(string(f.Data))}
}

// around is how many lines are shown before and after those that differ.
const around = 2

// excerpt returns the lines of a text from the first that differs from another text to the last, and some around.
func excerpt(text, other string) string {
	a, b := strings.SplitAfter(text, "\n"), strings.SplitAfter(other, "\n")
	first := 0
	for first < min(len(a), len(b)) && a[first] == b[first] {
		first++
	}
	last := 0
	for last < min(len(a), len(b))-first && a[len(a)-1-last] == b[len(b)-1-last] {
		last++
	}
	from, to := max(0, first-around), min(len(a), len(a)-last+around)
	out := strings.Join(a[from:to], "")
	if from > 0 {
		out = "…\n" + out
	}
	if strings.TrimSpace(strings.Join(a[to:], "")) != "" {
		out += "…\n"
	}
	return out
}

// What is shown of a file is bounded.
const (
	maxLines = 40
	maxWidth = 160 // in code points
)

var sealed = regexp.MustCompile(`ENC\[AES256_GCM,[^\]]*\]`)

// readable cuts credentials, sealed values and what is long short, and spells out what cannot be seen.
func (r Rule) readable(text string) string {
	if r.Bad != nil {
		for _, value := range r.Bad.secrets {
			text = strings.ReplaceAll(text, value, cut(value, 8))
		}
	}
	text = sealed.ReplaceAllString(text, "ENC[AES256_GCM,…]")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > maxLines {
		lines = append(lines[:maxLines:maxLines], "…")
	}
	for i, line := range lines {
		lines[i] = cut(visible(masked(line)), maxWidth)
	}
	return strings.Join(lines, "\n") + "\n"
}

var word = regexp.MustCompile(`[^\s'"]+`)

// masked cuts what looks like a credential, so that no scanner takes an explanation for a leak.
func masked(line string) string {
	line = word.ReplaceAllStringFunc(line, func(w string) string {
		if leak.Contains(w) {
			return cut(w, 8)
		}
		return w
	})
	if leak.Contains(line) {
		return cut(line, 16)
	}
	return line
}

func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// visible writes what cannot be seen as Go's escapes do.
func visible(line string) string {
	var b strings.Builder
	for _, c := range line {
		if c == '\t' || unicode.IsPrint(c) && c != unicode.ReplacementChar {
			b.WriteRune(c)
		} else if q := strconv.QuoteRuneToASCII(c); c == unicode.ReplacementChar {
			b.WriteString(`\x..`)
		} else {
			b.WriteString(strings.Trim(q, "'"))
		}
	}
	return b.String()
}
