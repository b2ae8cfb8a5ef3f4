package policyfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
	"github.com/llm-config-manager/lcm/internal/yamledit"
)

// Person is a principal that is to go into a policy.
type Person struct {
	Name  string
	Bot   bool
	Roles []string
	Keys  []Key
}

func (p Person) entry() yamledit.Mapping {
	var m yamledit.Mapping
	if p.Bot {
		m = append(m, yamledit.Field{Key: "bot", Value: true})
	}
	return append(m, yamledit.Field{Key: "roles", Value: list(p.Roles)}, yamledit.Field{Key: "keys", Value: entries(p.Keys)})
}

func list(words []string) []any {
	var all []any
	for _, w := range words {
		all = append(all, w)
	}
	return all
}

func entries(keys []Key) []any {
	var all []any
	for _, k := range keys {
		all = append(all, k.entry())
	}
	return all
}

// Add adds a principal to .lcm/trust.yaml, or with a tenant to the tenant's file, which must be there.
func (d *Draft) Add(p Person, tenant string) error {
	if d.policy.Principal(p.Name) != nil {
		return fmt.Errorf("there is a principal %s already", p.Name)
	}
	f := d.files[policyFile]
	if tenant != "" {
		if f = d.files[TenantFile(tenant)]; f == nil {
			return fmt.Errorf("the tenant %s has no file of its own: lcm trust tenant add writes one", tenant)
		}
	}
	if f.Value("principals") == nil {
		if err := f.Set(yamledit.Mapping{{Key: p.Name, Value: p.entry()}}, "principals"); err != nil {
			return err
		}
		return d.reload()
	}
	if err := f.Set(p.entry(), "principals", p.Name); err != nil {
		return err
	}
	return d.reload()
}

// Remove removes a principal, and so revokes all its keys.
func (d *Draft) Remove(name string) error {
	_, f, err := d.find(name)
	if err != nil {
		return err
	}
	if err := f.Remove("principals", name); err != nil {
		return err
	}
	return d.reload()
}

// AddKeys gives a principal more keys.
func (d *Draft) AddKeys(name string, keys []Key) error {
	_, f, err := d.find(name)
	if err != nil {
		return err
	}
	if f.Value("principals", name, "keys") == nil {
		if err := f.Set(entries(keys), "principals", name, "keys"); err != nil {
			return err
		}
		return d.reload()
	}
	for _, k := range keys {
		if err := f.Append(k.entry(), "principals", name, "keys"); err != nil {
			return err
		}
	}
	return d.reload()
}

// RemoveKey revokes one key of a principal, who must keep another.
func (d *Draft) RemoveKey(name, fingerprint string) error {
	who, f, err := d.find(name)
	if err != nil {
		return err
	}
	at, err := d.keyPath(who, f, fingerprint)
	if err != nil {
		return err
	}
	if len(who.Keys) == 1 {
		return fmt.Errorf("this is the only key of %s: give another first (lcm trust rotate-key), or revoke the person (lcm trust revoke %[1]s)", name)
	}
	if err := f.Remove(at...); err != nil {
		return err
	}
	return d.reload()
}

// EndKey lets a key of a principal count until a time; one that ends before stays as it is.
func (d *Draft) EndKey(name, fingerprint string, at time.Time) error {
	who, f, err := d.find(name)
	if err != nil {
		return err
	}
	path, err := d.keyPath(who, f, fingerprint)
	if err != nil {
		return err
	}
	key, _ := keyOf(who, fingerprint)
	if !key.NotAfter.IsZero() && key.NotAfter.Before(at) {
		return nil
	}
	if err := f.Set(stamp(at), append(path, "notAfter")...); err != nil {
		return err
	}
	return d.reload()
}

// SetRoles gives a principal some roles and takes others away; one must be left.
func (d *Draft) SetRoles(name string, add, remove []string) error {
	_, f, err := d.find(name)
	if err != nil {
		return err
	}
	for _, role := range add {
		if d.roleIndex(f, name, role) >= 0 {
			return fmt.Errorf("%s has the role %s already", name, role)
		}
		if err := f.Append(role, "principals", name, "roles"); err != nil {
			return err
		}
	}
	for _, role := range remove {
		i := d.roleIndex(f, name, role)
		if i < 0 {
			return fmt.Errorf("%s does not have the role %s", name, role)
		}
		if err := f.Remove("principals", name, "roles", strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return d.reload()
}

func (d *Draft) roleIndex(f *yamledit.File, name, role string) int {
	roles, _ := f.Value("principals", name, "roles").([]any)
	return slices.Index(roles, any(role))
}

// SetApprovals says how many must consent, in the rules of .lcm/trust.yaml that name a pattern just so; with signed, by
// signed consent only.
func (d *Draft) SetApprovals(pattern string, approvals int, signed bool) error {
	f, found := d.files[policyFile], false
	rules, _ := f.Value("rules").([]any)
	for i := range rules {
		at := []string{"rules", strconv.Itoa(i)}
		paths, _ := f.Value(append(at, "paths")...).([]any)
		if !slices.Contains(paths, any(pattern)) {
			continue
		}
		found = true
		if err := f.Set(int64(approvals), append(at, "approvals")...); err != nil {
			return err
		}
		if !signed {
			continue
		}
		if err := f.Set("signed", append(at, "consent")...); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("no rule of %s names the pattern %q: lcm trust show lists them", policyFile, pattern)
	}
	return d.reload()
}

// AddTenant writes a tenant's file with its first principals.
func (d *Draft) AddTenant(org string, admins []Person) error {
	name := TenantFile(org)
	if d.files[name] != nil {
		return fmt.Errorf("%s is there already: lcm trust add … --tenant %s adds to it", name, org)
	}
	if !lcm.ValidName(org) || lcm.Reserved(org) {
		return fmt.Errorf("%q cannot be the name of a tenant", org)
	}
	if err := d.put(name, newTenant(org, admins)); err != nil {
		return err
	}
	return d.reload()
}

// find returns a principal, and the file in which it stands.
func (d *Draft) find(name string) (*trust.Principal, *yamledit.File, error) {
	who := d.policy.Principal(name)
	if who == nil {
		var names []string
		for _, p := range d.policy.Principals() {
			names = append(names, p.Name)
		}
		return nil, nil, fmt.Errorf("there is no principal %q; there are %s", name, strings.Join(names, ", "))
	}
	return who, d.files[who.File()], nil
}

// keyPath finds where a key stands: the policy tells its place, whatever else stands in the list.
func (d *Draft) keyPath(who *trust.Principal, f *yamledit.File, fingerprint string) ([]string, error) {
	key, err := keyOf(who, fingerprint)
	if err != nil {
		return nil, err
	}
	all, _ := f.Value("principals", who.Name, "keys").([]any)
	for i := range all {
		at := []string{"principals", who.Name, "keys", strconv.Itoa(i)}
		if f.Position(at...) == key.Position {
			return at, nil
		}
	}
	return nil, fmt.Errorf("the key %s stands nowhere in %s", fingerprint, who.File())
}

func keyOf(who *trust.Principal, fingerprint string) (*trust.Key, error) {
	var all []string
	for _, k := range who.Keys {
		if k.Fingerprint == fingerprint {
			return k, nil
		}
		all = append(all, k.Fingerprint)
	}
	return nil, fmt.Errorf("%s has no key %s; there are %s", who.Name, fingerprint, strings.Join(all, ", "))
}
