package rule

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed all:base
var base embed.FS

// Example is a change of the valid base repository: files are laid over it, then a script is carried out.
type Example struct {
	files   map[string][]byte
	script  []step
	secrets []string // values of secrets that are not marked as such
}

type step []string // a command and its arguments

func (e *Example) add(name string, data []byte) error {
	if name != "" {
		e.files[name] = data
		return nil
	}
	for line := range strings.Lines(string(data)) {
		words, err := words(strings.TrimSpace(line))
		if err != nil {
			return err
		}
		if len(words) > 0 {
			e.script = append(e.script, words)
		}
	}
	return nil
}

// words splits a line at blanks; what is in single quotes is one word with the text around it.
func words(line string) (out []string, err error) {
	var word strings.Builder
	quoted, any := false, false
	for _, c := range line {
		switch {
		case c == '\'':
			quoted, any = !quoted, true
		case c == ' ' && !quoted && any:
			out = append(out, word.String())
			word.Reset()
			any = false
		case c != ' ' || quoted:
			word.WriteRune(c)
			any = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote is not closed: %s", line)
	}
	if any {
		out = append(out, word.String())
	}
	return out, nil
}

// File is one file of a repository. The mode is 0o644, 0o755, or fs.ModeSymlink with the target as data.
type File struct {
	Data []byte
	Mode fs.FileMode
}

// Repository is a repository in memory, by paths.
type Repository map[string]File

// Base returns the valid repository that the examples change.
func Base() Repository {
	r := Repository{}
	_ = fs.WalkDir(base, "base", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, _ := fs.ReadFile(base, name)
			r[strings.TrimPrefix(name, "base/")] = File{data, 0o644}
		}
		return err
	})
	return r
}

// Repository returns the base repository as the example changes it.
func (e *Example) Repository() (Repository, error) {
	r := Base()
	for name, data := range e.files {
		r[name] = File{data, 0o644}
	}
	for _, s := range e.script {
		if err := r.Do(s...); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(s, " "), err)
		}
	}
	return r, nil
}

// Do changes the repository by one line of a script. The texts of edit and write hold Go's escapes.
func (r Repository) Do(line ...string) error {
	name, args := line[0], line[1:]
	switch fmt.Sprint(name, " ", len(args)) {
	case "edit 3":
		return r.edit(args[0], args[1], args[2])
	case "rm 1":
		return r.move(args[0], "", false)
	case "mv 2":
		return r.move(args[0], args[1], false)
	case "cp 2":
		return r.move(args[0], args[1], true)
	case "chmod 2":
		return r.chmod(args[0], args[1])
	case "symlink 3":
		r[args[0]] = File{[]byte(args[2]), fs.ModeSymlink | 0o777}
		return nil
	case "show 1":
		return r.has(args[0])
	}
	if name == "write" && len(args) > 1 {
		return r.write(args[0], args[1:])
	}
	return errors.New("the commands are: edit FILE OLD NEW, write FILE TEXT…, rm FILE, mv FILE TO, cp FILE TO, chmod MODE FILE, symlink FILE -> TARGET, show FILE")
}

func (r Repository) has(name string) error {
	if _, ok := r[name]; !ok {
		return fs.ErrNotExist
	}
	return nil
}

// edit replaces the one occurrence of a text.
func (r Repository) edit(name, from, to string) error {
	from, err := unescape(from)
	to, err2 := unescape(to)
	f := r[name]
	if n := bytes.Count(f.Data, []byte(from)); n != 1 {
		err = errors.Join(err, fmt.Errorf("the text stands there %d times, not once", n))
	}
	r[name] = File{bytes.Replace(f.Data, []byte(from), []byte(to), 1), f.Mode}
	return errors.Join(err, err2, r.has(name))
}

// write makes a file of texts. N*TEXT stands for N times TEXT.
func (r Repository) write(name string, texts []string) error {
	var b bytes.Buffer
	for _, text := range texts {
		times := 1
		if n, rest, ok := strings.Cut(text, "*"); ok {
			if i, err := strconv.Atoi(n); err == nil {
				times, text = i, rest
			}
		}
		text, err := unescape(text)
		if err != nil {
			return err
		}
		b.WriteString(strings.Repeat(text, times))
	}
	r[name] = File{b.Bytes(), 0o644}
	return nil
}

// move takes a file or a folder elsewhere, or nowhere; kept, it stays there as well.
func (r Repository) move(from, to string, kept bool) error {
	found := false
	for name, f := range maps.Clone(r) {
		rest, below := strings.CutPrefix(name+"/", from+"/")
		if !below {
			continue
		}
		found = true
		if !kept {
			delete(r, name)
		}
		if to != "" {
			r[path.Join(to, rest)] = f
		}
	}
	if !found {
		return fs.ErrNotExist
	}
	return nil
}

func (r Repository) chmod(mode, name string) error {
	m, err := strconv.ParseUint(mode, 8, 9)
	r[name] = File{r[name].Data, fs.FileMode(m)}
	return errors.Join(err, r.has(name))
}

func unescape(text string) (string, error) {
	return strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
}

// Write puts the repository into a folder.
func (r Repository) Write(dir string) error {
	for name, f := range r {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		var err error
		if f.Mode&fs.ModeSymlink != 0 {
			err = os.Symlink(string(f.Data), at)
		} else if err = os.WriteFile(at, f.Data, f.Mode); err == nil {
			err = os.Chmod(at, f.Mode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var canary = regexp.MustCompile(`(?i)[^\s'",:]*canary[^\s'",:]*`)

// piece is how much of a secret's value tells it, in bytes.
const piece = 10

// Leaks reports whether a text repeats a value of a secret in the example, or a piece of one. Pieces without a digit
// are none: they are words, such as the name of a service.
func (e *Example) Leaks(text string) bool {
	if canary.MatchString(text) {
		return true
	}
	for _, value := range e.values() {
		for i := range max(1, len(value)-piece+1) {
			p := value[i:min(len(value), i+piece)]
			if strings.ContainsAny(p, "0123456789") && strings.Contains(text, p) {
				return true
			}
		}
	}
	return false
}

// values lists what stands for the value of a secret in the example: every word with canary in it, and what the
// catalogue takes from internal/leak.
func (e *Example) values() []string {
	values := slices.Clone(e.secrets)
	for _, data := range e.files {
		values = append(values, canary.FindAllString(string(data), -1)...)
	}
	for _, s := range e.script {
		for _, arg := range s {
			text, _ := unescape(arg)
			values = append(values, canary.FindAllString(text, -1)...)
		}
	}
	return values
}
