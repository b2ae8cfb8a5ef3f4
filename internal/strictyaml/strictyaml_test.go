package strictyaml

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestScalars(t *testing.T) {
	d, fs := Parse("f.yaml", []byte("a: no\nb: 2024-01-01\nc: 12\nd: 1.5\ne: true\nf: ~\ng: 'x'\nh: 0x1F\ni: 1_000\nj: [yes, -3, .5, 1e3]\nk: 12:30\nl: y\n"))
	if fs != nil {
		t.Fatal(fs)
	}
	want := map[string]any{"a": "no", "b": "2024-01-01", "c": int64(12), "d": 1.5, "e": true, "f": nil, "g": "x",
		"h": int64(31), "i": "1_000", "j": []any{"yes", int64(-3), .5, 1e3}, "k": "12:30", "l": "y"}
	if !reflect.DeepEqual(d.Value, want) {
		t.Errorf("%#v", d.Value)
	}
}

func TestRefused(t *testing.T) {
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	for _, c := range []struct{ in, want string }{
		{"", "1:1 yaml/empty"},
		{"# only a comment\n", "1:1 yaml/empty"},
		{"a: 1\nb:\n  c: 1\n  c: 2\n", "4:3 yaml/duplicate-key"},
		{"a: &x 1\n", "1:4 yaml/anchor"},
		{"a: &x 1\nb: *x\n", "1:4 yaml/anchor"},
		{"b: &x {c: 1}\nd: {<<: *x}\n", "1:4 yaml/anchor"},
		{"a: {&k b: 1}\n", "1:5 yaml/anchor"},
		{"a:\n  b: [1, 2\n", "2:3 yaml/syntax"},
		{"a:\n  b: {c: 1\nd: 2\n", "2:3 yaml/syntax"},
		{"<<: {a: 1}\n", "1:1 yaml/merge-key"},
		{"a: !!str 1\n", "1:4 yaml/tag"},
		{"a: !x 1\n", "1:4 yaml/tag"},
		{"a: 1\n---\nb: 2\n", "2:1 yaml/multiple-documents"},
		{"\xef\xbb\xbfa: 1\n", "1:1 yaml/bom"},
		{"a: é\xff\n", "1:5 yaml/encoding"},
		{"a: 1\nb: \x00\n", "2:4 yaml/control-character"},
		{"a: 0777\n", "1:4 yaml/ambiguous-number"},
		{"a: 9007199254740993\n", "1:4 yaml/number-range"},
		{"a: .inf\n", "1:4 yaml/number-range"},
		{"a: 1e999\n", "1:4 yaml/number-range"},
		{"a:\n  b: 1\n c: 2\n", "3:2 yaml/syntax"},
		{"a:\n\tb: 1\n", "2:1 yaml/syntax"},
		{"1: a\n", "1:1 yaml/key"},
		{"? [a]\n: b\n", "1:3 yaml/key"},
		{"a: " + deep + "\n", "1:68 yaml/depth"},
		{"a: " + strings.Repeat("x", MaxBytes), "1:1 yaml/too-large"},
	} {
		_, fs := Parse("f.yaml", []byte(c.in))
		if len(fs) != 1 {
			t.Errorf("%.40q: got %v, want one finding", c.in, fs)
			continue
		}
		if got := fmt.Sprintf("%d:%d %s", fs[0].Line, fs[0].Column, fs[0].Rule); got != c.want {
			t.Errorf("%.40q: got %s (%s), want %s", c.in, got, fs[0].Message, c.want)
		}
	}
}

func TestPositions(t *testing.T) {
	d, fs := Parse("f.yaml", []byte("äö: {b: 1, c: [x, y]}\nspec:\n  a: 1\n"))
	if fs != nil {
		t.Fatal(fs)
	}
	for _, c := range []struct {
		path      string
		key, want string
	}{
		{"äö b", "1:6", "1:9"}, {"äö c 1", "1:19", "1:19"}, {"spec a", "3:3", "3:6"}, {"spec missing", "2:1", "3:3"}, {"", "1:1", "1:1"},
	} {
		p := strings.Fields(c.path)
		k, v := d.KeyPosition(p...), d.Position(p...)
		if got := fmt.Sprintf("%d:%d", k.Line, k.Column); got != c.key {
			t.Errorf("key of %q: %s, want %s", c.path, got, c.key)
		}
		if got := fmt.Sprintf("%d:%d", v.Line, v.Column); got != c.want {
			t.Errorf("value of %q: %s, want %s", c.path, got, c.want)
		}
	}
}
