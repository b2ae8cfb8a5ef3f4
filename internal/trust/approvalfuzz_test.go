package trust

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// FuzzApproval: there is one way to write a statement; a document that is believed was signed by its
// approver over that very statement; what a message carries can be carried again. Data is taken for a document,
// for a commit's message, and for what a message carries.
func FuzzApproval(f *testing.F) {
	p, findings := ParsePolicy(policyFile, []byte(design().String()))
	if p == nil {
		f.Fatal(findings)
	}
	a := Approval{Repository: "acme-config", Branch: "main", Base: lcm.Revision(strings.Repeat("1", 40)), Head: lcm.Revision(strings.Repeat("2", 40))}
	for _, adopt := range []bool{false, true} {
		a.Adopt = adopt
		document := must(a.Sign(approver("alice")))
		f.Add(document)
		f.Add([]byte("Merge\n\nbody\n\n" + ApprovalTrailer(document) + "Signed-off-by: x\n" + ApprovalTrailer([]byte("two"))))
	}
	f.Add(must(a.Sign(gitrepo.SSHSigner(sshKey("alice"))))) // of another namespace
	f.Add(must(a.Sign(func(s []byte) ([]byte, error) { return signatureOf(fixedEntity("olga"), s), nil })))
	f.Fuzz(func(t *testing.T, data []byte) {
		carried := approvalTrailers(string(data))
		for _, document := range append(carried, data) {
			approvalRoundTrip(t, document)
			if a, who, err := p.Approver(document, now); err == nil {
				statement := must(a.Statement())
				signature := bytes.TrimPrefix(document, append(statement, '\n'))
				signsOnly(t, p.keys, ApprovalNamespace, signature, statement)
				if who == nil || a.Repository != p.Repository || a.Branch != p.Branch {
					t.Errorf("%+v by %v", a, who)
				}
			}
		}
		trailersRoundTrip(t, carried)
		if len(data) <= gitrepo.MaxApprovalBytes {
			trailersRoundTrip(t, [][]byte{data})
		}
	})
}

// approvalRoundTrip demands that what a document says, written again with the same signature, is the
// document.
func approvalRoundTrip(t *testing.T, document []byte) {
	t.Helper()
	read, err := parseApproval(document)
	if err != nil {
		return
	}
	written := bytes.Join([][]byte{must(read.Statement()), read.signature}, []byte("\n"))
	if !bytes.Equal(written, document) {
		t.Errorf("%q is read as %q", document, written)
	}
}

func trailersRoundTrip(t *testing.T, documents [][]byte) {
	t.Helper()
	var b strings.Builder
	var want [][]byte
	for _, d := range documents {
		b.WriteString(ApprovalTrailer(d))
		if len(d) > gitrepo.MaxApprovalBytes || len(documents) > maxApprovals {
			t.Errorf("%d documents, one of %d bytes", len(documents), len(d))
		}
		if len(d) > 0 {
			want = append(want, d)
		}
	}
	var got [][]byte
	for _, d := range approvalTrailers(b.String()) {
		if len(d) > 0 {
			got = append(got, d)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s\n%q", d, b.String())
	}
}
