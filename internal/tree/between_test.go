package tree

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// identified is a folder tree whose files and folders tell what they hold, as Git's do.
type identified struct{ fstest.MapFS }

func (f identified) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(f.MapFS, name)
	if err != nil || !info.IsDir() {
		return info, err
	}
	var held strings.Builder
	for _, file := range slices.Sorted(maps.Keys(f.MapFS)) {
		if strings.HasPrefix(file, name+"/") {
			fmt.Fprintf(&held, "%s\n%s\n", file, f.MapFS[file].Data)
		}
	}
	return identifiedInfo{info, held.String()}, nil
}

func (f identified) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := f.MapFS.ReadDir(name)
	for i, e := range entries {
		if file := f.MapFS[name+"/"+e.Name()]; file != nil {
			entries[i] = identifiedEntry{e, string(file.Data)}
		}
	}
	return entries, err
}

type identifiedEntry struct {
	fs.DirEntry
	id string
}

func (e identifiedEntry) Info() (fs.FileInfo, error) {
	info, err := e.DirEntry.Info()
	return identifiedInfo{info, e.id}, err
}

type identifiedInfo struct {
	fs.FileInfo
	id string
}

func (i identifiedInfo) ContentID() string { return i.id }

const betweenSettings = `apiVersion: lcm/v1
kind: Repository
name: r
rules: "1"
environments:
  base: {abstract: true}
  shared: {inherits: base, abstract: true}
  staging: {inherits: shared}
  production: {inherits: staging}
targets: {t: {}}
routes: [{match: {namespaces: ["**"], kinds: ["*"]}, target: t}]
`

// betweenTexts are contents a file may have, by the end of its name; "" is absence.
var betweenTexts = map[string][]string{
	".yaml": {"", "kind: Config\nspec: {value: {a: 1}}\n", "kind: Config\nspec: {value: {a: 2}}\n",
		"kind: Config\n# the same\nspec: {value: {a: 1}}\n", "kind: Config\nmetadata: {merge: deep}\nspec: {value: {b: 2}}\n",
		"kind: Config\nmetadata: {inheritable: false}\nspec: {value: 1}\n", "kind: Tombstone\n", "kind: Preset\nspec: {slug: s}\n", "kind: [broken\n"},
	".prompt": {"", prompt("Hello {{>tone}}"), prompt("Hello {{>other}} {{>tone}}"), prompt("Hello"), "---\nbroken: [\n---\n"},
	"partial": {"", "Be kind.\n", "Be {{>other}}.\n", "Be {{#broken.\n"},
}

var betweenNames = []string{"a.yaml", "b.yaml", "a.prompt", "c.prompt", "c.prompt", "c.short.prompt", "_tone.prompt", "_tone.prompt", "_other.prompt", "d.v1.prompt", "bad..yaml", "README"}

// TestBetweenFindsWhatEffectsFinds compares revision by revision with trees that are loaded whole, while
// random files change.
func TestBetweenFindsWhatEffectsFinds(t *testing.T) {
	random := rand.New(rand.NewChaCha8([32]byte{7}))
	var kept Kept
	found := 0
	now := fstest.MapFS{SettingsFile: {Data: []byte(betweenSettings)}}
	for step := range 1500 {
		before, changed := maps.Clone(now), map[string]bool{}
		for range 1 + random.IntN(3) {
			org := []string{"o", "o", "o", "history"}[random.IntN(4)] // the last is a word that no org may be
			layer := []string{"base", "shared", "staging", "production", "unknown"}[random.IntN(5)]
			base := betweenNames[random.IntN(len(betweenNames))]
			file := fmt.Sprintf("namespaces/%s/p/s/%s/%s", org, layer, base)
			changed[file] = true
			putText(random, now, file, base)
		}
		paths := slices.Sorted(maps.Keys(changed))
		old, _ := Load(before)
		new, _ := Load(now)
		want, err := Effects(old, new, paths)
		if err != nil {
			t.Fatal(err)
		}
		got, err := new.settings.Between(identified{before}, identified{now}, paths, &kept)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("step %d, changed %q: %s", step, paths, d)
		}
		found += len(want)
	}
	if found < 300 {
		t.Fatalf("only %d changes had an effect: the test shows nothing", found)
	}
}

func putText(random *rand.Rand, files fstest.MapFS, file, base string) {
	texts := betweenTexts[".yaml"]
	switch n, _, _ := parseName(base); {
	case n.partial:
		texts = betweenTexts["partial"]
	case n.form == formPrompt:
		texts = betweenTexts[".prompt"]
	}
	text := texts[random.IntN(len(texts))]
	if text == "" {
		delete(files, file)
		return
	}
	if strings.HasPrefix(texts[1], "kind") {
		text = "apiVersion: lcm/v1\n" + text
	}
	files[file] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
}

// TestKeptParsesOnce counts how often a document is parsed on the way through many revisions.
func TestKeptParsesOnce(t *testing.T) {
	files := func(n int) identified {
		text := fmt.Sprintf("apiVersion: lcm/v1\nkind: Config\nspec: {value: %d}\n", n)
		return identified{fstest.MapFS{
			SettingsFile:                       {Data: []byte(betweenSettings)},
			"namespaces/o/p/s/base/a.yaml":     {Data: []byte(text), Mode: 0o644},
			"namespaces/o/p/s/base/other.yaml": {Data: []byte(text), Mode: 0o644},
		}}
	}
	s := ReadSettings(files(0))
	opened := map[string]int{}
	var kept Kept
	for n := range 10 {
		effects, err := s.Between(counting{files(n), opened}, counting{files(n + 1), opened}, []string{"namespaces/o/p/s/base/a.yaml"}, &kept)
		if err != nil || len(effects) != 1 {
			t.Fatal(effects, err)
		}
	}
	if want := map[string]int{"namespaces/o/p/s/base/a.yaml": 11}; !maps.Equal(opened, want) {
		t.Errorf("opened %v, want %v", opened, want)
	}
}

// counting counts how often a file is opened.
type counting struct {
	identified
	opened map[string]int
}

func (c counting) Open(name string) (fs.File, error) {
	if c.MapFS[name] != nil {
		c.opened[name]++
	}
	return c.identified.Open(name)
}
