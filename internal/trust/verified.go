package trust

import (
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Verified is a revision that was believed: every step to it from the introduction was signed and
// approved as the policy of the time demanded. Only Verify makes one that is not zero, and what
// opens, plans or applies demands one.
type Verified struct {
	revision lcm.Revision
	tree     *gitrepo.Tree
	steps    []Step
}

// IsZero reports whether v vouches for nothing.
func (v Verified) IsZero() bool { return v.tree == nil }

// Revision is the commit that was believed.
func (v Verified) Revision() lcm.Revision { return v.revision }

// FS is the tree of the revision.
func (v Verified) FS() *gitrepo.Tree { return v.tree }

// Steps are the first-parent steps from the last accepted revision, exclusive, to this one, oldest first.
func (v Verified) Steps() []Step { return v.steps }

// Step is one first-parent step that was judged and believed.
type Step struct {
	Parent, Commit lcm.Revision
	Signer         string   // principal
	Approvers      []string // principals whose consent counted, sorted, the signer among them
	Changed        []gitrepo.Change
}
