package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// spy is a desk at which values are canaries, and everything that any program says is kept.
type spy struct {
	*desk
	made []string          // the canaries
	said map[string]string // what each program said
	keys map[string]string // path of a key file → the key in it
}

func newSpy(t *testing.T, settings string) *spy {
	t.Helper()
	s := &spy{desk: newDesk(t, settings), said: map[string]string{}, keys: map[string]string{}}
	t.Setenv("TMPDIR", s.path("tmp")) // what programs leave there is searched, too
	s.write("tmp/here", "")
	return s
}

// guard takes the last line of a file for a key: nothing but that file may hold it.
func (s *spy) guard(name string) {
	s.t.Helper()
	data, err := os.ReadFile(s.path(name))
	s.check(err)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	s.keys[s.path(name)] = lines[len(lines)-1]
}

func (s *spy) seed() []byte {
	sum := sha256.Sum256([]byte("canary " + strconv.Itoa(len(s.made))))
	return sum[:]
}

func (s *spy) keep(canary string) string {
	s.made = append(s.made, canary)
	return canary
}

// canary makes 40 characters as credentials have them, + and / included.
func (s *spy) canary() string {
	return s.keep("+/" + base64.StdEncoding.EncodeToString(s.seed())[:38])
}

// capitals makes one of capital letters and digits only, and uuid one that looks so.
func (s *spy) capitals() string { return s.keep(base32.StdEncoding.EncodeToString(s.seed())[:40]) }

func (s *spy) uuid() string {
	h := hex.EncodeToString(s.seed())
	return s.keep(strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:32]}, "-"))
}

// runs runs a program, demands its exit code and keeps what it says.
func (s *spy) runs(code int, name string, args ...string) result {
	s.t.Helper()
	r := s.run(name, args...)
	if r.code != code {
		s.t.Errorf("%s %q: exit code %d, want %d\n%s%s", filepath.Base(name), args, r.code, code, r.stdout, r.stderr)
	}
	s.keeps(fmt.Sprintf("%s %q", filepath.Base(name), args), r)
	return r
}

func (s *spy) keeps(what string, r result) {
	s.said[fmt.Sprintf("%03d %s", len(s.said), what)] = r.stdout + "\x00" + r.stderr
}

// passes makes a plan and a pass, each in both formats.
func (s *spy) passes(code int, config string) {
	s.t.Helper()
	for _, command := range []string{"plan", "once"} {
		for _, format := range []string{"json", "text"} {
			s.runs(code, "reconciler", command, "--config", config, "--format", format)
		}
	}
}

// daemonRuns runs the daemon for at least some passes, with one format of its log, and stops it with a signal.
// meanwhile, if it is not nil, is called after the first pass.
func (s *spy) daemonRuns(config, format string, passes int, signal syscall.Signal, meanwhile func()) result {
	s.t.Helper()
	out := &tail{}
	cmd := exec.Command("reconciler", "run", "--config", config, "--log-format", format)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, out, out
	s.check(cmd.Start())
	line := map[string]string{"text": " took=", "json": `"took":`}[format] // what the line of each pass ends with
	until := passes
	if out.wait(line, 1) && meanwhile != nil {
		meanwhile()
		until = strings.Count(out.String(), line) + passes - 1 // the first of these may have begun before
	}
	out.wait(line, until)
	_ = cmd.Process.Signal(signal)
	err := cmd.Wait()
	text := out.String()
	if strings.Count(text, line) < passes {
		s.t.Errorf("reconciler run: fewer than %d passes: %v\n%s", passes, err, text)
	}
	r := result{cmd.ProcessState.ExitCode(), "", text}
	s.keeps("reconciler run "+format, r)
	return r
}

// tail collects what a running program says.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// wait waits until a text was said n times.
func (t *tail) wait(text string, n int) bool {
	for range 3000 {
		if strings.Count(t.String(), text) >= n {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// search looks for the canaries and keys, whole and in halves, in all that was said and in all files of the desk.
func (s *spy) search() {
	s.t.Helper()
	var needles []needle
	hunt := func(home, secret string) {
		for _, part := range []string{secret, secret[:len(secret)/2], secret[len(secret)/2:]} {
			for _, form := range forms(part) {
				needles = append(needles, needle{home, []byte(form)})
			}
		}
	}
	for _, canary := range s.made {
		hunt("", canary)
	}
	for home, key := range s.keys {
		hunt(home, key)
	}
	look := func(where string, data []byte) {
		for _, n := range needles {
			if where != n.home && bytes.Contains(data, n.form) {
				s.t.Errorf("%s betrays %q", where, n.form)
				return
			}
		}
	}
	for what, text := range s.said {
		look(what, []byte(text))
	}
	files := 0
	s.check(filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		look(path, data)
		return err
	}))
	s.t.Logf("searched %d texts and %d files for %d canaries and %d keys", len(s.said), files, len(s.made), len(s.keys))
}

// needle is one form of a secret, and the file in which it may stand.
type needle struct {
	home string
	form []byte
}

// forms are the ways in which a text is written where values slip out.
func forms(text string) []string {
	quoted, _ := json.Marshal(text)
	escaped := strings.Trim(string(quoted), `"`)
	out := []string{text, escaped, strings.Trim(strconv.Quote(text), `"`), url.QueryEscape(text), url.PathEscape(text),
		strings.ReplaceAll(escaped, "/", `\/`), hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text))),
		strings.Trim(fmt.Sprint([]byte(text)), "[]")}
	for shift := range 3 { // base64 of a text inside another depends on where it begins
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			coded := e.EncodeToString([]byte(strings.Repeat("x", shift) + text))
			out = append(out, coded[4:len(coded)-4])
		}
	}
	return out
}

func TestFormsAreFound(t *testing.T) {
	const secret = "+/pQ8sT1vW4yZ7aC0dF3"
	j, _ := json.Marshal(map[string]any{"a": "x" + secret})
	for _, text := range []string{
		"the value is " + secret, string(j), fmt.Sprintf("%q", secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprint([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte(`{"key":"` + secret + `"}`)), base64.RawURLEncoding.EncodeToString([]byte("a=" + secret + "&b")),
		"https://example.org/?q=" + url.QueryEscape(secret), "https://example.org/" + url.PathEscape(secret), `"` + strings.ReplaceAll(secret, "/", `\/`) + `"`,
	} {
		found := false
		for _, form := range forms(secret) {
			found = found || strings.Contains(text, form)
		}
		if !found {
			t.Errorf("nothing is found in %q", text)
		}
	}
}
