// Package check is the whole battery, the same for linter and daemon: the kinds' schemas, the policies,
// the envelopes of sealed secrets, and plaintext credentials. The daemon, which can open secrets, hands
// them in too; the linter can't.
package check

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/kept"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/leak"
	"github.com/llm-config-manager/lcm/internal/policy"
	"github.com/llm-config-manager/lcm/internal/schema"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/policies/rego"
	lcmcue "github.com/llm-config-manager/lcm/schemas/cue"
)

// Packs compiles schemas and policies, and keeps what it compiled last, or why it could not: most
// revisions change neither. The zero value is ready.
type Packs struct {
	// Now is the clock by which Secrets grow old and models retire; nil: nothing is said of either.
	Now func() time.Time

	Kept    *kept.Values // where verdicts are kept between runs; nil: nowhere
	Program string       // names the program that judges, for what is kept: another may judge otherwise

	// Evaluated is called, from any goroutine, with how long the policies took for one document, and whether they denied
	// it; nil: nobody wants to know.
	Evaluated func(took time.Duration, denied bool)

	mu       sync.Mutex
	sum      string
	schema   *schema.Schema
	policy   *policy.Policy
	findings []diag.Finding
}

// Rules is the battery for one revision.
type Rules struct {
	tree   *tree.Tree
	schema *schema.Schema
	policy *policy.Policy
	ownCUE bool // the repository has constraints of its own
	// evaluated is Packs.Evaluated.
	evaluated func(time.Duration, bool)
	except    leak.Exceptions
	clock     func() time.Time
	seals     *tree.SealRules
	before    *tree.Tree // what the linter compares with; nil: nothing
	past      Past       // and what was before that; nil: not known

	mu         sync.Mutex
	known, old map[string][]diag.Finding // what was found in a file, whatever the environment
	most       int                       // how many are kept of these; 0: maxKnown
	gathered   map[lcm.Service]*gathered
	keep       *keeper // of single namespaces; nil: nothing is kept
	fresh      atomic.Int64

	others  others
	dormant func() []diag.Finding
	widely  bool   // see Widely
	today   string // as in 2027-01-31, in UTC; empty: not known, and rules about dates are silent
}

// Prepare compiles what Rules will need, while its caller finds out what there is to check. What is wrong Rules says.
func (p *Packs) Prepare(ctx context.Context, fsys fs.FS) {
	ownCUE, err := files(fsys, "schemas/cue", ".cue")
	if err != nil {
		return
	}
	ownRego, err := files(fsys, "policies/rego", ".rego")
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.compile(ctx, ownCUE, ownRego)
}

// Rules returns the battery for a revision, and what is wrong with the repository as a whole: its own
// schemas and policies, its trust and access policies. Rules is nil if it can't be built. t may be nil.
func (p *Packs) Rules(ctx context.Context, fsys fs.FS, t *tree.Tree) (*Rules, []diag.Finding, error) {
	findings := settings(fsys)
	ownCUE, err := files(fsys, "schemas/cue", ".cue")
	if err != nil {
		return nil, nil, err
	}
	ownRego, err := files(fsys, "policies/rego", ".rego")
	if err != nil {
		return nil, nil, err
	}
	except := exceptions(t)
	findings = append(findings, leaksOutside(fsys, except, ownCUE, ownRego)...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.compile(ctx, ownCUE, ownRego); err != nil {
		return nil, nil, err
	}
	findings = append(findings, p.findings...)
	if t == nil || diag.Failed(p.findings) {
		return nil, findings, nil
	}
	findings = append(findings, access(fsys, p.schema)...)
	var today string
	if p.Now != nil {
		today = p.Now().UTC().Format(time.DateOnly)
	}
	return &Rules{tree: t, dormant: sync.OnceValue(t.Dormant), today: today, seals: t.SealRules(), schema: p.schema, policy: p.policy, evaluated: p.Evaluated, ownCUE: len(ownCUE) > 0, except: except, clock: p.Now, known: map[string][]diag.Finding{}}, findings, nil
}

// compile compiles what differs from the last time. What was found wrong then is wrong now.
func (p *Packs) compile(ctx context.Context, ownCUE, ownRego map[string][]byte) error {
	sum := digest(ownCUE, ownRego)
	if sum == p.sum {
		return nil
	}
	s, findings := schema.New(ownCUE)
	r, more := policy.New(ctx, ownRego)
	if err := ctx.Err(); err != nil {
		return err
	}
	p.sum, p.schema, p.policy, p.findings = sum, s, r, append(findings, more...)
	return nil
}

const maxModules = 256

// files reads a flat folder of the repository's own modules. A folder that is absent has none.
func files(fsys fs.FS, dir, ext string) (map[string][]byte, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) || err != nil && (!realFolder(fsys, path.Dir(dir)) || !realFolder(fsys, dir)) {
		return nil, nil // absent, or the layout refuses what is there
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	out := map[string][]byte{}
	for _, e := range entries {
		if !e.Type().IsRegular() || path.Ext(e.Name()) != ext {
			continue // the layout says so
		}
		if len(out) > maxModules {
			break // who compiles them refuses so many
		}
		name := path.Join(dir, e.Name())
		if out[name], err = readFile(fsys, name); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	return out, nil
}

// realFolder reports whether there is a folder by a name, and not a link to one.
func realFolder(fsys fs.FS, dir string) bool {
	entries, err := fs.ReadDir(fsys, path.Dir(dir))
	return err != nil || slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == path.Base(dir) && e.IsDir() })
}

func digest(sets ...map[string][]byte) string {
	h := sha256.New()
	for _, set := range sets {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			fmt.Fprintf(h, "%s\x00%d\x00", name, len(set[name]))
			h.Write(set[name])
		}
		h.Write([]byte{0xff})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Edition names the built-in battery: it changes whenever a built-in schema or policy does.
func Edition() string {
	h := sha256.New()
	for _, pack := range []fs.FS{lcmcue.Files(), rego.Pack} {
		_ = fs.WalkDir(pack, ".", func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				b, _ := fs.ReadFile(pack, p)
				fmt.Fprintf(h, "%s\x00%d\x00%s", p, len(b), b)
			}
			return err
		})
	}
	return strings.Join([]string{"1", hex.EncodeToString(h.Sum(nil))[:16]}, "-")
}
