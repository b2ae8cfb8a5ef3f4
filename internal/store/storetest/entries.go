package storetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

func (s suite) testEmpty(t *testing.T) {
	k := s.kit(t)
	k.expect(state{Entries: map[string]held{}})
	k.expectMissing("nothing")
}

func (s suite) testCreateAndRead(t *testing.T) {
	k := s.kit(t)
	k.apply(revision1, k.create("a", number(1)), k.create("b", number(2)))
	k.expect(state{marker(revision1), map[string]held{
		"a": {Value: number(1), Meta: k.meta("a", revision1)},
		"b": {Value: number(2), Meta: k.meta("b", revision1)},
	}})
	k.expectHolds("a", number(1), true)
	k.expectHolds("a", number(2), false)
	k.expectHolds("a", number(1)+" ", false)
	k.expectMissing("c")
}

func (s suite) testUpdate(t *testing.T) {
	k := s.kit(t)
	k.apply(revision1, k.create("a", number(1)), k.create("b", number(2)))
	k.apply(revision2, k.replace("a", number(3)))
	k.expect(state{marker(revision2), map[string]held{
		"a": {Value: number(3), Meta: k.meta("a", revision2)},
		"b": {Value: number(2), Meta: k.meta("b", revision1)},
	}})
	k.expectHolds("a", number(3), true)
	k.expectHolds("a", number(1), false)
}

func (s suite) testDelete(t *testing.T) {
	k := s.kit(t)
	k.apply(revision1, k.create("a", number(1)), k.create("b", number(2)))
	k.apply(revision2, store.Change{Action: store.Delete, Key: "a", If: k.token("a")})
	k.expectMissing("a")
	k.expect(state{marker(revision2), map[string]held{"b": {Value: number(2), Meta: k.meta("b", revision1)}}})

	k.apply(revision2, k.create("a", number(4))) // what was deleted can be there again
	k.expectHolds("a", number(4), true)
	k.apply(revision2,
		store.Change{Action: store.Delete, Key: "a", If: k.token("a")},
		store.Change{Action: store.Delete, Key: "b", If: k.token("b")})
	k.expect(state{marker(revision2), map[string]held{}})
}

func (s suite) testRemark(t *testing.T) {
	k := s.kit(t)
	k.apply(revision1, k.create("a", number(1)), k.create("b", number(2)))
	k.apply(revision2, store.Change{Action: store.Remark, Key: "a", Meta: k.meta("a", revision2), If: k.token("a")})
	k.expect(state{marker(revision2), map[string]held{
		"a": {Value: number(1), Meta: k.meta("a", revision2)},
		"b": {Value: number(2), Meta: k.meta("b", revision1)},
	}})
}

func (s suite) testOnlyTheMarker(t *testing.T) {
	k := s.kit(t)
	k.apply(revision1)
	k.expect(state{marker(revision1), map[string]held{}})
	k.apply(revision1, k.create("a", number(1)))
	token := k.token("a")
	k.apply(revision2)
	k.expect(state{marker(revision2), map[string]held{"a": {Value: number(1), Meta: k.meta("a", revision1)}}})
	if k.token("a") != token {
		t.Error("setting the marker changed the token of an entry")
	}
}

func (s suite) testSorted(t *testing.T) {
	k := s.kit(t)
	// "a-b" sorts after "a", but "a-b.json" before "a.json"; "revision" is a key like others.
	keys := []string{"a", "a-b", "a-b-c", "a0", "ab", "b", "b0", "json", "lcm", "metadata", "revision", "z", strings.Repeat("z", 63)}
	var changes []store.Change
	for _, key := range keys {
		changes = append(changes, k.create(key, `{"key":"`+key+`"}`))
	}
	slices.Reverse(changes)
	k.apply(revision1, changes...)
	var got []string
	for _, item := range k.list().Items {
		got = append(got, item.Key)
		k.expectHolds(item.Key, `{"key":"`+item.Key+`"}`, true)
	}
	if diff := cmp.Diff(keys, got); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
}

func (s suite) testTokens(t *testing.T) {
	k := s.kit(t)
	k.apply(revision1, k.create("a", number(1)), k.create("b", number(1)))
	a, b := k.token("a"), k.token("b")
	if a != k.token("a") {
		t.Error("the token changed without a write")
	}
	k.expectHolds("a", number(1), true)
	k.apply(revision2, k.replace("a", number(2)))
	if k.token("a") == a {
		t.Error("an update did not change the token")
	}
	if k.token("b") != b {
		t.Error("an update changed the token of another entry")
	}
	k.apply(revision2, store.Change{Action: store.Delete, Key: "a", If: k.token("a")})
	k.apply(revision2, k.create("a", number(3)))
	if k.token("a") == a {
		t.Error("an entry that was deleted and made anew has its first token")
	}
}

func (s suite) testMeta(t *testing.T) {
	k := s.kit(t)
	long := strings.Repeat("x", 63)
	origin := "namespaces/" + strings.Join([]string{long, long, long, long, long}, "/") + ".sops.yaml"
	metas := map[string]store.Meta{
		"full": {
			ID: "f81d4fae-7dec-51d0-a765-00a0c91e6bf6", Version: 1<<64 - 1, Revision: lcm.Revision(strings.Repeat("f", 64)), Kind: "OurOwnKind",
			Origin: origin, Classification: lcm.Restricted, Repository: "acme <&> \"config\" ünï", Digest: "hmac-sha256:" + strings.Repeat("0", 64),
		},
		"past-floats": {ID: "i", Version: 1<<53 + 1, Repository: repository},
		"sparse":      {Repository: repository},
	}
	for key, meta := range metas {
		c := k.create(key, number(1))
		c.Meta = meta
		k.apply(revision1, c)
	}
	for key, meta := range metas {
		_, got, err := k.target.Get(t.Context(), k.ns.Key(key))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(meta, got); diff != "" {
			t.Errorf("Get %s (-want +got):\n%s", key, diff)
		}
		if diff := cmp.Diff(meta, k.item(key).Meta); diff != "" {
			t.Errorf("List %s (-want +got):\n%s", key, diff)
		}
	}
}

func (s suite) testValues(t *testing.T) {
	k := s.kit(t)
	for name, value := range values() {
		t.Run(name, func(t *testing.T) {
			k := &kit{T: t, suite: s, target: k.target, ns: k.ns}
			k.apply(revision1, k.create(name, value))
			got, _, err := k.target.Get(t.Context(), k.ns.Key(name))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != value {
				t.Errorf("Get = %.300q; want %.300q", got, value)
			}
			k.expectHolds(name, value, true)
			k.expectHolds(name, `{"another":"value"}`, false)
		})
	}
}

// values are canonical by RFC 8785, and each has something that a store between could spoil.
func values() map[string]string {
	return map[string]string{
		"empty-object": `{}`,
		"null":         `null`,
		"true":         `true`,
		"string":       `"text"`,
		"empty-string": `""`,
		"number":       `42`,
		"list":         `[1,"a",null,{"b":[]}]`,
		"empty-list":   `[]`,
		"numbers":      `{"big":9007199254740991,"exponent":1e+21,"fraction":0.1,"low":-9007199254740991,"million":1000000,"small":1e-7,"whole":1}`,
		"html":         `{"template":"<b>{{user}}</b> & more"}`,
		"escapes":      `{"control":"\u0000\u001f\b\t\n\f\r","quotes":"\"\\/"}`,
		"unicode":      "{\"ö\":\"Grüße, 日本語, 🎈\",\"€\":\"euro\",\"😀\":\"before the next by UTF-16, after it by bytes\",\"\ufb33\":\"\u007f\"}",
		"separators":   "{\"line\":\"\u2028\u2029\"}",
		"empty-key":    `{"":""}`,
		"nulls":        `{"gone":null,"list":[null]}`,
		"large":        `{"prompt":"` + strings.Repeat("All work and no play. ", 10_000) + `"}`,
		"deep":         strings.Repeat(`{"a":[`, 32) + strings.Repeat(`]}`, 32),
	}
}
