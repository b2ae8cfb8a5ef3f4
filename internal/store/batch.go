package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// ErrNoSecrets is returned by Apply for a secret's value on a target that keeps no secrets.
var ErrNoSecrets = errors.New("this target keeps no secrets: route the secret to one that does")

// Check refuses a batch that no target may carry out, whatever it holds: names that are not an
// address's, a key named twice, an action without what it needs, a secret for a target
// that keeps none. Every Apply begins with it, so that a mistake above cannot reach a store's paths.
func (b Batch) Check(c Capabilities) error {
	if err := CheckNamespace(b.Namespace); err != nil {
		return err
	}
	seen := make(map[string]bool, len(b.Changes))
	for _, change := range b.Changes {
		addr := b.Namespace.Key(change.Key)
		if err := CheckAddress(addr); err != nil {
			return err
		}
		if seen[change.Key] {
			return fmt.Errorf("%s: two changes of one key in a batch", addr)
		}
		seen[change.Key] = true
		if err := change.check(c); err != nil {
			return fmt.Errorf("%s: %w", addr, err)
		}
	}
	return nil
}

func (c Change) check(can Capabilities) error {
	switch c.Action {
	case Create, Update:
		if len(c.Value) == 0 {
			return fmt.Errorf("%s without a value", c.Action)
		}
	case Delete, Remark:
		if c.Value != nil {
			return fmt.Errorf("%s with a value", c.Action)
		}
	default:
		return fmt.Errorf("unknown action %q", c.Action)
	}
	if (c.Action == Create) != (c.If == "") {
		return fmt.Errorf("%s with the token %q: only what does not exist is created, and it has no token", c.Action, c.If)
	}
	if c.Secret && !can.Secrets && c.Action != Delete {
		return ErrNoSecrets
	}
	return nil
}

// CheckNamespace refuses what is not a namespace by the rules of package lcm, so that no other
// string becomes a path or a key of a target.
func CheckNamespace(ns lcm.Namespace) error {
	if parsed, err := lcm.ParseNamespace(ns.String()); err != nil {
		return err
	} else if parsed != ns {
		return fmt.Errorf("%q is not a namespace", ns)
	}
	return nil
}

// CheckAddress refuses what is not an address, as CheckNamespace does.
func CheckAddress(addr lcm.Address) error {
	if parsed, err := lcm.ParseAddress(addr.String()); err != nil {
		return err
	} else if parsed != addr {
		return fmt.Errorf("%q is not an address", addr)
	}
	return nil
}

// Of reports whether an org is among those asked for.
func Of(orgs []string, org string) bool {
	return slices.Contains(orgs, org) || slices.Contains(orgs, "*")
}
