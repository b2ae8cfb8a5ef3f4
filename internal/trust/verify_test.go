package trust

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const (
	prod = service + "production/model.yaml"
	base = service + "base/model.yaml"
	dev  = service + "development/model.yaml"
	dev2 = service + "development/other.yaml"
)

func TestIntroductionIsBelieved(t *testing.T) {
	w := newWorld(t)
	root := w.commit("", files{policyFile: design().String(), "lcm.yaml": settingsText})
	w.cfg.Introduction = root
	v := w.accepts("", root)
	if len(v.Steps()) != 0 || v.Policy().Version != 1 {
		t.Errorf("%+v", v)
	}
	if v := w.accepts(root, root); v.FS() == nil {
		t.Error("no tree")
	}
}

func TestLinear(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	a := w.commit("dev", files{dev: config("1")}, root)
	b := w.commit("bob", files{dev: config("2"), dev2: config("x")}, a)
	v := w.accepts(root, b)
	var got []string
	for _, s := range v.Steps() {
		got = append(got, s.Signer+": "+strings.Join(s.Approvers, ","))
	}
	if diff := cmp.Diff([]string{"dev: dev", "bob: bob"}, got); diff != "" {
		t.Error(diff)
	}
	if s := v.Steps()[1]; s.Parent != a || s.Commit != b || len(s.Changed) != 2 || !s.FirstSeen.Equal(now) {
		t.Errorf("%+v", s)
	}
}

// What was believed before a bad commit stays, and is told together with the refusal.
func TestLongestPrefix(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	a := w.commit("dev", files{dev: config("1")}, root)
	bad := w.commit("", files{dev: config("2")}, a)
	v, err := w.verify(root, w.commit("dev", files{dev: config("3")}, bad))
	var r *Refusal
	if !errors.As(err, &r) || r.Commit != bad || r.Rule != "trust/unsigned" {
		t.Fatal(err)
	}
	if v.Revision() != a || len(v.Steps()) != 1 {
		t.Errorf("believed %s", v.Revision())
	}
	// Going back to what was accepted, and on from there, is allowed.
	w.accepts(a, w.commit("dev", files{dev: config("4")}, a))
}

// A merge with two approvals: the branch's author and the merger.
func TestMerge(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	main := w.commit("dev", files{dev: config("1")}, root)
	side := w.commit("bob", files{prod: config("2")}, root)
	merge := w.commit("alice", files{prod: config("2")}, main, side)
	v := w.accepts(root, merge)
	s := v.Steps()[1]
	if diff := cmp.Diff([]string{"alice", "bob"}, s.Approvers); diff != "" {
		t.Error(diff)
	}
	i := slices.IndexFunc(s.Judged, func(j Judged) bool { return j.Needed == 2 })
	if i < 0 || !slices.Equal(s.Judged[i].Paths, []string{prod}) || s.Judged[i].Basis != ByApprovals {
		t.Errorf("%+v", s.Judged)
	}
}

func TestMergeOfABranchThatTookMainIn(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	s1 := w.commit("bob", files{prod: config("2")}, root)
	main := w.commit("dev", files{dev: config("1")}, root)
	s2 := w.commit("bob", files{dev: config("1")}, s1, main)
	merge := w.commit("dave", files{prod: config("2")}, main, s2)
	w.accepts(root, merge)
}

func TestSettingsNeedTheirOwnApprovals(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	for _, path := range []string{"lcm.yaml", ".sops.yaml", "schemas/cue/x.cue", "policies/rego/x.rego", ".lcm/access.yaml"} {
		text := "# changed\n" + settingsText
		r := w.refuses(root, w.commit("alice", files{path: text}, root), "trust/approvals")
		if r.Path != path || !strings.Contains(r.Reason, "1 more approval by global-admin") || !strings.Contains(r.Reason, "alice's counts") || !strings.Contains(r.Reason, "carol could give it") {
			t.Errorf("%v", r)
		}
		side := w.commit("carol", files{path: text}, root)
		w.accepts(root, w.commit("alice", files{path: text}, root, side))
		w.refuses(root, w.commit("bob", files{path: text}, root, side), "trust/approvals")
	}
}

func (w *world) newPolicy(p policy, parent lcm.Revision) lcm.Revision {
	w.t.Helper()
	side := w.commit("carol", files{policyFile: p.String()}, parent)
	return w.commit("alice", files{policyFile: p.String()}, parent, side)
}

func TestKeyRotation(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	p := design().next().with("bob", person(`"operator:acme-corp"`, sshEntry("bob-new")))
	changed := w.newPolicy(p, root)
	w.accepts(root, changed)
	w.accepts(root, w.commit("bob-new", files{dev: config("1")}, changed))
	w.refuses(changed, w.commit("bob", files{dev: config("1")}, changed), "trust/unknown-key")

	// The old key does not come back on a branch that started before it was removed.
	old := w.commit("bob", files{dev: config("1")}, root)
	r := w.refuses(changed, w.commit("bob-new", files{dev: config("1")}, changed, old), "trust/unknown-key")
	if r.Commit != old {
		t.Errorf("%v", r)
	}
}

func TestRollback(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), files{prod: config("1")})
	side := w.commit("bob", files{prod: config("2")}, root)
	two := w.commit("alice", files{prod: config("2")}, root, side)
	other := w.commit("dev", files{dev: config("x")}, two)

	back := w.accepts(root, w.commit("bob", files{prod: config("1")}, other))
	if j := back.Steps()[2].Judged; !slices.ContainsFunc(j, func(j Judged) bool { return j.Basis == ByRollback && j.Needed == 1 }) {
		t.Errorf("%+v", j)
	}
	w.accepts(other, back.Revision())
	w.refuses(other, w.commit("dev", files{prod: config("1")}, other), "trust/approvals")
	w.refuses(other, w.commit("bob", files{prod: config("3")}, other), "trust/approvals")
	w.refuses(other, w.commit("bob", files{prod: ""}, other), "trust/approvals")
}

func TestRollbackIsBounded(t *testing.T) {
	w := newWorld(t)
	p := design()
	p.rules[1] = `{paths: [".lcm/**", ".sops.yaml", "lcm.yaml", "schemas/**", "policies/**"], roles: [global-admin], approvals: 2, rollbackApprovals: 1}`
	// What stood before the introduction was never accepted.
	before := w.commit("alice", files{policyFile: p.String(), "lcm.yaml": settingsText, prod: config("old"), "schemas/cue/x.cue": "a: 1\n"})
	root := w.commit("alice", files{prod: config("1")}, before)
	w.cfg.Introduction = root
	w.refuses(root, w.commit("bob", files{prod: config("old")}, root), "trust/approvals")

	// Settings are never rolled back, even where a rule says so; nor are sealed values, nor content
	// that was only in a commit of a side branch.
	sealed := service + "production/key.sops.yaml"
	next := files{"schemas/cue/x.cue": "a: 2\n", sealed: secret("one")}
	side := w.commit("carol", next, root)
	mid := w.commit("alice", next, root, side)
	next = files{sealed: secret("two"), prod: config("2")}
	s1 := w.commit("bob", files{prod: config("draft")}, mid)
	s2 := w.commit("bob", next, s1)
	head := w.commit("alice", next, mid, s2)
	w.accepts(root, head)
	w.refuses(head, w.commit("alice", files{"schemas/cue/x.cue": "a: 1\n"}, head), "trust/approvals")
	w.refuses(head, w.commit("bob", files{sealed: secret("one")}, head), "trust/approvals")
	w.refuses(head, w.commit("bob", files{prod: config("draft")}, head), "trust/approvals")
	w.accepts(head, w.commit("bob", files{prod: config("1")}, head))
}

func secret(data string) string {
	return "apiVersion: lcm/v1\nkind: Secret\nmetadata: {owner: team, address: acme-corp/ml/chat/production/key}\nspec:\n  type: api-key\n  data: {key: \"ENC[" +
		data + "]\"}\nsops: {mac: \"ENC[" + data + "]\"}\n"
}

func TestRotationBot(t *testing.T) {
	sealed := service + "production/key.sops.yaml"
	w := newWorld(t)
	root := w.introduce(design(), files{sealed: secret("one"), prod: config("1")})
	v := w.accepts(root, w.commit("rotator", files{sealed: secret("two")}, root))
	if j := v.Steps()[0].Judged; j[0].Basis != ByRotation || !slices.Equal(v.Steps()[0].Approvers, []string{"rotator"}) {
		t.Errorf("%+v", j)
	}
	for name, f := range map[string]files{
		"another document with it": {sealed: secret("two"), prod: config("2")},
		"metadata":                 {sealed: strings.Replace(secret("two"), "owner: team", "owner: me", 1)},
		"type":                     {sealed: strings.Replace(secret("two"), "type: api-key", "type: opaque", 1)},
		"a new secret":             {service + "production/new.sops.yaml": secret("two")},
		"removal":                  {sealed: ""},
		"not sealed":               {sealed: strings.Replace(secret("two"), "sops:", "soap:", 1)},
		"no yaml":                  {sealed: "]"},
		"where it is not named":    {service + "staging/key.sops.yaml": secret("two")},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.refuses(root, w.commit("rotator", f, root), "trust/approvals")
		})
	}
	w.t = t
	// A person named in no rotation needs the usual approvals.
	w.refuses(root, w.commit("bob", files{sealed: secret("two")}, root), "trust/approvals")
}

// Being named does not carry a bot beyond its tenant.
func TestRotationStaysInItsTenant(t *testing.T) {
	sealed := "namespaces/globex/ml/chat/production/key.sops.yaml"
	w := newWorld(t)
	p := design()
	p.rules = append(p.rules[2:], `{paths: [".lcm/**", "lcm.yaml"], roles: [global-admin], approvals: 2}`)
	root := w.introduce(p, files{sealed: secret("one")})
	w.refuses(root, w.commit("rotator", files{sealed: secret("two")}, root), "trust/approvals")
}

// A rule that says nothing of rotation still holds.
func TestRotationMeetsOtherRules(t *testing.T) {
	sealed := service + "production/key.sops.yaml"
	for rule, ok := range map[string]bool{
		`{paths: ["namespaces/acme-corp/**"], roles: [service-account, operator], approvals: 1}`: true,
		`{paths: ["namespaces/acme-corp/**"], roles: [operator], approvals: 1}`:                  false,
		`{paths: ["namespaces/acme-corp/**"], roles: ["*"], approvals: 2}`:                       false,
	} {
		w := newWorld(t)
		p := design()
		p.rules = append(p.rules, rule)
		root := w.introduce(p, files{sealed: secret("one")})
		head := w.commit("rotator", files{sealed: secret("two")}, root)
		if ok {
			w.accepts(root, head)
		} else {
			w.refuses(root, head, "trust/approvals")
		}
	}
}

func TestConsentSigned(t *testing.T) {
	w := newWorld(t)
	p := design()
	p.rules[2] = `{paths: ["namespaces/*/*/*/production/**"], roles: [operator, global-admin], approvals: 2, consent: signed}`
	root := w.introduce(p, nil)
	side := w.commit("bob", files{prod: config("2")}, root)
	w.refuses(root, w.commit("alice", files{prod: config("2")}, root, side), "trust/approvals")
}

func TestErrorsAreNotRefusals(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	gone := lcm.Revision(strings.Repeat("1", 40))
	var r *Refusal
	for name, call := range map[string]func() (Verified, error){
		"missing head": func() (Verified, error) { return w.verify(root, gone) },
		"bad id":       func() (Verified, error) { return w.verify(root, "main") },
		"no first-seen": func() (Verified, error) {
			c := w.cfg
			c.FirstSeen = nil
			return Verify(t.Context(), w.repo, c, root, root)
		},
		"zero first-seen": func() (Verified, error) {
			c := w.cfg
			c.FirstSeen = func(lcm.Revision) time.Time { return time.Time{} }
			return Verify(t.Context(), w.repo, c, root, root)
		},
		"cancelled": func() (Verified, error) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return Verify(ctx, w.repo, w.cfg, root, w.commit("dev", files{dev: "x"}, root))
		},
	} {
		if v, err := call(); err == nil || errors.As(err, &r) || !v.IsZero() {
			t.Errorf("%s: %v, believed %q", name, err, v.Revision())
		}
	}
}

func TestIntroductionMovesForwardOnly(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	a := w.commit("dev", files{dev: config("1")}, root)
	b := w.commit("dev", files{dev: config("2")}, a)
	w.cfg.Introduction = a
	w.accepts(b, b)
	w.accepts(a, b)
	w.cfg.Introduction = b
	for _, last := range []lcm.Revision{root, a} {
		if v, err := w.verify(last, b); !v.IsZero() || !strings.Contains(err.Error(), "trust/introduction") {
			t.Errorf("believed %q, %v", v.Revision(), err)
		}
	}
	w.cfg.Introduction = w.commit("dev", files{dev: config("3")}, a)
	if v, err := w.verify(b, b); !v.IsZero() || !strings.Contains(err.Error(), "trust/introduction") {
		t.Errorf("believed %q, %v", v.Revision(), err)
	}
}

// A cache changes nothing but the work.
func TestCache(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	w.cfg.Cache = &Cache{}
	a := w.commit("dev", files{dev: config("1")}, root)
	for range 2 {
		w.accepts(root, a)
		w.accepts(a, a)
		w.refuses(a, w.commit("", files{dev: config("2")}, a), "trust/unsigned")
	}
	if len(w.cfg.Cache.policies) != 1 {
		t.Errorf("%d policies for one", len(w.cfg.Cache.policies))
	}
	w.cfg.Introduction = a
	w.refuses0(root, root)
}

func (w *world) refuses0(last, head lcm.Revision) {
	w.t.Helper()
	if v, err := w.verify(last, head); err == nil || !v.IsZero() {
		w.t.Errorf("believed %q, %v", v.Revision(), err)
	}
}
