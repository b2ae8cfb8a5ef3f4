package trust

import (
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Verified is a revision that was believed: every step to it from the introduction was signed and
// approved as the policy of the time demanded. Only Verify makes one that is not zero, and what
// opens, plans or applies demands one.
type Verified struct {
	revision lcm.Revision
	tree     *gitrepo.Tree
	policy   *Policy
	steps    []Step
}

// IsZero reports whether v vouches for nothing.
func (v Verified) IsZero() bool { return v.tree == nil }

// Revision is the commit that was believed.
func (v Verified) Revision() lcm.Revision { return v.revision }

// FS is the tree of the revision.
func (v Verified) FS() *gitrepo.Tree { return v.tree }

// Policy is the policy in force at the revision, by which the next step will be judged.
func (v Verified) Policy() *Policy { return v.policy }

// Steps are the first-parent steps from the last accepted revision, exclusive, to this one, oldest first;
// none if Config.OnStep was told them.
func (v Verified) Steps() []Step { return v.steps }

// Step is one first-parent step that was judged and believed.
type Step struct {
	Parent, Commit    lcm.Revision
	Signer            string        // principal; whoever Author and Committer say counts for nothing. "" only if Adopted, or made by a forge
	Forge             string        // the forge that made the commit, and whose merge was made again; "" for none
	Squashed          lcm.Revision  // the head of the pull request that Commit squashes, which was judged; "" for none
	Adopted           bool          // believed by signed approvals alone, for want of a signature on some commit
	Author, Committer gitrepo.Ident // as the commit claims
	FirstSeen         time.Time     // as of when keys were judged
	Approvers         []string      // principals whose consent counted for some path, sorted; nobody's if nothing changed
	SignedApprovers   []string      // those of them whose signed approval did
	Reviewers         []string      // those of them whom a review at a forge made count for some path
	Changed           []gitrepo.Change
	Judged            []Judged // how each rule was met

	policy *Policy // that it was judged by
}

// By says in words by what the commit was believed to be somebody's.
func (s Step) By() string {
	switch {
	case s.Adopted:
		return "adopted by " + strings.Join(s.SignedApprovers, ", ") + ", for want of signatures"
	case s.Squashed != "":
		return "made by the forge " + s.Forge + ", and judged as the merge of " + s.Squashed.Short() + ", which it squashes"
	case s.Forge != "":
		return "made by the forge " + s.Forge + ", and just what merging its parents gives"
	}
	return "signed by " + s.Signer
}

// Judged says how one rule was met for some of the changed paths.
type Judged struct {
	Rule     *Rule
	Needed   int
	Consents []string // the principals who counted, sorted
	Basis    Basis
	Count    int      // of paths
	Paths    []string // the first 10,000, in the order of Changed; an effect as "path → path it was judged as"
}

// Basis is on which count a rule was met.
type Basis string

// The counts that can meet a rule.
const (
	ByApprovals Basis = "approvals"
	ByRollback  Basis = "rollback" // rollbackApprovals, for content that was accepted before
	ByRotation  Basis = "rotation" // only sealed values were replaced, by a principal named for it
	ByAdoption  Basis = "adoption" // signed approvals alone, for want of signatures on commits
)
