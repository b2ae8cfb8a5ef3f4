package storetest

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// This file holds what the reconciler does in a pass, in small: list, plan, apply.

const theirs = `{"theirs":true}`

// entry is what an address is to hold, in the form of the change that makes it.
func (k *kit) entry(key, value string, rev lcm.Revision) store.Change {
	c := k.create(key, value)
	c.Meta = k.meta(key, rev)
	return c
}

// stands is what the namespace holds before the pass.
func (k *kit) stands() map[string]store.Change {
	return byKey(k.entry("updated", number(1), revision1), k.entry("deleted", number(1), revision1),
		k.entry("remarked", number(1), revision1), k.entry("kept", number(1), revision1))
}

// wanted is what the pass is to come to.
func (k *kit) wanted() map[string]store.Change {
	if k.further {
		return byKey(k.entry("updated", number(3), revision3), k.entry("deleted", number(3), revision3), k.entry("remarked", number(1), revision1), k.entry("kept", number(1), revision1))
	}
	remarked := k.entry("remarked", number(1), revision1)
	remarked.Meta.Classification = lcm.Restricted
	large := `{"text":"` + strings.Repeat("too large for one page or one packet ", 1000) + `"}`
	all := byKey(k.entry("updated", number(2), revision2), k.entry("created", large, revision2), remarked, k.entry("kept", number(1), revision1))
	if k.target.Capabilities().Secrets {
		secret := k.entry("secret", `{"key":"canary-7f3a"}`, revision2)
		secret.Secret, secret.Meta.Kind = true, lcm.KindSecret
		all["secret"] = secret
	}
	return all
}

// revision is that of what is wanted.
func (k *kit) revision() lcm.Revision {
	if k.further {
		return revision3
	}
	return revision2
}

func byKey(changes ...store.Change) map[string]store.Change {
	all := map[string]store.Change{}
	for _, c := range changes {
		all[c.Key] = c
	}
	return all
}

func (k *kit) changes(all map[string]store.Change) []store.Change {
	var changes []store.Change
	for _, key := range slices.Sorted(maps.Keys(all)) {
		changes = append(changes, all[key])
	}
	return changes
}

// after is the state that the pass is to come to.
func (k *kit) after() state {
	s := state{marker(k.revision()), map[string]held{}}
	for key, c := range k.wanted() {
		s.Entries[key] = held{Value: string(c.Value), Meta: c.Meta}
	}
	if k.opts.Plant != nil {
		s.Entries["foreign"] = held{Value: theirs}
	}
	return s
}

// plan lists and compares, as package plan does. recorded says that an earlier pass recorded what it wrote, or was about
// to write when it was cut off: an entry that lacks its mark and has the value that is wanted is ours, then.
func (k *kit) plan(recorded bool) store.Batch {
	k.Helper()
	listing := k.list()
	items := map[string]store.Item{}
	for _, item := range listing.Items {
		items[item.Key] = item
	}
	b := k.batch(k.revision())
	wanted := k.wanted()
	for _, c := range k.changes(wanted) {
		if c, ok := k.difference(c, items[c.Key], recorded); ok {
			b.Changes = append(b.Changes, c)
		}
	}
	for key, item := range items {
		if wanted[key].Key == "" && item.Meta.Repository == repository {
			b.Changes = append(b.Changes, store.Change{Action: store.Delete, Key: key, If: item.Token, Meta: item.Meta})
		}
	}
	return b
}

// difference decides what happens to one entry that is wanted, if anything does.
func (k *kit) difference(c store.Change, item store.Item, recorded bool) (store.Change, bool) {
	k.Helper()
	ours, holds := item.Meta.Repository == repository, false
	if item.Token != "" && (!ours || item.Stale) {
		var err error
		if holds, err = k.target.Holds(k.Context(), k.ns, c.Key, c.Value); err != nil {
			k.Fatal(err)
		}
	}
	c.If = item.Token
	switch {
	case item.Token == "":
		return c, true
	case !ours && !(recorded && holds):
		k.Fatalf("%s is listed as somebody else's: %+v", c.Key, item)
	case !ours || item.Stale && holds:
		c.Action, c.Value = store.Remark, nil
	case item.Stale || item.Meta.Digest != c.Meta.Digest:
		c.Action = store.Update
	case item.Meta != c.Meta:
		c.Action, c.Value = store.Remark, nil
	default:
		return c, false
	}
	return c, true
}

// recover does a pass, and demands that it comes to the end and leaves nothing for another one.
func (k *kit) recover() {
	k.Helper()
	b := k.plan(true)
	if len(b.Changes) > 0 || k.list().Marker != b.Marker {
		if err := k.target.Apply(k.Context(), b); err != nil {
			k.Fatalf("the next pass: %v", err)
		}
	}
	if diff := cmp.Diff(k.after(), k.state()); diff != "" {
		k.Errorf("the next pass does not come to what is wanted (-want +got):\n%s", diff)
	}
	if b := k.plan(false); len(b.Changes) > 0 {
		k.Errorf("the next pass leaves changes for another one: %+v", b.Changes)
	}
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
