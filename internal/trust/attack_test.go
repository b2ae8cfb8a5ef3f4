package trust

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Each attack is carried out on a real repository. The numbers are those of the list of attacks.
func TestAttacks(t *testing.T) {
	for name, attack := range map[string]func(*world){
		"1 a commit adds its own key and is signed by it": func(w *world) {
			root := w.introduce(design(), nil)
			p := design().next().with("mallory", person("global-admin", sshEntry("mallory")))
			w.refuses(root, w.commit("mallory", files{policyFile: p.String()}, root), "trust/unknown-key")
		},
		"2 a commit weakens the rules that it is judged by": func(w *world) {
			root := w.introduce(design(), nil)
			p := design().next()
			p.rules = []string{`{paths: ["**"], roles: ["*"], approvals: 1}`}
			w.refuses(root, w.commit("alice", files{policyFile: p.String(), prod: config("1")}, root), "trust/approvals")
		},
		"3 the policy is rolled back to an older one": func(w *world) {
			root := w.introduce(design(), nil)
			newer := w.newPolicy(design().next().with("dev", ""), root)
			w.accepts(root, newer)
			w.refuses(newer, w.newPolicy(design(), newer), "trust/policy-version")
			skipped := design()
			skipped.version = 4
			w.refuses(newer, w.newPolicy(skipped, newer), "trust/policy-version")
			same := design().with("bob", "")
			same.version = 2
			w.refuses(newer, w.newPolicy(same, newer), "trust/policy-version")
		},
		"4 the branch is moved back": func(w *world) {
			root := w.introduce(design(), nil)
			a := w.commit("dev", files{dev: config("1")}, root)
			b := w.commit("dev", files{dev: config("2")}, a)
			if r := w.refuses(b, a, "trust/rewritten"); !strings.Contains(r.Reason, "moved back") {
				w.t.Error(r)
			}
			w.refuses(b, root, "trust/rewritten")
			w.refuses(b, w.commit("dev", files{dev: config("3")}, a), "trust/rewritten")
		},
		"5 the branch is moved to a signed commit of another branch": func(w *world) {
			root := w.introduce(design(), nil)
			a := w.commit("dev", files{dev: config("1")}, root)
			w.refuses(a, w.commit("alice", files{dev: config("2")}, root), "trust/rewritten")
			w.refuses(root, w.commit("alice", files{prod: config("2")}, root), "trust/approvals")
		},
		"6 the history is offered as another repository": func(w *world) {
			root := w.introduce(design(), nil)
			w.cfg.Repository = "globex-config"
			w.refuses(root, w.commit("dev", files{dev: config("1")}, root), "trust/wrong-repository")
			w.cfg.Repository, w.cfg.Branch = "acme-config", "release"
			w.refuses("", w.commit("dev", files{dev: config("1")}, root), "trust/wrong-repository")
		},
		"9 a signed merge over unsigned or unknown parents": func(w *world) {
			root := w.introduce(design(), nil)
			for who, rule := range map[string]string{"": "trust/unsigned", "mallory": "trust/unknown-key"} {
				bad := w.commit(who, files{dev: config("1")}, root)
				good := w.commit("dev", files{dev: config("2")}, bad)
				merge := w.commit("alice", files{dev: config("2")}, root, good)
				if r := w.refuses(root, merge, rule); r.Commit != bad {
					w.t.Error(r)
				}
			}
		},
		"10 a merge differs from both parents": func(w *world) {
			root := w.introduce(design(), nil)
			side := w.commit("bob", files{prod: config("2")}, root)
			r := w.refuses(root, w.commit("dave", files{prod: config("3")}, root, side), "trust/approvals")
			if !strings.Contains(r.Reason, "dave's counts") {
				w.t.Error(r)
			}
			extra := service + "production/extra.yaml"
			r = w.refuses(root, w.commit("dave", files{prod: config("2"), extra: config("1")}, root, side), "trust/approvals")
			if r.Path != extra {
				w.t.Error(r)
			}
		},
		"11 octopus": func(w *world) {
			root := w.introduce(design(), nil)
			a := w.commit("bob", files{prod: config("2")}, root)
			b := w.commit("dev", files{dev: config("1")}, root)
			bad := w.commit("", files{dev: config("1")}, root)
			both := files{prod: config("2"), dev: config("1")}
			w.accepts(root, w.commit("alice", both, root, a, b))
			w.refuses(root, w.commit("alice", both, root, a, b, bad), "trust/unsigned")
		},
		"11 criss-cross": func(w *world) {
			root := w.introduce(design(), nil)
			a := w.commit("dev", files{dev: config("1")}, root)
			b := w.commit("bob", files{dev2: config("1")}, root)
			ab := w.commit("dev", files{dev2: config("1")}, a, b)
			ba := w.commit("bob", files{dev: config("1")}, b, a)
			w.accepts(root, w.commit("alice", nil, ab, ba))
		},
		"11 unrelated root": func(w *world) {
			root := w.introduce(design(), nil)
			other := w.commit("bob", files{prod: config("2")})
			w.refuses(root, w.commit("alice", files{prod: config("2")}, root, other), "trust/approvals")
			other = w.commit("", files{dev: config("2")})
			w.refuses(root, w.commit("alice", files{dev: config("2")}, root, other), "trust/unsigned")
			other = w.commit("dev", files{dev: config("2")})
			w.accepts(root, w.commit("alice", files{dev: config("2")}, root, other))
		},
		"12 a bad change and its revert in one push": func(w *world) {
			root := w.introduce(design(), files{prod: config("1")})
			bad := w.commit("dev", files{prod: config("evil")}, root)
			if r := w.refuses(root, w.commit("dev", files{prod: config("1")}, bad), "trust/approvals"); r.Commit != bad {
				w.t.Error(r)
			}
		},
		"16 a principal's key under another's name": func(w *world) {
			root := w.introduce(design(), nil)
			p := design().next().with("zoe", person("global-admin", sshEntry("alice")))
			w.refuses(root, w.newPolicy(p, root), "trust/policy-unsound")
		},
		"19 a committer date before the key's end": func(w *world) {
			end := now.Add(-time.Hour)
			key := fmt.Sprintf("{ssh: %q, notAfter: %s}", publicLine(sshKey("bob")), end.Format(time.RFC3339))
			root := w.introduce(design().with("bob", person(`"operator:acme-corp"`, key)), nil)
			late, err := w.repo.Write(gitrepo.Edit{Parents: []lcm.Revision{root}, Files: map[string][]byte{dev: []byte("x: 1\n")},
				Author: gitrepo.Ident{Name: "bob", Email: "b@example.org", When: end.Add(-time.Hour)}, Message: "x\n", Sign: gitrepo.SSHSigner(sshKey("bob"))})
			if err != nil {
				w.t.Fatal(err)
			}
			w.refuses(root, late, "trust/expired-key")
			w.seen[late] = end.Add(-time.Minute)
			w.accepts(root, late)
		},
		"20 the author is not the signer": func(w *world) {
			root := w.introduce(design(), nil)
			head, err := w.repo.Write(gitrepo.Edit{Parents: []lcm.Revision{root}, Files: map[string][]byte{prod: []byte(config("1"))},
				Author: gitrepo.Ident{Name: "alice", Email: "alice@acme.example", When: now}, Message: "x\n\nSigned-off-by: carol\n", Sign: gitrepo.SSHSigner(sshKey("bob"))})
			if err != nil {
				w.t.Fatal(err)
			}
			w.refuses(root, head, "trust/approvals")
			dev := w.commit("dev", files{dev: config("1")}, root)
			if s := w.accepts(root, dev).Steps()[0]; s.Signer != "dev" || s.Author.Name != "Somebody" {
				w.t.Errorf("%+v", s)
			}
		},
		"21 one person with two keys; a bot": func(w *world) {
			root := w.introduce(design(), nil)
			side := w.commit("dave", files{prod: config("2")}, root)
			w.refuses(root, w.commit("dave2", files{prod: config("2")}, root, side), "trust/approvals")
			r := w.refuses(root, w.commit("rotator", files{prod: config("2")}, root, side), "trust/approvals")
			if !strings.Contains(r.Reason, "rotator is a bot") {
				w.t.Error(r)
			}
			botSide := w.commit("rotator", files{prod: config("2")}, root)
			w.refuses(root, w.commit("dave", files{prod: config("2")}, root, botSide), "trust/approvals")
			w.refuses(root, w.commit("rotator", files{dev: config("2")}, root), "trust/approvals")
		},
		"52 a lower layer changes what production resolves to": func(w *world) {
			root := w.introduce(design(), files{base: config("1"), service + "base/own.yaml": config("1"), service + "production/own.yaml": config("2")})
			r := w.refuses(root, w.commit("dev", files{base: config("2")}, root), "trust/approvals")
			if r.Path != base || !strings.Contains(r.Reason, prod) {
				w.t.Error(r)
			}
			tombstone := strings.Replace(config("2"), "kind: Config", "kind: Tombstone", 1)
			w.refuses(root, w.commit("dev", files{service + "staging/model.yaml": strings.Split(tombstone, "spec:")[0]}, root), "trust/approvals")
			w.refuses(root, w.commit("dev", files{base: ""}, root), "trust/approvals")
			w.accepts(root, w.commit("dev", files{service + "base/own.yaml": config("3")}, root)) // production has its own
			side := w.commit("bob", files{base: config("2")}, root)
			w.accepts(root, w.commit("alice", files{base: config("2")}, root, side)) // the same consents count
			w.refuses(root, w.commit("dev", files{base: config("2")}, root, side), "trust/approvals")
		},
		"53 a merge with swapped parents": func(w *world) {
			root := w.introduce(design(), nil)
			main := w.commit("dev", files{dev: config("1")}, root)
			side := w.commit("dev", files{dev2: config("1")}, root)
			r := w.refuses(main, w.commit("alice", files{dev: config("1")}, side, main), "trust/rewritten")
			if !strings.Contains(r.Reason, "swapped") {
				w.t.Error(r)
			}
		},
		"54 a fork renames the repository": func(w *world) {
			root := w.introduce(design(), nil)
			p := design().next()
			p.repository = "fork"
			w.refuses(root, w.newPolicy(p, root), "trust/wrong-repository")
			p = design().next()
			p.branch = "fork"
			w.refuses(root, w.newPolicy(p, root), "trust/wrong-repository")
		},
		"55 documents of another's tenant": func(w *world) {
			root := w.introduce(design(), nil)
			w.refuses(root, w.commit("alice", files{"namespaces/initech/a/b/development/k.yaml": config("1")}, root), "trust/outside-tenants")
			w.refuses(root, w.commit("gus", files{dev: config("1")}, root), "trust/approvals")
			w.accepts(root, w.commit("gus", files{"namespaces/globex/a/b/development/k.yaml": config("1")}, root))
			w.refuses(root, w.commit("gus", files{"README.md": "x"}, root), "trust/approvals")
			w.cfg.Tenants = nil
			w.refuses(root, w.commit("gus", files{"namespaces/globex/a/b/development/k.yaml": config("1")}, root), "trust/outside-tenants")
			w.cfg.Tenants = []string{"*"}
			w.accepts(root, w.commit("alice", files{"namespaces/initech/a/b/development/k.yaml": config("1")}, root))
		},
		"56 consent to what main has left behind": func(w *world) {
			root := w.introduce(design(), nil)
			side := w.commit("bob", files{prod: config("bob")}, root)
			other := w.commit("dave", files{prod: config("new")}, root)
			main := w.commit("alice", files{prod: config("new")}, root, other)
			w.accepts(root, main)
			w.refuses(main, w.commit("carol", files{prod: config("mixed")}, main, side), "trust/approvals")
		},
		"57 an abandoned draft, the middle of a branch": func(w *world) {
			root := w.introduce(design(), nil)
			draft := w.commit("bob", files{prod: config("draft")}, root)
			final := w.commit("bob", files{prod: config("final")}, draft)
			w.refuses(root, w.commit("dave", files{prod: config("draft")}, root, final), "trust/approvals")
			w.refuses(root, w.commit("dave", files{prod: config("other")}, root, draft), "trust/approvals")
			// withdrawn by bob, put back by somebody else
			back := w.commit("dev", files{prod: config("draft")}, final)
			w.refuses(root, w.commit("dave", files{prod: config("draft")}, root, back), "trust/approvals")
			// a branch whose fork is old
			w.cfg.AcceptedAt = func(r lcm.Revision) (time.Time, bool) { return now.Add(-31 * 24 * time.Hour), r == root }
			r := w.refuses(root, w.commit("dave", files{prod: config("draft")}, root, draft), "trust/approvals")
			if !strings.Contains(r.Reason, "bob") || !strings.Contains(r.Reason, "30 days") {
				w.t.Error(r)
			}
			w.cfg.AcceptedAt = func(r lcm.Revision) (time.Time, bool) { return now.Add(-29 * 24 * time.Hour), r == root }
			w.accepts(root, w.commit("dave", files{prod: config("draft")}, root, draft))
			// a branch that forks from what was never accepted
			w.cfg.AcceptedAt = func(r lcm.Revision) (time.Time, bool) { return time.Time{}, false }
			main := w.commit("dev", files{dev: config("1")}, root)
			w.refuses(main, w.commit("dave", files{prod: config("draft")}, main, draft), "trust/approvals")
		},
		"58 a narrow lenient rule": func(w *world) {
			p := design()
			p.rules = append(p.rules, `{paths: ["namespaces/acme-corp/ml/chat/production/**"], roles: ["*"], approvals: 1}`)
			root := w.introduce(p, nil)
			w.refuses(root, w.commit("dev", files{prod: config("1")}, root), "trust/approvals")
		},
		"59 a policy that nobody can satisfy": func(w *world) {
			root := w.introduce(design(), nil)
			w.refuses(root, w.newPolicy(design().next().with("carol", ""), root), "trust/policy-unsound")
			p := design().next()
			p.rules = append(p.rules, `{paths: ["lcm.yaml"], roles: [global-admin], approvals: 3}`)
			w.refuses(root, w.newPolicy(p, root), "trust/policy-unsound")
			ended := fmt.Sprintf("{ssh: %q, notAfter: 2026-01-01T00:00:00Z}", publicLine(sshKey("carol")))
			w.refuses(root, w.newPolicy(design().next().with("carol", person("global-admin", ended)), root), "trust/policy-unsound")
			side := w.commit("carol", files{policyFile: ""}, root)
			w.refuses(root, w.commit("alice", files{policyFile: ""}, root, side), "trust/policy-unsound")
			p = design().next()
			p.version = 1 << 53
			w.refuses(root, w.newPolicy(p, root), "trust/policy-unsound")
		},
		"a path that no rule matches": func(w *world) {
			p := design()
			p.rules = p.rules[1:]
			root := w.introduce(p, nil)
			w.refuses(root, w.commit("alice", files{"README.md": "x"}, root), "trust/no-rule")
		},
		"a tenant's file that skips a version": func(w *world) {
			tenant := func(version int) files {
				return files{tenantsDir + "/acme-corp.yaml": fmt.Sprintf("apiVersion: lcm/v1\nkind: TenantPolicy\nversion: %d\n", version)}
			}
			root := w.introduce(design(), nil)
			make := func(parent lcm.Revision, version int) lcm.Revision {
				return w.commit("alice", tenant(version), parent, w.commit("carol", tenant(version), parent))
			}
			w.refuses(root, make(root, 2), "trust/policy-version")
			one := make(root, 1)
			w.accepts(root, one)
			w.refuses(one, make(one, 3), "trust/policy-version")
			w.accepts(one, make(one, 2))
		},
	} {
		t.Run(name, func(t *testing.T) { attack(newWorld(t)) })
	}
}
