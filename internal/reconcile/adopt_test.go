package reconcile

import (
	"testing"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// Attack 65: approvals travel by refs/lcm/ through the mirror, and arrive after the commit that they adopt.
func TestAdoptionThroughTheMirror(t *testing.T) {
	w := newWorld(t, map[string]string{dev + "a.yaml": config("one")})
	w.pass(Options{})
	stray, err := w.repo.Write(gitrepo.Edit{Parents: []lcm.Revision{w.head}, Files: map[string][]byte{dev + "a.yaml": []byte(config("two"))}, Message: "x\n", Author: gitrepo.Ident{Name: "a", Email: "b"}})
	w.check(err)
	w.check(w.repo.SetBranch("main", stray))
	if r := w.pass(Options{}); r.Refusal == nil || r.Refusal.Rule != "trust/unsigned" {
		t.Fatalf("%+v", r.Refusal)
	}
	a := trust.Approval{Repository: "test-config", Branch: "main", Base: w.head, Head: stray, Adopt: true}
	document, err := a.Sign(gitrepo.SSHSignerFor(trust.ApprovalNamespace, w.signer))
	w.check(err)
	_, err = w.repo.SetApproval(stray, "alice", document)
	w.check(err)
	w.expect(w.pass(Options{}), "update acme/p/s/development/a v2")
}
