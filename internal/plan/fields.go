package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/state"
)

// maxFields bounds how many fields of one value are named. Where more differ, those that hold them are.
const maxFields = 32

// Differing names where a value that stands in a target differs from the one that is wanted, as JSON Pointers (RFC
// 6901), sorted: "/limits/perMinute". The empty pointer is the whole value. Unless what stands there is ours, no name is
// repeated that is in it alone, since nobody knows what somebody else wrote: what holds it is named.
func Differing(stands, want []byte, ours bool) []string {
	a, err := decode(stands)
	b, wantErr := decode(want)
	if err != nil || wantErr != nil {
		return []string{""}
	}
	for depth := maxDepth; depth > 0; depth /= 2 {
		d := differ{most: maxFields, ours: ours}
		if d.compare("", a, b, depth); len(d.found) <= maxFields {
			slices.Sort(d.found)
			return slices.Compact(d.found)
		}
	}
	return []string{""}
}

const maxDepth = 16

func decode(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err = d.Decode(&v); err == nil && d.More() {
		err = errors.New("more than one value")
	}
	return v, err
}

// differ collects pointers, some more than the most at the most.
type differ struct {
	found []string
	most  int
	ours  bool
}

func (d *differ) compare(at string, a, b any, depth int) {
	if len(d.found) > d.most {
		return
	}
	x, xs := a.(map[string]any)
	y, ys := b.(map[string]any)
	if xs && ys && depth > 0 {
		d.fields(at, x, y, depth)
		return
	}
	l, ls := a.([]any)
	m, ms := b.([]any)
	if ls && ms && len(l) == len(m) && depth > 0 {
		for i := range l {
			d.compare(at+"/"+strconv.Itoa(i), l[i], m[i], depth-1)
		}
		return
	}
	if !same(a, b) {
		d.found = append(d.found, at)
	}
}

func (d *differ) fields(at string, a, b map[string]any, depth int) {
	for name, v := range a {
		if w, ok := b[name]; ok {
			d.compare(at+pointer(name), v, w, depth-1)
		} else if d.ours {
			d.found = append(d.found, at+pointer(name))
		} else {
			d.found = append(d.found, at)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			d.found = append(d.found, at+pointer(name))
		}
	}
}

// same compares by their text: of one canonical form, equal values are equal bytes.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// pointer is one step of a JSON Pointer.
func pointer(name string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// fingerprinted names the fields at the top of a value that differ from what was put there, by their fingerprints. A
// value that is no map has one fingerprint, and is named whole.
func fingerprinted(e Entry, before state.Owned) []string {
	found := map[string]bool{}
	for f, print := range e.Fields {
		found[f] = before.Fields[f] != print
	}
	for f := range before.Fields {
		if _, ok := e.Fields[f]; !ok {
			found[f] = true
		}
	}
	maps.DeleteFunc(found, func(_ string, differs bool) bool { return !differs })
	if len(found) > maxFields || !bytes.HasPrefix(e.Value, []byte("{")) {
		return []string{""}
	}
	out := make([]string, 0, len(found))
	for f := range found {
		out = append(out, pointer(f))
	}
	slices.Sort(out)
	return out
}
