package tree

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// toldFS knows what its files and folders hold, as a Git tree does, and notes what is listed.
type toldFS struct {
	fstest.MapFS
	listed map[string]int
}

func (f toldFS) id(name string) string {
	h := sha256.New()
	for _, file := range slices.Sorted(maps.Keys(f.MapFS)) {
		if rest, ok := strings.CutPrefix(file, name); ok && (rest == "" || rest[0] == '/') {
			fmt.Fprintf(h, "%q %q\n", rest, f.MapFS[file].Data)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func (f toldFS) ReadDir(name string) ([]fs.DirEntry, error) {
	f.listed[name]++
	entries, err := f.MapFS.ReadDir(name)
	for i, e := range entries {
		entries[i] = identifiedEntry{e, f.id(path.Join(name, e.Name()))}
	}
	return entries, err
}

func (f toldFS) Stat(name string) (fs.FileInfo, error) {
	info, err := f.MapFS.Stat(name)
	return identifiedInfo{info, f.id(name)}, err
}

// TestLoadAfter: whatever changed since, what is found with the layout of an earlier state is what is found without.
func TestLoadAfter(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	files := fstest.MapFS{SettingsFile: {Data: []byte(betweenSettings)}}
	for i := range 40 {
		files[fmt.Sprintf("namespaces/org%d/p%d/s%d/%s/k.yaml", i%2, i%3, i%7, []string{"base", "staging", "production"}[i%3])] = &fstest.MapFile{Data: []byte("a")}
	}
	var before *Layout
	used, wrong := 0, 0
	for range 400 {
		change(chance, files)
		now := toldFS{maps.Clone(files), map[string]int{}}
		want, findings := Load(now)
		got, again := LoadAfter(now, before)
		if diff := cmp.Diff(findings, again); diff != "" {
			t.Fatal(diff)
		}
		if want == nil {
			continue
		}
		if diff := cmp.Diff(want.layers, got.layers); diff != "" || !slices.Equal(want.services, got.services) {
			t.Fatal(diff, want.services, got.services)
		}
		if layout := got.Layout(); layout != nil {
			before = layout
			used++
		} else if wrong++; len(findings) == 0 {
			t.Fatal("nothing is wrong, and there is no layout")
		}
	}
	if used < 50 || wrong < 50 {
		t.Errorf("%d layouts, %d states with something wrong: that tries too little", used, wrong)
	}
}

// change makes or removes a file, right or wrong.
func change(chance *rand.Rand, files fstest.MapFS) {
	pick := func(names ...string) string { return names[chance.IntN(len(names))] }
	switch chance.IntN(12) {
	case 0:
		settings := pick(betweenSettings, betweenSettings, strings.Replace(betweenSettings, "  staging:", "  extra: {inherits: base}\n  staging:", 1))
		files[SettingsFile] = &fstest.MapFile{Data: []byte(settings)}
	case 1:
		files[pick("namespaces/README", "namespaces/org0/x.yaml", "namespaces/org1/p1/README", "namespaces/Org/p/s/base/k.yaml", "namespaces/validate/p/s/base/k.yaml")] = &fstest.MapFile{}
	default:
		name := fmt.Sprintf("namespaces/org%d/p%d/s%d/%s/k%d.yaml", chance.IntN(2), chance.IntN(3), chance.IntN(8), pick("base", "staging", "production", "production", "extra"), chance.IntN(2))
		if files[name] = (&fstest.MapFile{Data: []byte(pick("a", "b"))}); chance.IntN(2) == 0 {
			delete(files, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) { // mistakes are put right again
		if bad := !strings.HasPrefix(name, "namespaces/org") || strings.Count(name, "/") < 5 || strings.Contains(name, "/extra/"); bad && name != SettingsFile && chance.IntN(3) == 0 {
			delete(files, name)
		}
	}
}

// TestLoadAfterLooksAtLittle: of all folders those are listed that lead to what changed.
func TestLoadAfterLooksAtLittle(t *testing.T) {
	files := fstest.MapFS{SettingsFile: {Data: []byte(betweenSettings)}}
	for i := range 100 {
		files[fmt.Sprintf("namespaces/org%d/p%d/s%d/base/k.yaml", i%2, i%4, i%10)] = &fstest.MapFile{Data: []byte("a")}
	}
	first, findings := Load(toldFS{maps.Clone(files), map[string]int{}})
	if first == nil || first.Layout() == nil {
		t.Fatal(findings)
	}
	files["namespaces/org1/p3/s3/staging/k.yaml"] = &fstest.MapFile{Data: []byte("b")}
	now := toldFS{files, map[string]int{}}
	after, _ := LoadAfter(now, first.Layout())
	want := []string{".", "namespaces", "namespaces/org0", "namespaces/org1", "namespaces/org1/p3", "namespaces/org1/p3/s3"}
	if got := slices.Sorted(maps.Keys(now.listed)); !slices.Equal(got, want) {
		t.Errorf("listed %q", got)
	}
	s := lcm.Service{Org: "org1", Project: "p3", Name: "s3"}
	if layers, _ := after.Service(s); !slices.Equal(layers, []string{"base", "staging"}) || len(after.Services()) != len(first.Services()) {
		t.Error(layers, after.Services())
	}
}
