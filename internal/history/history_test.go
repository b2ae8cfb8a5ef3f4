package history

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

const head = "apiVersion: lcm/v1\nkind: Repository\nname: r\nrules: \"1\"\ntargets: {t: {}}\nroutes: [{match: {namespaces: [\"**\"], kinds: [\"*\"]}, target: t}]\n"

// settings are what lcm.yaml may say. The last one cannot be used.
var settings = []string{
	head + "environments: {base: {abstract: true}, staging: {inherits: base}, production: {inherits: staging}}\n",
	head + "environments: {base: {abstract: true}, staging: {inherits: base}, production: {inherits: base}}\n",
	head + "# the same\nenvironments: {base: {abstract: true}, staging: {inherits: base}, production: {inherits: staging}}\n",
	head + "environments: {base: {abstract: true}, production: {inherits: base}}\n",
	"kind: [",
}

var names = []string{"a.yaml", "a.yaml", "b.yaml", "p.prompt", "p.prompt", "p.short.prompt", "_tone.prompt", "_tone.prompt", "README"}

var texts = map[string][]string{
	".yaml": {"", doc("{value: {a: 1}}", ""), doc("{value: {a: 1}}", "description: the same value"), doc("{value: {a: 2}}", ""), doc("{value: {b: 2}}", "merge: deep"),
		doc("{value: 3}", "inheritable: false"), "apiVersion: lcm/v1\nkind: Tombstone\n", "kind: ["},
	".prompt": {"", "---\nlcm.version: 1.0.0\n---\nHello {{>tone}}\n", "---\nlcm.version: 1.0.0\n---\nHello\n", "---\nbroken: [\n---\n"},
	"partial": {"", "Be kind.\n", "Be brief.\n", "Be {{#broken.\n"},
	"README":  {"one", "two"},
}

func doc(spec, metadata string) string {
	return fmt.Sprintf("apiVersion: lcm/v1\nkind: Config\nmetadata: {%s}\nspec: %s\n", metadata, spec)
}

// world is a repository that random commits are made in.
type world struct {
	*testing.T
	repo   *gitrepo.Repo
	random *rand.Rand
	files  map[string]string
	chain  []lcm.Revision
}

func newWorld(t *testing.T, seed byte) *world {
	repo, err := gitrepo.Init(filepath.Join(t.TempDir(), "r.git"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repo.Close() })
	return &world{T: t, repo: repo, random: rand.New(rand.NewChaCha8([32]byte{seed})), files: map[string]string{}}
}

func pick[T any](w *world, all []T) T { return all[w.random.IntN(len(all))] }

// edit changes a random file.
func (w *world) edit() {
	path, text := "lcm.yaml", ""
	if w.random.IntN(12) == 0 {
		text = pick(w, settings)
	} else {
		base := pick(w, names)
		if path = base; base != "README" {
			path = fmt.Sprintf("namespaces/o/p/%s/%s/%s", pick(w, []string{"s", "s", "t"}), pick(w, []string{"base", "base", "staging", "production"}), base)
		}
		form := cmp.Or(filepath.Ext(base), base)
		if base == "_tone.prompt" {
			form = "partial"
		}
		text = pick(w, texts[form])
	}
	w.files[path] = text
}

func (w *world) commit(files map[string][]byte) {
	w.Helper()
	e := gitrepo.Edit{Files: files, Message: "m", Author: gitrepo.Ident{Name: "n", Email: "e", When: time.Unix(int64(len(w.chain)), 0)}}
	if len(w.chain) > 0 {
		e.Parents = w.chain[len(w.chain)-1:]
	}
	rev, err := w.repo.Write(e)
	if err != nil {
		w.Fatal(err)
	}
	w.chain = append(w.chain, rev)
}

func (w *world) grow(n int) {
	w.Helper()
	for range n {
		before, files := maps.Clone(w.files), map[string][]byte{}
		for range 1 + w.random.IntN(3) {
			w.edit()
		}
		for path, text := range w.files {
			if before[path] == text {
				continue
			}
			if files[path] = []byte(text); text == "" {
				files[path] = nil
			}
		}
		w.commit(files)
	}
}

// read reads the history in as many calls as there are lengths, and numbers it as the daemon does.
func (w *world) read(from lcm.Revision, rest []lcm.Revision, most int) map[lcm.Address][]Event {
	w.Helper()
	at, err := Begin(w.repo, from)
	if err != nil {
		w.Fatal(err)
	}
	out := map[lcm.Address][]Event{}
	for len(rest) > 0 {
		n := min(1+w.random.IntN(most), len(rest))
		err := Read(context.Background(), w.repo, at, rest[:n], func(p Position, events []Event) error {
			for _, e := range events {
				out[e.Address] = append(out[e.Address], e)
			}
			at = p
			return nil
		})
		if err != nil {
			w.Fatal(err)
		}
		rest = rest[n:]
	}
	if want := w.chain[len(w.chain)-1]; at.Revision != want || at.Commits != uint64(slices.Index(w.chain, want)-slices.Index(w.chain, from)) {
		w.Fatalf("%+v", at)
	}
	return out
}

// TestReadAgreesWithOf holds what is read commit by commit, by what differs, against looking at one address at a time.
func TestReadAgreesWithOf(t *testing.T) {
	for seed := range byte(2) {
		w := newWorld(t, seed)
		w.files["lcm.yaml"] = settings[0]
		w.commit(map[string][]byte{"lcm.yaml": []byte(settings[0])})
		w.grow(20)
		begin := len(w.chain) - 1
		for w.files["lcm.yaml"] == settings[len(settings)-1] { // counting begins where settings can be used
			w.grow(1)
			begin++
		}
		w.grow(150)
		from, last := w.chain[begin], w.chain[len(w.chain)-1]
		events := w.read(from, w.chain[begin+1:], 1)
		if diff := gocmp.Diff(events, w.read(from, w.chain[begin+1:], 100)); diff != "" {
			t.Fatal("many at a time:", diff)
		}
		found := 0
		for _, service := range []string{"s", "t"} {
			for _, env := range []string{"base", "staging", "production"} {
				for _, key := range []string{"a", "b", "p"} {
					a := lcm.Service{Org: "o", Project: "p", Name: service}.In(env).Key(key)
					versions, err := Of(context.Background(), w.repo, a, from, last)
					if err != nil {
						t.Fatal(err)
					}
					got := events[a]
					found += len(got)
					if len(versions) > 0 && versions[0].Revision == from {
						versions = versions[1:] // what stands there at the beginning is no event
					}
					if len(got) != len(versions) {
						t.Fatalf("%s: %d events, %d versions\n%v\n%v", a, len(got), len(versions), got, versions)
					}
					for i, v := range versions {
						number := uint64(i) + 1
						if !got[0].First {
							number++
						}
						if e := got[i]; e.Revision != v.Revision || e.Change != v.Change || v.Number != number {
							t.Fatalf("%s: %+v, %+v", a, e, v)
						}
					}
				}
			}
		}
		if found < 60 {
			t.Errorf("seed %d: only %d events", seed, found)
		}
	}
}

// TestOf tells deletions, what is broken, and what comes back.
func TestOf(t *testing.T) {
	w := newWorld(t, 1)
	at := func(text string) map[string][]byte {
		if text == "" {
			return map[string][]byte{"namespaces/o/p/s/base/a.yaml": nil}
		}
		return map[string][]byte{"namespaces/o/p/s/base/a.yaml": []byte(text)}
	}
	yaml := texts[".yaml"]
	w.commit(map[string][]byte{"lcm.yaml": []byte(settings[0])})
	w.commit(at(yaml[1]))
	w.commit(at(yaml[2])) // metadata are no version
	w.commit(at(yaml[3]))
	w.commit(map[string][]byte{"lcm.yaml": []byte("kind: [")})
	w.commit(map[string][]byte{"lcm.yaml": []byte(settings[0])})
	w.commit(at("kind: ["))
	w.commit(at(""))
	w.commit(at(yaml[1]))
	a := lcm.Service{Org: "o", Project: "p", Name: "s"}.In("production").Key("a")
	versions, err := Of(context.Background(), w.repo, a, "", w.chain[len(w.chain)-1])
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range versions {
		got = append(got, fmt.Sprint(v.Number, " ", slices.Index(w.chain, v.Revision), " ", v.Change, " ", v.Restores, " ", v.Origin.Environment))
	}
	want := []string{"1 1 created 0 base", "2 3 changed 0 base", "3 6 broken 0 ", "4 7 deleted 0 ", "5 8 created 1 base"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Of(context.Background(), w.repo, a, w.chain[5], w.chain[3]); err == nil {
		t.Error("counted from a commit that is not on the way")
	}
}
