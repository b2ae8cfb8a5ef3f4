package trust

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

func approver(who string) gitrepo.Signer {
	return gitrepo.SSHSignerFor(ApprovalNamespace, sshKey(who))
}

func (w *world) approval(base, head lcm.Revision) Approval {
	return Approval{Repository: w.cfg.Repository, Branch: w.cfg.Branch, Base: base, Head: head}
}

// signs makes the document of an approval.
func (w *world) signs(sign gitrepo.Signer, a Approval) []byte {
	w.t.Helper()
	document, err := a.Sign(sign)
	if err != nil {
		w.t.Fatal(err)
	}
	return document
}

// pushes puts a document where approvals lie.
func (w *world) pushes(name string, head lcm.Revision, document []byte) {
	w.t.Helper()
	if _, err := w.repo.SetApproval(head, name, document); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) approve(who string, base, head lcm.Revision) {
	w.t.Helper()
	w.pushes(who, head, w.signs(approver(who), w.approval(base, head)))
}

func (w *world) adopt(who string, base, head lcm.Revision) {
	w.t.Helper()
	a := w.approval(base, head)
	a.Adopt = true
	w.pushes(who, head, w.signs(approver(who), a))
}

// merge makes a signed merge, with trailers.
func (w *world) merge(who string, f files, trailers []string, parents ...lcm.Revision) lcm.Revision {
	w.t.Helper()
	edit := gitrepo.Edit{Parents: parents, Files: map[string][]byte{}, Message: "merge\n\n" + strings.Join(trailers, ""),
		Author: gitrepo.Ident{Name: "a", Email: "a@example.org", When: now}, Sign: gitrepo.SSHSigner(sshKey(who))}
	for path, text := range f {
		edit.Files[path] = []byte(text)
	}
	rev, err := w.repo.Write(edit)
	if err != nil {
		w.t.Fatal(err)
	}
	return rev
}

func TestSignedApprovals(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), files{prod: config("1")})
	change := files{prod: config("2")}
	side := w.commit("dev", change, root)
	merge := w.commit("bob", change, root, side)
	w.refuses(root, merge, "trust/approvals")
	w.approve("alice", root, side)
	s := w.accepts(root, merge).Steps()[0]
	if diff := cmp.Diff([]string{"alice"}, s.SignedApprovers); diff != "" || !slices.Contains(s.Approvers, "bob") || s.Adopted {
		t.Errorf("%s%+v", diff, s)
	}
	// As a trailer, with no ref and a head that nothing else leads to.
	w2 := newWorld(t)
	root = w2.introduce(design(), files{prod: config("1")})
	side = w2.commit("dev", change, root)
	trailer := ApprovalTrailer(w2.signs(approver("alice"), w2.approval(root, side)))
	w2.refuses(root, w2.merge("bob", change, nil, root), "trust/approvals")
	w2.accepts(root, w2.merge("bob", change, []string{"Reviewed-by: x\n", trailer}, root))
	w2.accepts(root, w2.merge("bob", change, []string{trailer}, root, side))
}

func TestApprovalsOfSettings(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	text := files{"lcm.yaml": "# new\n" + settingsText}
	head := w.commit("alice", text, root)
	w.refuses(root, head, "trust/approvals")
	w.approve("bob", root, head) // whose role does not count there
	w.refuses(root, head, "trust/approvals")
	w.approve("alice", root, head) // once more the same person
	w.refuses(root, head, "trust/approvals")
	w.approve("carol", root, head)
	w.accepts(root, head)
}

// consent: signed counts the signer and signed approvals, nothing else.
func TestConsentSignedByApprovals(t *testing.T) {
	w := newWorld(t)
	p := design()
	p.rules[2] = `{paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, operator], approvals: 2, consent: signed}`
	root := w.introduce(p, nil)
	change := files{prod: config("2")}
	side := w.commit("dave", change, root)
	merge := w.commit("bob", change, root, side)
	if r := w.refuses(root, merge, "trust/approvals"); !strings.Contains(r.Reason, "by signing the merge or an approval of it") {
		t.Error(r)
	}
	w.approve("dave", root, side)
	v := w.accepts(root, merge)
	if s := v.Steps()[0]; !s.Accepts(prod) {
		t.Error("an instruction in the message is not accepted by those who approved")
	}
}

func TestOpenPGPApproval(t *testing.T) {
	e := entity(t, "pia", pgpConfig(born))
	key := fmt.Sprintf("{openpgp: %q}", publicBlock(t, e))
	w := newWorld(t)
	root := w.introduce(design().with("pia", person("global-admin", key)), nil)
	change := files{prod: config("2")}
	head := w.commit("bob", change, root)
	signer := func(payload []byte) ([]byte, error) {
		return []byte(armored(t, "PGP SIGNATURE", func(b *bytes.Buffer) error {
			return openpgp.DetachSign(b, e, bytes.NewReader(payload), pgpConfig(now))
		})), nil
	}
	w.pushes("pia", head, w.signs(signer, w.approval(root, head)))
	w.accepts(root, head)
	a := w.approval(root, head)
	a.Branch = "other"
	w.pushes("pia", head, w.signs(signer, a))
	w.refuses(root, head, "trust/approvals")
}

// What is not the approval of a principal, of this very change, is ignored.
func TestApprovalsThatDoNotCount(t *testing.T) {
	change := files{prod: config("2")}
	for name, push := range map[string]func(w *world, root, side lcm.Revision){
		"nothing": func(*world, lcm.Revision, lcm.Revision) {},
		"16 the namespace of commits": func(w *world, root, side lcm.Revision) {
			a := w.approval(root, side)
			w.pushes("alice", side, w.signs(gitrepo.SSHSigner(sshKey("alice")), a))
		},
		"an unknown key": func(w *world, root, side lcm.Revision) {
			w.pushes("alice", side, w.signs(approver("mallory"), w.approval(root, side)))
		},
		"under another's name": func(w *world, root, side lcm.Revision) {
			w.pushes("carol", side, w.signs(approver("alice"), w.approval(root, side)))
		},
		"under no principal's name": func(w *world, root, side lcm.Revision) {
			w.pushes("nobody", side, w.signs(approver("alice"), w.approval(root, side)))
		},
		"a bot": func(w *world, root, side lcm.Revision) { w.approve("rotator", root, side) },
		"another repository": func(w *world, root, side lcm.Revision) {
			a := w.approval(root, side)
			a.Repository = "other"
			w.pushes("alice", side, w.signs(approver("alice"), a))
		},
		"another branch": func(w *world, root, side lcm.Revision) {
			a := w.approval(root, side)
			a.Branch = "other"
			w.pushes("alice", side, w.signs(approver("alice"), a))
		},
		"22 another tree": func(w *world, root, side lcm.Revision) {
			w.approve("alice", root, w.commit("dev", files{prod: config("harmless")}, root))
		},
		"22 moved to another head": func(w *world, root, side lcm.Revision) {
			harmless := w.commit("dev", files{prod: config("harmless")}, root)
			w.pushes("alice", side, w.signs(approver("alice"), w.approval(root, harmless)))
		},
		"backwards": func(w *world, root, side lcm.Revision) { w.approve("alice", side, root) },
		"a base beside the branch": func(w *world, root, side lcm.Revision) {
			w.approve("alice", w.commit("dev", files{dev: config("1")}, root), side)
		},
		"a base that is missing": func(w *world, root, side lcm.Revision) {
			w.approve("alice", lcm.Revision(strings.Repeat("a", 40)), side)
		},
		"a base that is no commit": func(w *world, root, side lcm.Revision) {
			w.approve("alice", lcm.Revision(w.treeID(root)), side)
		},
		"of a developer": func(w *world, root, side lcm.Revision) { w.approve("dev", root, side) },
		"altered": func(w *world, root, side lcm.Revision) {
			document := w.signs(approver("alice"), w.approval(side, side))
			w.pushes("alice", side, bytes.Replace(document, []byte(side), []byte(root), 1))
		},
		"64 junk, huge and many": func(w *world, root, side lcm.Revision) {
			for i := range 200 {
				w.pushes(fmt.Sprintf("a%d", i), side, bytes.Repeat([]byte("x"), gitrepo.MaxApprovalBytes))
			}
			w.pushes("alice", side, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			root := w.introduce(design(), files{prod: config("1")})
			side := w.commit("dev", change, root)
			push(w, root, side)
			merge := w.commit("bob", change, root, side)
			if r := w.refuses(root, merge, "trust/approvals"); !strings.Contains(r.Reason, "bob's counts") {
				t.Error(r)
			}
		})
	}
}

// The numbers are those of the list of attacks.
func TestAttacksOnApprovals(t *testing.T) {
	for name, attack := range map[string]func(*world){
		"22 a push after the approval": func(w *world) {
			root := w.introduce(design(), files{prod: config("1")})
			side := w.commit("dev", files{prod: config("2")}, root)
			w.approve("alice", root, side)
			later := w.commit("dev", files{prod: config("evil")}, side)
			r := w.refuses(root, w.commit("bob", files{prod: config("evil")}, root, later), "trust/approvals")
			if !strings.Contains(r.Reason, "what alice approved is another change") {
				w.t.Error(r)
			}
			// The approval holds for what the push did not touch.
			beside := w.commit("dev", files{dev: config("1")}, side)
			w.accepts(root, w.commit("bob", files{prod: config("2"), dev: config("1")}, root, beside))
		},
		"56 main has moved on": func(w *world) {
			p := design()
			p.rules[2] = `{paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, operator], approvals: 2}`
			root := w.introduce(p, files{prod: config("1"), service + "production/other.yaml": config("1")})
			other := service + "production/other.yaml"
			side := w.commit("dev", files{prod: config("2")}, root)
			w.approve("alice", root, side)
			main := w.commit("alice", files{other: config("fixed")}, root, w.commit("carol", files{other: config("fixed")}, root))
			w.accepts(root, main)
			// Taken as a whole, the approved tree would undo the fix.
			r := w.refuses(main, w.commit("bob", files{prod: config("2"), other: config("1")}, main, side), "trust/approvals")
			if r.Path != other {
				w.t.Error(r)
			}
			w.accepts(main, w.commit("bob", files{prod: config("2")}, main, side))
			// The same path changed on main: the approval is of another change.
			moved := w.commit("alice", files{prod: config("3")}, root, w.commit("carol", files{prod: config("3")}, root))
			w.accepts(root, moved)
			w.refuses(moved, w.commit("bob", files{prod: config("2")}, moved, side), "trust/approvals")
		},
		"56 an approval that was used and undone": func(w *world) {
			p := design()
			p.rules[2] = `{paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, operator], approvals: 2}`
			root := w.introduce(p, files{prod: config("1")})
			side := w.commit("dev", files{prod: config("2")}, root)
			w.approve("alice", root, side)
			used := w.commit("bob", files{prod: config("2")}, root, side)
			undone := w.commit("alice", files{prod: config("1")}, used, w.commit("carol", files{prod: config("1")}, used))
			w.accepts(root, undone)
			trailer := ApprovalTrailer(w.signs(approver("alice"), w.approval(root, side)))
			w.refuses(undone, w.merge("bob", files{prod: config("2")}, []string{trailer}, undone, w.commit("dev", files{prod: config("2")}, undone)), "trust/approvals")
			w.refuses(root, w.merge("bob", files{prod: config("2")}, []string{trailer}, undone), "trust/approvals")
		},
		"57 an abandoned draft": func(w *world) {
			p := design()
			p.rules[2] = `{paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, operator], approvals: 2, consent: signed}`
			root := w.introduce(p, files{prod: config("1")})
			draft := w.commit("dave", files{prod: config("draft")}, root)
			final := w.commit("dave", files{prod: config("final")}, draft)
			w.approve("dave", root, final)
			w.refuses(root, w.commit("bob", files{prod: config("draft")}, root, draft), "trust/approvals")
			w.refuses(root, w.commit("bob", files{prod: config("draft")}, root, final), "trust/approvals")
			w.accepts(root, w.commit("bob", files{prod: config("final")}, root, final))
		},
		"64 refs flooded, then deleted": func(w *world) {
			root := w.introduce(design(), files{prod: config("1")})
			side := w.commit("dev", files{prod: config("2")}, root)
			for i := range 300 {
				w.pushes(fmt.Sprintf("a%03d", i), side, []byte("junk"))
			}
			for _, name := range []string{"bob", "carol", "dave", "dev", "gus"} {
				w.pushes(name, side, bytes.Repeat([]byte("x"), gitrepo.MaxApprovalBytes))
			}
			w.approve("alice", root, side)
			w.accepts(root, w.commit("bob", files{prod: config("2")}, root, side))
			trailer := ApprovalTrailer(w.signs(approver("alice"), w.approval(root, side)))
			merge := w.merge("bob", files{prod: config("2")}, []string{trailer}, root, side)
			w.pushes("alice", side, []byte("overwritten by somebody"))
			w.refuses(root, w.commit("bob", files{prod: config("2")}, root, side), "trust/approvals")
			w.accepts(root, merge) // it carries what it needs
		},
		"64 a message full of trailers": func(w *world) {
			root := w.introduce(design(), files{prod: config("1")})
			side := w.commit("dev", files{prod: config("2")}, root)
			good := ApprovalTrailer(w.signs(approver("alice"), w.approval(root, side)))
			junk := slices.Repeat([]string{ApprovalTrailer([]byte("junk"))}, maxApprovals)
			w.refuses(root, w.merge("bob", files{prod: config("2")}, append(junk, good), root, side), "trust/approvals")
			w.accepts(root, w.merge("bob", files{prod: config("2")}, append(junk[1:], good), root, side))
		},
	} {
		t.Run(name, func(t *testing.T) { attack(newWorld(t)) })
	}
}

func TestApprovalDocument(t *testing.T) {
	a := Approval{Repository: "acme-config", Branch: "main", Base: lcm.Revision(strings.Repeat("1", 40)), Head: lcm.Revision(strings.Repeat("2", 40))}
	statement := must(a.Statement())
	want := `{"apiVersion":"lcm/v1","base":"1111111111111111111111111111111111111111","branch":"main","head":"2222222222222222222222222222222222222222","kind":"Approval","repository":"acme-config"}`
	if string(statement) != want {
		t.Errorf("%s", statement)
	}
	document := must(a.Sign(approver("alice")))
	read := must(parseApproval(document))
	if read.Approval != a {
		t.Errorf("%+v", read)
	}
	for name, change := range map[string][2]string{
		"a space":            {`"branch":"main"`, `"branch": "main"`},
		"a field twice":      {`"branch":"main"`, `"branch":"x","branch":"main"`},
		"an unknown field":   {`"branch":"main"`, `"branch":"main","by":"me"`},
		"another kind":       {`"kind":"Approval"`, `"kind":"Config"`},
		"adopt, false":       {`{"api`, `{"adopt":false,"api`},
		"a field's name":     {`"branch"`, `"Branch"`},
		"a short id":         {strings.Repeat("1", 40), "1111111"},
		"something after it": {`config"}`, `config"} `},
		"no line end":        {"\n", ""},
	} {
		bad := strings.Replace(string(document), change[0], change[1], 1)
		if bad == string(document) {
			t.Fatalf("%s: nothing to change", name)
		}
		if _, err := parseApproval([]byte(bad)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

func TestApprovalTrailers(t *testing.T) {
	long := bytes.Repeat([]byte("approval "), 100)
	message := "merge\n\nbody Lcm-Approval: no\n\n" + ApprovalTrailer(long) + "Signed-off-by: x\n" + ApprovalTrailer([]byte("two")) + "Lcm-Approval: %%%\n after\n" +
		"Lcm-Approval: " + base64.StdEncoding.EncodeToString([]byte("three"))
	got := approvalTrailers(message)
	if diff := cmp.Diff([][]byte{long, []byte("two"), []byte("three")}, got); diff != "" {
		t.Error(diff)
	}
	if got := approvalTrailers(ApprovalTrailer(make([]byte, 2*gitrepo.MaxApprovalBytes))); got != nil {
		t.Error("a huge one is read")
	}
}
