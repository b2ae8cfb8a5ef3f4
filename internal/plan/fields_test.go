package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiffering(t *testing.T) {
	many := func(n, value int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"k%02d":%d`, i, value)
		}
		return "{" + b.String()[1:] + "}"
	}
	for _, c := range []struct{ old, new, want string }{
		{`1`, `1`, ``},
		{`1`, `2`, `""`},
		{`1`, `{"a":1}`, `""`},
		{`{"a":{"b":1,"c":[1,2]},"d":1}`, `{"a":{"b":2,"c":[1,3]},"e":1}`, `"/a/b" "/a/c/1" "/d" "/e"`},
		{`{"a":[1]}`, `{"a":[1,2]}`, `"/a"`},
		{`{"a/b":{"c~d":1}}`, `{"a/b":{"c~d":2}}`, `"/a~1b/c~0d"`},
		{`{"a":null}`, `{}`, `"/a"`},
		{`{"a":9007199254740993}`, `{"a":9007199254740992}`, `"/a"`},
		{`{"x":` + many(33, 1) + `,"y":1}`, `{"x":` + many(33, 2) + `,"y":2}`, `"/x" "/y"`},
		{many(33, 1), many(33, 2), `""`},
		{strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), strings.Repeat(`{"a":`, 40) + "2" + strings.Repeat("}", 40), `"` + strings.Repeat("/a", maxDepth) + `"`},
	} {
		if diff := cmp.Diff(c.want, strings.Trim(fmt.Sprintf("%q", Differing([]byte(c.old), []byte(c.new), true)), "[]")); diff != "" {
			t.Errorf("%s and %s: %s", c.old, c.new, diff)
		}
	}
	for _, c := range []struct{ stands, want, fields string }{ // what somebody else wrote
		{`{"a":1,"theirs":2}`, `{"a":1}`, `""`},
		{`{"a":{"b":1,"theirs":2,"too":3}}`, `{"a":{"b":2}}`, `"/a" "/a/b"`},
		{`no json`, `{"a":1}`, `""`},
		{`{"a":1} {}`, `{"a":1}`, `""`},
	} {
		if got := strings.Trim(fmt.Sprintf("%q", Differing([]byte(c.stands), []byte(c.want), false)), "[]"); got != c.fields {
			t.Errorf("%s and %s differ in %s, want %s", c.stands, c.want, got, c.fields)
		}
	}
}
