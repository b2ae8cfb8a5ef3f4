package trust

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/llm-config-manager/lcm/internal/canonjson"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// ApprovalNamespace is the SSHSIG namespace of approvals.
const ApprovalNamespace = "lcm-approval"

// Approval is the statement that a person consents to a change: from what base holds to what head
// holds. It counts path by path, wherever a step makes that very change.
type Approval struct {
	Repository string
	Branch     string       // the protected branch that the change is meant for
	Base, Head lcm.Revision // of what was read: git diff base head
	// Adopt says more: the step from base to head, which is one commit on the branch, is to be believed
	// although commits in it bear no valid signature.
	Adopt bool
}

// approvalJSON is the statement's form. Its canonical JSON is what is signed.
type approvalJSON struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Repository string       `json:"repository"`
	Branch     string       `json:"branch"`
	Base       lcm.Revision `json:"base"`
	Head       lcm.Revision `json:"head"`
	Adopt      bool         `json:"adopt,omitempty"`
}

const approvalKind = "Approval"

// Statement returns the canonical JSON (RFC 8785) that is signed.
func (a Approval) Statement() ([]byte, error) {
	return canonjson.Marshal(approvalJSON{lcm.APIVersion, approvalKind, a.Repository, a.Branch, a.Base, a.Head, a.Adopt})
}

// Sign makes the document of an approval: its statement on one line, then the armored signature over
// that line without its end. An SSH signature must be of ApprovalNamespace.
func (a Approval) Sign(sign gitrepo.Signer) ([]byte, error) {
	document, err := signStatement(a.Statement, sign)
	if err == nil {
		_, err = parseApproval(document) // what we write must be what we read
	}
	return document, err
}

// approval is one that was read: not yet known to be anybody's.
type approval struct {
	Approval
	statement, signature []byte
}

// parseApproval reads a document. Its statement must be canonical, so that there is one way to write it.
func parseApproval(document []byte) (*approval, error) {
	var j approvalJSON
	statement, signature, err := readStatement(document, &j)
	if err != nil {
		return nil, err
	}
	if j.APIVersion != lcm.APIVersion || j.Kind != approvalKind {
		return nil, errors.New("its statement is not that of an approval")
	}
	a := &approval{Approval{j.Repository, j.Branch, j.Base, j.Head, j.Adopt}, statement, signature}
	if canonical, err := a.Statement(); err != nil || !bytes.Equal(canonical, statement) {
		return nil, errors.New("its statement is not canonical JSON")
	}
	if !lcm.ValidRevision(string(a.Base)) || !lcm.ValidRevision(string(a.Head)) {
		return nil, errors.New("its base or head is no full commit id")
	}
	return a, nil
}

// Approver finds who signed the document of an approval, and what it says. It tells nothing of whether
// the change is as approved.
func (p *Policy) Approver(document []byte, at time.Time) (Approval, *Principal, error) {
	a, err := parseApproval(document)
	if err != nil {
		return Approval{}, nil, fmt.Errorf("the approval cannot be read: %w", err)
	}
	if a.Repository != p.Repository || a.Branch != p.Branch {
		return a.Approval, nil, fmt.Errorf("the approval is for repository %q, branch %q", a.Repository, a.Branch)
	}
	key, bad := p.keys.verifyFor(ApprovalNamespace, a.signature, a.statement, at)
	if bad != nil {
		return a.Approval, nil, errors.New(bad.reason)
	}
	if key.Owner.forge != nil {
		return a.Approval, nil, errors.New("a forge approves nothing")
	}
	return a.Approval, key.Owner, nil
}

// SSHKeyOwner returns who has an SSH public key or a certificate that is valid now, in wire format; nil
// for nobody.
func (p *Policy) SSHKeyOwner(wire []byte) *Principal {
	s, bad := p.keys.sshSigner(wire, time.Now())
	if bad != nil || s.key.Owner.forge != nil {
		return nil
	}
	return s.key.Owner
}
