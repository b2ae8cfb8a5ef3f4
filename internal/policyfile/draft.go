// Package policyfile edits the trust policy of a work tree: .lcm/trust.yaml and the tenants' files. Each edit
// keeps the comments and the order of the file, and leaves a policy that is sound, or nothing.
package policyfile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/trust"
	"github.com/llm-config-manager/lcm/internal/yamledit"
)

const (
	policyFile = ".lcm/trust.yaml"
	tenantsDir = ".lcm/tenants"
)

// TenantFile is where the policy of a tenant stands.
func TenantFile(org string) string { return tenantsDir + "/" + org + ".yaml" }

// Draft is a policy while it is edited. After an error it is of no more use.
type Draft struct {
	policy *trust.Policy
	files  map[string]*yamledit.File
	read   map[string]string // the texts as they were
}

// UnsoundError is a policy that the daemon would refuse.
type UnsoundError struct{ Findings []diag.Finding }

func (e *UnsoundError) Error() string {
	if len(e.Findings) == 0 {
		return "the policy would not be sound"
	}
	return "the policy would not be sound: " + e.Findings[0].Message
}

// Open reads the policy of a work tree. It returns an *UnsoundError if that is not sound as it stands.
func Open(root fs.FS) (*Draft, error) {
	p, findings := trust.LoadPolicy(root)
	if p == nil {
		return nil, &UnsoundError{findings}
	}
	d := &Draft{policy: p, files: map[string]*yamledit.File{}, read: map[string]string{}}
	names, err := fs.Glob(root, tenantsDir+"/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, name := range append(names, policyFile) {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, fmt.Errorf("reading the policy: %w", err)
		}
		if err := d.put(name, text); err != nil {
			return nil, err
		}
		d.read[name] = string(text)
	}
	return d, nil
}

func (d *Draft) put(name string, text []byte) error {
	f, findings := yamledit.Parse(name, text)
	if f == nil {
		return &UnsoundError{findings}
	}
	d.files[name] = f
	return nil
}

// Policy is what the draft says now.
func (d *Draft) Policy() *trust.Policy { return d.policy }

// Changed returns the texts that differ from what was read, by file.
func (d *Draft) Changed() map[string][]byte {
	out := map[string][]byte{}
	for name, f := range d.files {
		if was, there := d.read[name]; !there || was != string(f.Text()) {
			out[name] = f.Text()
		}
	}
	return out
}

// reload judges what the files say now.
func (d *Draft) reload() error {
	tenants := map[string][]byte{}
	for name, f := range d.files {
		if name != policyFile {
			tenants[strings.TrimSuffix(path.Base(name), ".yaml")] = f.Text()
		}
	}
	p, findings := trust.ParsePolicies(d.files[policyFile].Text(), tenants)
	if p == nil {
		return &UnsoundError{findings}
	}
	d.policy = p
	return nil
}

// Finish gives each file that was changed the version after that in base, the revision that the next commit
// will be judged against; however often it was edited since. A file that says again what base has gets that
// version back. Without base, versions stay as they are.
func (d *Draft) Finish(base fs.FS) error {
	if base == nil {
		return nil
	}
	p, findings := trust.LoadPolicy(base)
	if p == nil {
		return &UnsoundError{findings}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Changed())) {
		was, err := fs.ReadFile(base, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := d.version(name, was, p.VersionOf(name)); err != nil {
			return err
		}
	}
	return d.reload()
}

func (d *Draft) version(name string, was []byte, version int64) error {
	f := d.files[name]
	if err := f.Set(version, "version"); err != nil || string(f.Text()) == string(was) {
		return err
	}
	return f.Set(version+1, "version")
}
