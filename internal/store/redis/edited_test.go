package redis_test

import (
	"errors"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/redis"
	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
)

// TestEdited: whatever somebody else does to our entries is noticed, and stands in the way of a batch that
// was planned before.
func TestEdited(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)})
	const name, index = "lcm:{acme-corp/platform/chat/production}/a", "lcm:{acme-corp/platform/chat/production}/.lcm/keys"
	for what, c := range map[string]struct {
		edit  []string
		ours  bool // it is listed as ours
		stale bool
		same  bool // it has the same token
	}{
		"the value":            {[]string{"HSET", name, "value", "2"}, true, true, false},
		"the value is gone":    {[]string{"HDEL", name, "value"}, true, true, false},
		"the check is gone":    {[]string{"HDEL", name, "content"}, true, true, true},
		"it is hidden":         {[]string{"SREM", index, "a"}, true, true, true},
		"no index":             {[]string{"DEL", index}, true, true, true},
		"another for an index": {[]string{"SET", index, "x"}, true, true, true},
		"the digest":           {[]string{"HSET", name, "digest", "sha256:1"}, true, false, true},
		"the mark is gone":     {[]string{"HDEL", name, "version"}, false, false, true},
		"the token is gone":    {[]string{"HDEL", name, "token"}, false, false, false},
		"all of it is gone":    {[]string{"EVAL", "redis.call('DEL', KEYS[1]) redis.call('HSET', KEYS[1], 'theirs', '1')", "1", name}, false, false, false},
		"no number":            {[]string{"HSET", name, "version", "03"}, false, false, true},
		"another type":         {[]string{"SET", name, "x"}, false, false, false},
		"their field":          {[]string{"HSET", name, "rollout", "50%"}, true, false, true},
	} {
		s.Do(t, "FLUSHALL")
		apply(t, target, create("a", "1"), create("b", "1"))
		before := item(t, target, "a")
		s.Do(t, c.edit...)
		after := item(t, target, "a")
		if (after.Meta.Repository == "acme-config") != c.ours || after.Stale != c.stale || after.Token == "" {
			t.Errorf("%s: listed as %+v", what, after)
		}
		if same := after.Token == before.Token; same != c.same {
			t.Errorf("%s: the token is the same: %v", what, same)
		}
		update := create("a", "3")
		update.Action, update.If = store.Update, before.Token
		err := target.Apply(t.Context(), batch(update))
		if passes := c.same; passes && err != nil || !passes && !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: Apply = %v", what, err)
		}
		if !c.ours {
			after = item(t, target, "a")
			gone := store.Change{Action: store.Delete, Key: "a", If: after.Token}
			if err := target.Apply(t.Context(), batch(gone)); after.Meta == (store.Meta{}) && !errors.Is(err, store.ErrConflict) {
				t.Errorf("%s: what bears no mark is deleted: %v", what, err)
			}
			continue
		}
		// The next pass puts it right, and readers see all of it again.
		update.If = item(t, target, "a").Token
		apply(t, target, update)
		whole, err := store.ReadWhole(t.Context(), target, production)
		if hiddenB := what == "no index" || what == "another for an index"; err != nil || string(whole.Entries["a"].Value) != "3" || (whole.Entries["b"].Value == nil) != hiddenB {
			t.Errorf("%s: readers see %+v, %v", what, whole, err)
		}
	}
	if got := s.Do(t, "HGET", name, "rollout"); got != "50%" && got != "" {
		t.Errorf("their field is %q", got)
	}
}

// TestAdopted: an entry of somebody else's becomes ours if the reconciler decides so, with its value or ours.
func TestAdopted(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)})
	const prefix = "lcm:{acme-corp/platform/chat/production}/"
	apply(t, target)
	s.Do(t, "HSET", prefix+"equal", "value", "1", "theirs", "x")
	s.Do(t, "HSET", prefix+"other", "value", "0", "theirs", "x")
	s.Do(t, "SET", prefix+"string", "1")
	equal, other, text := create("equal", ""), create("other", "1"), create("string", "1")
	equal.Action, equal.Value, equal.If = store.Remark, nil, item(t, target, "equal").Token
	other.Action, other.If = store.Update, item(t, target, "other").Token
	text.Action, text.If = store.Update, item(t, target, "string").Token
	if err := target.Apply(t.Context(), batch(equal, text)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("what is no hash becomes ours: %v", err)
	}
	apply(t, target, equal, other)
	whole, err := store.ReadWhole(t.Context(), target, production)
	if err != nil || string(whole.Entries["equal"].Value) != "1" || string(whole.Entries["other"].Value) != "1" || len(whole.Entries) != 2 {
		t.Errorf("readers see %+v, %v", whole, err)
	}
	if got := s.Do(t, "HGET", prefix+"other", "theirs"); got != "x" {
		t.Errorf("their field is %q", got)
	}
}

// TestWiped: an emptied Redis has no marker, so no reader believes it.
func TestWiped(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)})
	apply(t, target, create("a", "1"))
	stale := create("a", "2")
	stale.Action, stale.If = store.Update, item(t, target, "a").Token
	s.Do(t, "FLUSHALL")
	if l := list(t, target); l.Marker != (store.Marker{}) || len(l.Items) > 0 {
		t.Errorf("List = %+v", l)
	}
	if err := target.Apply(t.Context(), batch(stale)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Apply = %v; want ErrConflict", err)
	}
	s.Do(t, "SCRIPT", "FLUSH")
	apply(t, target, create("a", "2"))
}

// TestMarkerOfOthers: what stands in the marker's place and is none counts as none, and is replaced.
func TestMarkerOfOthers(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)})
	const name = "lcm:{acme-corp/platform/chat/production}/.lcm/revision"
	for _, edit := range [][]string{{"SET", name, "x"}, {"SET", name, "{}"}, {"HSET", name, "phase", "whole"}, {"LPUSH", name, "x"}} {
		s.Do(t, "DEL", name)
		s.Do(t, edit...)
		m, err := target.Marker(t.Context(), production)
		if l := list(t, target); err != nil || m != (store.Marker{}) || l.Marker != m {
			t.Errorf("%q: Marker = %+v, %v; List says %+v", edit, m, err, l.Marker)
		}
		apply(t, target)
		if m, err := target.Marker(t.Context(), production); err != nil || m.Phase != store.Whole {
			t.Errorf("%q: after a batch Marker = %+v, %v", edit, m, err)
		}
	}
}

// TestForeignTypes: what is no hash is listed as somebody else's, and is neither read nor replaced.
func TestForeignTypes(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)})
	apply(t, target)
	s.Do(t, "SET", "lcm:{acme-corp/platform/chat/production}/a", "1")
	if i := item(t, target, "a"); i.Token == "" || i.Meta != (store.Meta{}) {
		t.Errorf("listed as %+v", i)
	}
	if err := target.Apply(t.Context(), batch(create("a", "2"))); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Apply = %v; want ErrConflict", err)
	}
	if holds, err := target.Holds(t.Context(), production, "a", []byte("1")); err != nil || holds {
		t.Errorf("Holds = %v, %v", holds, err)
	}
	_, _, err := target.Get(t.Context(), production.Key("a"))
	expectSays(t, err, "something stands there that is no entry of ours")
}
