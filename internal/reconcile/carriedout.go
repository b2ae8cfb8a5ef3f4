package reconcile

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"sync"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// befores keeps the states that namespaces are compared with, most of which are the same.
type befores struct {
	sync.Mutex
	of map[lcm.Revision]*tree.Tree
}

// lastCarriedOut is the repository, and what was before it, as of the revision that a namespace was last carried out from, and not the one before
// this: what holds a namespace must hold it until it is mended. It is nil for one that never was.
func (j *job) lastCarriedOut(now *tree.Tree, ns lcm.Namespace) (*tree.Tree, lcm.Revision, check.Past, error) {
	known, err := j.r.State.Namespace(ns)
	if err != nil || known.Revision == "" {
		return nil, "", nil, err
	}
	past := func(ctx context.Context, folders []string) iter.Seq2[fs.FS, error] {
		return func(yield func(fs.FS, error) bool) {
			for t, err := range j.r.Repo.Past(ctx, known.Revision, ".", folders) {
				if !yield(t, err) {
					return
				}
			}
		}
	}
	j.befores.Lock()
	defer j.befores.Unlock()
	if t, ok := j.befores.of[known.Revision]; ok {
		return t, known.Revision, past, nil
	}
	fsys, err := j.r.Repo.Tree(known.Revision)
	if err != nil {
		return nil, "", nil, fmt.Errorf("reading what %s was: %w", ns, err)
	}
	if len(j.befores.of) == maxBefores || j.befores.of == nil {
		j.befores.of = map[lcm.Revision]*tree.Tree{}
	}
	t := tree.GlanceBeside(fsys, now) // most of it is the same
	j.befores.of[known.Revision] = t
	return t, known.Revision, past, nil
}

// maxBefores bounds the trees that are kept, of which each may keep some documents.
const maxBefores = 16
