package yamledit

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each edit keeps everything else as it stands, to the byte.
func TestEdits(t *testing.T) {
	add := func(value any, path ...string) func(*File) error {
		return func(f *File) error { return f.Append(value, path...) }
	}
	set := func(value any, path ...string) func(*File) error {
		return func(f *File) error { return f.Set(value, path...) }
	}
	remove := func(path ...string) func(*File) error {
		return func(f *File) error { return f.Remove(path...) }
	}
	key := Mapping{{"ssh", "ssh-ed25519 AAAA"}}
	armor := Mapping{{"openpgp", "-----BEGIN-----\n\nabc\n-----END-----\n"}, {"notAfter", "2027-01-01T00:00:00Z"}}
	for name, c := range map[string]struct {
		before string
		edit   func(*File) error
		after  string
	}{
		"a number": {"version: 7   # one more\nx: 1\n", set(int64(8), "version"), "version: 8   # one more\nx: 1\n"},
		"a quoted scalar": {"a: {t: '2020-01-01T00:00:00Z' , u: 1}\n", set("2027-01-01T00:00:00Z", "a", "t"),
			"a: {t: 2027-01-01T00:00:00Z , u: 1}\n"},
		"a field in flow style": {"k: [{ssh: \"a\"}, {ssh: \"b, }\" }]\n", set("2027-01-01T00:00:00Z", "k", "1", "notAfter"),
			"k: [{ssh: \"a\"}, {ssh: \"b, }\", notAfter: 2027-01-01T00:00:00Z }]\n"},
		"a field in block style": {"k:\n  - ssh: a # old\n  # next\n  - ssh: b\n", set("c d", "k", "0", "more"),
			"k:\n  - ssh: a # old\n    more: \"c d\"\n  # next\n  - ssh: b\n"},
		"an element in flow style":            {"k: [{ssh: a}] # one\n", add(key, "k"), "k: [{ssh: a}, {ssh: \"ssh-ed25519 AAAA\"}] # one\n"},
		"an element of an empty list":         {"k: [ ]\n", add("x", "k"), "k: [x ]\n"},
		"an element over several lines":       {"k: [\n  a, # one\n  b # two\n]\n", add("c", "k"), "k: [\n  a, # one\n  b, # two\n  c\n]\n"},
		"an element behind a last comma":      {"k: [\n  a,\n  b, # two\n]\n", add("c", "k"), "k: [\n  a,\n  b, # two\n  c,\n]\n"},
		"an element before a bracket":         {"k: [a,\n  b]\n", add("c", "k"), "k: [a,\n  b, c]\n"},
		"an element in block style":           {"k:\n- a\n\n# end\nl: 1\n", add("b", "k"), "k:\n- a\n- b\n\n# end\nl: 1\n"},
		"an element at the end of a file":     {"k:\n  - a", add("b", "k"), "k:\n  - a\n  - b\n"},
		"line ends of another world":          {"k:\r\n  - a\r\nl: 1\r\n", add("b", "k"), "k:\r\n  - a\r\n  - b\r\nl: 1\r\n"},
		"a long text beside short ones":       {"k:\n  - {ssh: a}\n", add(armor, "k"), "k:\n  - {ssh: a}\n  - openpgp: |\n      -----BEGIN-----\n\n      abc\n      -----END-----\n    notAfter: 2027-01-01T00:00:00Z\n"},
		"a long text in flow style":           {"k: [{ssh: a}]\n", add(armor, "k"), "k: [{ssh: a}, {openpgp: \"-----BEGIN-----\\n\\nabc\\n-----END-----\\n\", notAfter: 2027-01-01T00:00:00Z}]\n"},
		"behind a long text":                  {"k:\n  - openpgp: |\n      # a\n\n      b\n\n  # c\nl: 1\n", add("d", "k"), "k:\n  - openpgp: |\n      # a\n\n      b\n  - d\n\n  # c\nl: 1\n"},
		"an entry like its neighbours, flow":  {"p:\n  a: {k: [b]}\nr: []\n", set(Mapping{{"roles", []any{"operator:acme"}}, {"keys", []any{key}}}, "p", "z"), "p:\n  a: {k: [b]}\n  z: {roles: [\"operator:acme\"], keys: [{ssh: \"ssh-ed25519 AAAA\"}]}\nr: []\n"},
		"an entry like its neighbours, block": {"p:\n    a:\n        k: [b]\n", set(Mapping{{"roles", []any{"x"}}, {"keys", []any{key, key}}}, "p", "z"), "p:\n    a:\n        k: [b]\n    z:\n      roles: [x]\n      keys:\n        - {ssh: \"ssh-ed25519 AAAA\"}\n        - {ssh: \"ssh-ed25519 AAAA\"}\n"},
		"an entry with a long text":           {"p:\n  a: {k: [b]}\n", set(Mapping{{"roles", []any{"x"}}, {"keys", []any{armor}}}, "p", "null"), "p:\n  a: {k: [b]}\n  \"null\":\n    roles: [x]\n    keys:\n      - openpgp: |\n          -----BEGIN-----\n\n          abc\n          -----END-----\n        notAfter: 2027-01-01T00:00:00Z\n"},
		"an entry of a mapping in flow style": {"p: {a: {k: 1}}\n", set(Mapping{{"k", int64(2)}}, "p", "b"), "p: {a: {k: 1}, b: {k: 2}}\n"},

		"remove the first":                       {"k: [a, b, c]\n", remove("k", "0"), "k: [b, c]\n"},
		"remove one in the middle":               {"k: [a, \"b]\", c]\n", remove("k", "1"), "k: [a, c]\n"},
		"remove the last":                        {"k: [a, 'it''s' ]\n", remove("k", "1"), "k: [a ]\n"},
		"remove a line":                          {"k: [\n  a, # one\n  b, # two\n  c # three\n]\n", remove("k", "1"), "k: [\n  a, # one\n  c # three\n]\n"},
		"remove the last line":                   {"k: [\n  a, # one\n  b # two\n]\n", remove("k", "1"), "k: [\n  a, # one\n]\n"},
		"remove a block element":                 {"k:\n  - a # one\n  # of two\n  - openpgp: |\n      b\n\n      c\n    n: 1\n\n# end\n", remove("k", "1"), "k:\n  - a # one\n  # of two\n\n# end\n"},
		"remove an element at its key's column":  {"p:\n  k:\n  - a\n  - b\n  l: 1\n", remove("p", "k", "1"), "p:\n  k:\n  - a\n  l: 1\n"},
		"remove an entry":                        {"p:\n  # a\n  a:\n    k:\n    - x\n\n  # b\n  b: 1\n", remove("p", "a"), "p:\n  # a\n\n  # b\n  b: 1\n"},
		"remove an entry with a list at its key": {"p:\n  k:\n  - a\n  - b\n  l: 1\n", remove("p", "k"), "p:\n  l: 1\n"},
		"remove an entry in flow style":          {"p: {a: {k: [1, 2]}, b: {k: 2}}\n", remove("p", "a"), "p: {b: {k: 2}}\n"},
		"remove the last entry of a file":        {"p:\n  a: 1\n  b:\n    c", remove("p", "b"), "p:\n  a: 1\n"},
		"letters of several bytes":               {"p: {\"é\": é, b: [ü, x]} # ö\n", remove("p", "b", "1"), "p: {\"é\": é, b: [ü]} # ö\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f, findings := Parse("f.yaml", []byte(c.before))
			if f == nil {
				t.Fatal(findings)
			}
			if err := c.edit(f); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.after, string(f.Text())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What cannot be edited with certainty is left alone.
func TestRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for text, edit := range map[string]func(*File) error{
		"k: [a]\n":                       func(f *File) error { return f.Remove("k", "1") },
		"k:\n":                           func(f *File) error { return f.Append("a", "k") },
		"k: v\n":                         func(f *File) error { return f.Set("a", "k", "b") },
		"k:\n  - a\n":                    func(f *File) error { return f.Remove("k", "0") }, // null would be left
		"k:\n  - - a\n    - b\n":         func(f *File) error { return f.Remove("k", "0", "0") },
		"k: >\n  long\nl: 1\n":           func(f *File) error { return f.Set("a", "k") },
		"k: a\n  b\n":                    func(f *File) error { return f.Set("a", "k") },
		"k: {a: 1}\nl: {a: 1}\nm: [1]\n": func(f *File) error { return f.Set("a", "m") },
	} {
		f, findings := Parse("f.yaml", []byte(text))
		if f == nil {
			t.Fatalf("%q: %v", text, findings)
		}
		if err := edit(f); err == nil || !strings.Contains(err.Error(), "by hand") {
			t.Errorf("%q became %q: %v", text, f.Text(), err)
		}
		if string(f.Text()) != text {
			t.Errorf("%q was changed to %q", text, f.Text())
		}
	}
}

// Whatever the file: an edit does what was asked, or nothing; and what was added can be taken away again.
func FuzzEdit(f *testing.F) {
	for _, seed := range []string{"a: [x]\n", "a:\n- x\n- {y: |\n z}\n", "a:\n  - k: |\n      t\n\n  # c\n  - 'q'\nb: 1", "a: [\n x, # c\n y\n]", "a: {b: \"\\\"\", c: 'it''s'}\r\n"} {
		f.Add([]byte(seed), "text\n", uint8(0))
	}
	f.Fuzz(func(t *testing.T, text []byte, value string, at uint8) {
		file, _ := Parse("f.yaml", text)
		if file == nil {
			return
		}
		before := file.Value()
		element := Mapping{{"k", value}}
		if file.Append(element, "a") != nil {
			if !bytes.Equal(file.Text(), text) || !reflect.DeepEqual(file.Value(), before) {
				t.Fatal("a refused edit left traces")
			}
			return
		}
		was, now := before.(map[string]any)["a"].([]any), file.Value("a").([]any)
		if len(now) != len(was)+1 || !reflect.DeepEqual(now[len(was)], map[string]any{"k": value}) {
			t.Fatalf("%q became %q", text, file.Text())
		}
		i := int(at) % len(now)
		if file.Remove("a", string(rune('0'+i%10))) == nil && len(file.Value("a").([]any)) != len(was) {
			t.Fatalf("%q became %q", text, file.Text())
		}
	})
}
