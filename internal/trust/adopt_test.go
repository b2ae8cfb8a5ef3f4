package trust

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Attack 65: an unsigned commit, made in the browser, stands before everything behind it.
func TestAdoption(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), files{prod: config("1")})
	stray := w.commit("", files{prod: config("2")}, root)
	next := w.commit("dev", files{dev: config("1")}, stray)
	r := w.refuses(root, next, "trust/unsigned")
	if r.Commit != stray {
		t.Error(r)
	}
	// Approvals that only approve do not adopt.
	w.approve("alice", root, stray)
	w.approve("carol", root, stray)
	w.refuses(root, next, "trust/unsigned")
	w.adopt("alice", root, stray)
	r = w.refuses(root, next, "trust/unsigned")
	if r.Commit != stray || !strings.Contains(r.Reason, "not complete") || !strings.Contains(r.Reason, "carol could give it, by lcm approve --adopt") {
		t.Error(r)
	}
	w.adopt("carol", root, stray)
	s := w.accepts(root, next).Steps()[0]
	if !s.Adopted || s.Signer != "" || !slices.Equal(s.SignedApprovers, []string{"alice", "carol"}) || s.Judged[0].Basis != ByAdoption {
		t.Errorf("%+v", s)
	}
	if !s.Accepts(policyFile) {
		t.Error("what the adopters signed includes the message")
	}
}

// What is adopted may be anywhere in what a merge brings in, and lack its signature in several ways.
func TestAdoptionOfAMerge(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), files{prod: config("1")})
	for _, who := range []string{"", "mallory"} {
		stray := w.commit(who, files{prod: config(`"` + who + `2"`)}, root)
		merge := w.commit("bob", files{prod: config(`"` + who + `2"`)}, root, w.commit("dev", files{dev: config("1")}, stray))
		if _, err := w.verify(root, merge); err == nil {
			t.Fatal("believed")
		}
		w.adopt("alice", root, merge)
		w.adopt("carol", root, merge)
		if s := w.accepts(root, merge).Steps()[0]; !s.Adopted || s.Signer != "bob" {
			t.Errorf("%+v", s)
		}
	}
}

func TestAdoptionDoesNotMend(t *testing.T) {
	adopted := func(w *world, by []string, base, head lcm.Revision) {
		for _, who := range by {
			w.adopt(who, base, head)
		}
	}
	admins := []string{"alice", "carol"}
	for name, attack := range map[string]func(*world){
		"by too few": func(w *world) {
			root := w.introduce(design(), nil)
			stray := w.commit("", files{dev: config("1")}, root)
			adopted(w, []string{"alice", "bob", "dave", "dev"}, root, stray)
			w.refuses(root, stray, "trust/unsigned")
		},
		"the settings' rule is met, the path's is not": func(w *world) {
			p := design()
			p.rules = append(p.rules, `{paths: ["namespaces/*/*/*/production/**"], roles: [operator], approvals: 1}`)
			root := w.introduce(p, nil)
			stray := w.commit("", files{prod: config("1")}, root)
			adopted(w, admins, root, stray)
			w.refuses(root, stray, "trust/unsigned")
			adopted(w, []string{"bob"}, root, stray)
			w.accepts(root, stray)
		},
		"the signer does not count beside": func(w *world) {
			p := design()
			p.rules = append(p.rules, `{paths: ["namespaces/*/*/*/production/**"], roles: [operator], approvals: 1}`)
			root := w.introduce(p, nil)
			merge := w.commit("bob", files{prod: config("1")}, root, w.commit("", files{prod: config("1")}, root))
			adopted(w, admins, root, merge)
			w.refuses(root, merge, "trust/unsigned")
		},
		"another step": func(w *world) {
			root := w.introduce(design(), nil)
			a := w.commit("", files{dev: config("1")}, root)
			b := w.commit("", files{dev: config("2")}, a)
			adopted(w, admins, root, b)
			w.refuses(root, b, "trust/unsigned")
			adopted(w, admins, root, a)
			w.refuses(root, b, "trust/unsigned")
			adopted(w, admins, a, b)
			w.accepts(root, b)
		},
		"what an effect reaches": func(w *world) {
			p := design()
			p.rules = append(p.rules, `{paths: ["namespaces/*/*/*/production/**"], roles: [operator], approvals: 1}`)
			root := w.introduce(p, files{base: config("1")})
			stray := w.commit("", files{base: config("2")}, root)
			adopted(w, admins, root, stray)
			w.refuses(root, stray, "trust/unsigned")
		},
		"a signature that does not verify": func(w *world) {
			root := w.introduce(design(), nil)
			lie := func([]byte) ([]byte, error) { return gitrepo.SSHSigner(sshKey("dev"))([]byte("something else")) }
			stray := w.commitBy(lie, files{dev: config("1")}, root)
			adopted(w, admins, root, stray)
			w.refuses(root, stray, "trust/bad-signature")
		},
		"an unsound policy": func(w *world) {
			root := w.introduce(design(), nil)
			stray := w.commit("", files{policyFile: design().next().with("carol", "").String()}, root)
			adopted(w, admins, root, stray)
			w.refuses(root, stray, "trust/policy-unsound")
		},
		"a version skipped": func(w *world) {
			root := w.introduce(design(), nil)
			stray := w.commit("", files{policyFile: design().next().next().String()}, root)
			adopted(w, admins, root, stray)
			w.refuses(root, stray, "trust/policy-version")
		},
		"rotation and rollback": func(w *world) {
			p := design()
			p.rules = append(p.rules, `{paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, operator], approvals: 3, rollbackApprovals: 1}`)
			root := w.introduce(p, files{prod: config("1")})
			side := w.commit("bob", files{prod: config("2")}, root)
			w.approve("carol", root, side)
			two := w.commit("alice", files{prod: config("2")}, root, side)
			stray := w.commit("", files{prod: config("1")}, two)
			adopted(w, admins, two, stray)
			w.accepts(root, two)
			w.refuses(two, stray, "trust/unsigned")
		},
		"history rewritten": func(w *world) {
			root := w.introduce(design(), nil)
			main := w.commit("dev", files{dev: config("1")}, root)
			stray := w.commit("", files{dev: config("2")}, root)
			adopted(w, admins, root, stray)
			w.refuses(main, stray, "trust/rewritten")
		},
	} {
		t.Run(name, func(t *testing.T) { attack(newWorld(t)) })
	}
}

// Attack 65: the branch may also go back to the last accepted revision, so that a revocation gets past.
func TestRevocationPastAStrayCommit(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	stray := w.commit("", files{dev: config("1")}, root)
	revoked := w.newPolicy(design().next().with("dev", ""), stray)
	var r *Refusal
	if v, err := w.verify(root, revoked); !errors.As(err, &r) || v.Revision() != root {
		t.Fatal(err)
	}
	w.accepts(root, w.newPolicy(design().next().with("dev", ""), root))
	// Or forward, by adoption of the stray commit.
	w.adopt("alice", root, stray)
	w.adopt("carol", root, stray)
	w.accepts(root, revoked)
}
