package storetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

func (s suite) testSecrets(t *testing.T) {
	k := s.kit(t)
	const canary = "canary-7f3a"
	secret := k.create("openai-key", `{"key":"`+canary+`"}`)
	secret.Secret = true
	secret.Meta.Kind = lcm.KindSecret
	if !k.target.Capabilities().Secrets {
		before := k.state()
		err := k.target.Apply(t.Context(), k.batch(revision1, k.create("a", number(1)), secret))
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("Apply = %v; want the secret refused and not shown", err)
		}
		if now := k.state(); now.Marker != before.Marker || len(now.Entries) != 0 {
			t.Errorf("a refused batch left %+v", now)
		}
		return
	}
	k.apply(revision1, secret)
	k.expect(state{marker(revision1), map[string]held{"openai-key": {Value: string(secret.Value), Meta: secret.Meta}}})
	k.expectHolds("openai-key", string(secret.Value), true)
	k.expectHolds("openai-key", `{"key":"another"}`, false)

	if err := k.target.Apply(t.Context(), k.batch(revision2, secret)); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("Apply = %v; want a conflict that does not show the value", err)
	}
	// Another digest under a value that stands, as after a change of the fingerprint key.
	meta := secret.Meta
	meta.Digest = "hmac-sha256:" + strings.Repeat("1", 64)
	k.apply(revision2, store.Change{Action: store.Remark, Key: "openai-key", Secret: true, Meta: meta, If: k.token("openai-key")})
	k.expect(state{marker(revision2), map[string]held{"openai-key": {Value: string(secret.Value), Meta: meta}}})

	secret.Action, secret.If, secret.Value = store.Update, k.token("openai-key"), []byte(`{"key":"second"}`)
	k.apply(revision2, secret)
	k.expectHolds("openai-key", `{"key":"second"}`, true)
	k.apply(revision2, store.Change{Action: store.Delete, Key: "openai-key", Secret: true, If: k.token("openai-key")})
	k.expectMissing("openai-key")
}

func (s suite) testConflicts(t *testing.T) {
	for name, change := range map[string]func(k *kit, stale store.Token) store.Change{
		"create what exists": func(k *kit, _ store.Token) store.Change { return k.create("a", number(9)) },
		"update":             func(k *kit, stale store.Token) store.Change { return k.stale(store.Update, "a", stale) },
		"delete":             func(k *kit, stale store.Token) store.Change { return k.stale(store.Delete, "a", stale) },
		"update what is gone": func(k *kit, stale store.Token) store.Change {
			return k.stale(store.Update, "gone", stale)
		},
		"delete what is gone": func(k *kit, stale store.Token) store.Change {
			return k.stale(store.Delete, "gone", stale)
		},
		"update what never was": func(k *kit, stale store.Token) store.Change {
			return k.stale(store.Update, "never", stale)
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := s.kit(t)
			k.apply(revision1, k.create("a", number(1)), k.create("gone", number(1)))
			stale := k.token("a")
			if strings.Contains(name, "gone") {
				stale = k.token("gone")
			}
			k.apply(revision1, k.replace("a", number(2)), store.Change{Action: store.Delete, Key: "gone", If: k.token("gone")})
			before := k.state()
			token := k.token("a")
			err := k.target.Apply(t.Context(), k.batch(revision2, change(k, stale)))
			if !errors.Is(err, store.ErrConflict) {
				t.Errorf("Apply = %v; want ErrConflict", err)
			}
			k.expectUnbroken(before)
			k.expectHolds("a", number(2), true)
			k.expectMissing("gone")
			k.expectMissing("never")
			if k.token("a") != token {
				t.Error("a refused change changed the token")
			}
		})
	}
}

func (k *kit) stale(action store.Action, key string, token store.Token) store.Change {
	c := store.Change{Action: action, Key: key, If: token}
	if action != store.Delete {
		c.Meta, c.Value = k.meta(key, revision2), []byte(number(9))
	}
	return c
}

// testConflictInBatch has one stale change among others; listing and applying again must come to the end.
func (s suite) testConflictInBatch(t *testing.T) {
	k := s.kit(t)
	k.apply(revision1, k.create("a", number(1)), k.create("b", number(1)), k.create("c", number(1)))
	stale := k.token("b")
	k.apply(revision1, k.replace("b", number(2)))
	before := k.state()
	err := k.target.Apply(t.Context(), k.batch(revision2,
		k.replace("a", number(3)), k.stale(store.Update, "b", stale), k.replace("c", number(3)), k.create("d", number(3))))
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("Apply = %v; want ErrConflict", err)
	}
	k.expectHolds("b", number(2), true)
	k.expectUnbroken(before)
	k.settle("a", "b", "c", "d")
}

// settle does what the next pass does: list, and write what differs from number(3) at revision 2.
func (k *kit) settle(keys ...string) {
	k.Helper()
	want := state{marker(revision2), map[string]held{}}
	var changes []store.Change
	for _, key := range keys {
		meta := k.meta(key, revision2)
		want.Entries[key] = held{Value: number(3), Meta: meta}
		item := k.item(key)
		holds, err := k.target.Holds(k.Context(), k.ns, key, []byte(number(3)))
		if err != nil {
			k.Fatal(err)
		}
		switch {
		case item.Token == "":
			c := k.create(key, number(3))
			c.Meta = meta
			changes = append(changes, c)
		case holds:
			changes = append(changes, store.Change{Action: store.Remark, Key: key, Meta: meta, If: item.Token})
		default:
			changes = append(changes, k.replace(key, number(3)))
		}
	}
	k.apply(revision2, changes...)
	k.expect(want)
}

func (s suite) testBadBatches(t *testing.T) {
	k := s.kit(t)
	k.apply(revision1, k.create("a", number(1)))
	before := k.state()
	token := k.token("a")
	for name, changes := range map[string][]store.Change{
		"unknown action":         {{Action: "upsert", Key: "a", Value: []byte(number(2)), If: token}},
		"no action":              {{Key: "a", Value: []byte(number(2)), If: token}},
		"update without a token": {{Action: store.Update, Key: "a", Value: []byte(number(2))}},
		"delete without a token": {{Action: store.Delete, Key: "a"}},
		"remark without a token": {{Action: store.Remark, Key: "a"}},
		"create with a token":    {{Action: store.Create, Key: "b", Value: []byte(number(2)), If: token}},
		"create without a value": {{Action: store.Create, Key: "b"}},
		"update without a value": {{Action: store.Update, Key: "a", If: token}},
		"one key twice":          {k.create("b", number(1)), k.create("b", number(2))},
		"good before bad":        {k.create("b", number(1)), {Action: store.Delete, Key: "a"}},
	} {
		if err := k.target.Apply(t.Context(), k.batch(revision2, changes...)); err == nil {
			t.Errorf("%s: Apply accepts it", name)
		}
		k.expect(before)
	}
}

func (s suite) testBadNames(t *testing.T) {
	k := s.kit(t)
	k.apply(revision1, k.create("a", number(1)))
	before := k.state()
	for _, name := range []string{"", ".", "..", "../a", "a/b", "/a", "a/", ".lcm", ".lcm/a", "A", "a_b", "a\x00", "a*", "a%2fb", "-a", "a.json", strings.Repeat("a", 64)} {
		c := k.create("a", number(2))
		c.Key = name
		if err := k.target.Apply(t.Context(), k.batch(revision2, c)); err == nil {
			t.Errorf("Apply accepts the key %q", name)
		}
		if _, _, err := k.target.Get(t.Context(), k.ns.Key(name)); err == nil {
			t.Errorf("Get accepts the key %q", name)
		}
		if held, err := k.target.Holds(t.Context(), k.ns, name, []byte(number(1))); err == nil || held {
			t.Errorf("Holds accepts the key %q", name)
		}
		for _, ns := range []lcm.Namespace{
			{Service: lcm.Service{Org: name, Project: "p", Name: "s"}, Environment: "e"},
			{Service: lcm.Service{Org: k.ns.Org, Project: name, Name: "s"}, Environment: "e"},
			{Service: lcm.Service{Org: k.ns.Org, Project: "p", Name: name}, Environment: "e"},
			{Service: lcm.Service{Org: k.ns.Org, Project: "p", Name: "s"}, Environment: name},
		} {
			if _, err := k.target.List(t.Context(), ns); err == nil {
				t.Errorf("List accepts the namespace %q", ns)
			}
			if _, err := k.target.Marker(t.Context(), ns); err == nil {
				t.Errorf("Marker accepts the namespace %q", ns)
			}
			if err := k.target.Apply(t.Context(), store.Batch{Namespace: ns, Marker: marker(revision2)}); err == nil {
				t.Errorf("Apply accepts the namespace %q", ns)
			}
		}
	}
	k.expect(before)
}
