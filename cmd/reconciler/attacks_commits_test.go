package main

import (
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// attacksOnCommits are about which commits there are, in what order, and by whom.
var attacksOnCommits = map[string]func(*attacked){
	"1 a commit brings its own key": func(a *attacked) {
		own := nextPolicy("rules:", "  mallory: {roles: [global-admin], keys: [{ssh: \"${mallory}\"}]}\nrules:")
		a.refused(a.by("mallory", map[string]string{".lcm/trust.yaml": own}), "trust/unknown-key", "belongs to nobody", "judged by version 1")
		first := a.by("mallory", map[string]string{".lcm/trust.yaml": own})
		if r := a.refused(a.by("mallory", map[string]string{prodLimit: config("0")}, first), "trust/unknown-key"); r.Commit != first {
			a.t.Errorf("refused is %s", r.Commit)
		}
		a.refused(a.by("alice", map[string]string{".lcm/trust.yaml": own}, a.good, first), "trust/unknown-key", "brings this commit in")
		a.refused(a.by("alice", map[string]string{".lcm/trust.yaml": own}), "trust/approvals", "2")
		a.refused(a.by("nobody", map[string]string{".lcm/trust.yaml": own}), "trust/unsigned")
		tenant := "apiVersion: lcm/v1\nkind: TenantPolicy\nversion: 1\nprincipals:\n  mallory: {roles: [\"operator:acme\"], keys: [{ssh: \"" + publicKey("mallory") + "\"}]}\n"
		a.refused(a.by("mallory", map[string]string{".lcm/tenants/acme.yaml": tenant}), "trust/unknown-key")
		a.refused(a.by("bob", map[string]string{".lcm/tenants/acme.yaml": tenant}), "trust/approvals", "global-admin")
		mine := nextPolicy(`bob: {roles: ["operator:acme"]`, `bob: {roles: [global-admin]`)
		a.refused(a.by("bob", map[string]string{".lcm/trust.yaml": mine, prodLimit: config("0")}), "trust/approvals")
	},
	"2 a commit weakens what judges it": func(a *attacked) {
		for file, text := range map[string]string{
			".lcm/trust.yaml":           nextPolicy("approvals: 2, rollbackApprovals: 1", "approvals: 1"),
			".lcm/access.yaml":          "apiVersion: lcm/v1\nkind: AccessPolicy\nrules: [{principals: [mallory], namespaces: [\"**\"], kinds: [\"*\"], actions: [get]}]\n",
			".sops.yaml":                "creation_rules:\n  - {path_regex: '^namespaces/.*$', encrypted_regex: '^(data|previous)$', age: age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq}\n",
			"lcm.yaml":                  "apiVersion: lcm/v1\nkind: Repository\nname: test-config\nrules: \"1\"\nenvironments: {production: {}}\ntargets: {runtime: {}}\nroutes: [{match: {namespaces: [\"**\"], kinds: [\"*\"]}, target: runtime}]\n",
			"schemas/cue/loose.cue":     "package lcm\n\n#Config: spec: value: _\n",
			"policies/rego/loose.rego":  "package lcm.loose\n\nwarn := set()\n",
			".lcm/tenants/acme.yaml":    "apiVersion: lcm/v1\nkind: TenantPolicy\nversion: 1\n",
			"schemas/deep/er/than.cue":  "x",
			"policies/data/limits.yaml": "x",
		} {
			for _, who := range []string{"alice", "bob", "dev"} {
				a.refused(a.by(who, map[string]string{file: text, prodLimit: config("0")}), "trust/approvals")
				a.refused(a.by(who, map[string]string{file: text}), "trust/approvals")
			}
			a.refused(a.agreed("bob", "alice", map[string]string{file: text}), "trust/approvals", "global-admin", "alice's counts")
		}
	},
	"2 the built-in rules cannot be loosened": func(a *attacked) {
		key := config("'sk-proj-Zq3xT9vK2mW8rB5nY7cJ4hL6pF1sD0gAT3BlbkFJe5uX8iO2aQ9wE7tR4yU6'")
		a.held(a.agreed("alice", "carol", map[string]string{"policies/rego/loose.rego": "package lcm.loose\n\nallow := true\n\nwarn contains x if {\n\tfalse\n\tx := {}\n}\n", devTone: key}), "secret/openai-key")
		a.held(a.agreed("alice", "carol", map[string]string{"policies/rego/base.rego": "package lcm.base\n\ndeny := set()\n"}), "policy/output")
		a.held(a.agreed("alice", "carol", map[string]string{"policies/rego/base.rego": "", "schemas/cue/any.cue": "package lcm\n\n#Config: {...}\n"}), "secret/openai-key")
	},
	"3 the policy is rolled back": func(a *attacked) {
		newer := nextPolicy(`  dev: {roles: ["developer:acme"], keys: [{ssh: "${dev}"}]}`+"\n", "")
		a.accepted(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": newer}))
		again := func(text string) lcm.Revision {
			return a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": text})
		}
		a.refused(again(policy()), "trust/policy-version", "must be 3", "it is 1")
		a.refused(again(nextPolicy()), "trust/policy-version", "it is 2")
		a.refused(again(policy("version: 1", "version: 4")), "trust/policy-version", "it is 4")
		a.refused(a.by("dev", map[string]string{devTone: config("x")}), "trust/unknown-key")
		tenant := func(version string) lcm.Revision {
			return a.agreed("alice", "carol", map[string]string{".lcm/tenants/acme.yaml": "apiVersion: lcm/v1\nkind: TenantPolicy\nversion: " + version + "\n"})
		}
		a.refused(tenant("2"), "trust/policy-version", "must be 1")
		a.accepted(tenant("1"))
		a.refused(tenant("3"), "trust/policy-version", "must be 2")
	},
	"4 the branch is moved back": func(a *attacked) {
		a.refused(a.intro, "trust/rewritten", "moved back")
		a.refused(a.by("alice", map[string]string{devTone: config("x")}, a.intro), "trust/rewritten")
		a.refused(a.by("alice", nil, a.intro), "trust/rewritten")
	},
	"5 the branch is moved to another branch's commit": func(a *attacked) {
		a.refused(a.by("alice", map[string]string{devTone: config("topic")}, a.intro), "trust/rewritten")
		topic := a.by("bob", map[string]string{prodLimit: config("0")})
		a.refused(topic, "trust/approvals", "bob's counts")
		a.refused(a.by("bob", map[string]string{devTone: config("x")}, topic), "trust/approvals")
		release := a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": nextPolicy("branch: main", "branch: release")})
		a.refused(release, "trust/wrong-repository", `branch "release"`)
	},
	"6 the history is offered as another repository": func(a *attacked) {
		other := *a
		other.config = a.daemon("other", map[string]string{"secrets": "{type: bolt, path: out/secrets.db}", "runtime": "{type: file, path: out/runtime}"})
		for was, is := range map[string]string{"name: test-config": "name: other-config", "branch: main": "branch: release"} {
			a.write("other/reconciler.yaml", strings.Replace(read(a.t, a.config), was, is, 1))
			a.write("origin.git/refs/heads/release", string(a.good)+"\n")
			code, report, text := other.pass()
			if code != exitRefused || report.Refusal == nil || report.Refusal.Rule != "trust/wrong-repository" || exists(a.path("other/out/runtime/acme")) {
				a.t.Errorf("%s: exit code %d\n%s", is, code, text)
			}
		}
		root := a.object("alice", nil, map[string]string{".lcm/trust.yaml": policy(), "lcm.yaml": read(a.t, "testdata/base/repo/lcm.yaml"), prodLimit: config("0")})
		a.refused(root, "trust/rewritten")
		a.refused(a.by("alice", map[string]string{prodLimit: config("0")}, root, a.good), "trust/rewritten")
	},
	"9 a signed merge over commits that are nobody's": func(a *attacked) {
		for who, rule := range map[string]string{"nobody": "trust/unsigned", "mallory": "trust/unknown-key"} {
			bad := a.by(who, map[string]string{devTone: config("evil")})
			good := a.by("dev", map[string]string{devTone: config("fine")}, bad)
			for _, head := range []lcm.Revision{
				a.by("alice", map[string]string{devTone: config("fine")}, a.good, good),
				a.by("alice", nil, a.good, a.by("dev", nil, a.good), good), // an octopus, tree as the first parent's
				a.by("alice", nil, a.good, a.by("bob", nil, a.good, good)), // a merge within the branch
				good, // no merge: on the branch itself
			} {
				if r := a.refused(head, rule); r.Commit != bad {
					a.t.Errorf("refused is %s, not %s", r.Commit, bad)
				}
			}
		}
	},
	"9 a key that was removed comes back on an older branch": func(a *attacked) {
		older := a.by("dev", map[string]string{devTone: config("older")})
		a.accepted(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": nextPolicy(`  dev: {roles: ["developer:acme"], keys: [{ssh: "${dev}"}]}`+"\n", "")}))
		a.refused(a.by("alice", map[string]string{devTone: config("older")}, a.good, older), "trust/unknown-key", "brings this commit in")
	},
	"10 a merge differs from both parents": func(a *attacked) {
		side := a.by("bob", map[string]string{prodLimit: config("700")})
		a.refused(a.by("dan", map[string]string{prodLimit: config("0")}, a.good, side), "trust/approvals", "dan's counts")
		extra := api + "production/extra.yaml"
		if r := a.refused(a.by("dan", map[string]string{prodLimit: config("700"), extra: config("1")}, a.good, side), "trust/approvals"); r.Path != extra {
			a.t.Errorf("refused for %s", r.Path)
		}
		a.refused(a.by("dan", map[string]string{prodLimit: config("700"), api + "production/own.yaml": ""}, a.good, side), "trust/approvals")
		a.refused(a.by("dev", map[string]string{prodLimit: config("700")}, a.good, side), "trust/approvals", "dev has no role that counts")
		a.accepted(a.by("dan", map[string]string{prodLimit: config("700")}, a.good, side))
	},
	"11 octopus": func(a *attacked) {
		one := a.by("bob", map[string]string{prodLimit: config("700")})
		two := a.by("dev", map[string]string{devTone: config("two")})
		bad := a.by("nobody", map[string]string{devTone: config("two")})
		both := map[string]string{prodLimit: config("700"), devTone: config("two")}
		a.refused(a.by("alice", both, a.good, one, two, bad), "trust/unsigned")
		a.refused(a.by("alice", both, a.good, bad, two, one), "trust/unsigned")
		a.accepted(a.by("alice", both, a.good, one, two))
	},
	"11 criss-cross": func(a *attacked) {
		one := a.by("dev", map[string]string{devTone: config("one")})
		bad := a.by("mallory", map[string]string{baseLimit: config("0")})
		x := a.by("dev", map[string]string{baseLimit: config("0")}, one, bad)
		y := a.by("dev", map[string]string{devTone: config("one")}, bad, one)
		a.refused(a.by("alice", map[string]string{devTone: config("one")}, a.good, x, y), "trust/unknown-key")
		two := a.by("dev", map[string]string{api + "development/two.yaml": config("two")})
		both := map[string]string{devTone: config("one"), api + "development/two.yaml": config("two")}
		a.accepted(a.by("alice", both, a.good, a.by("dev", both, one, two), a.by("bob", both, two, one)))
	},
	"11 unrelated root": func(a *attacked) {
		a.refused(a.by("alice", map[string]string{prodLimit: config("0")}, a.good, a.object("bob", nil, map[string]string{prodLimit: config("0")})), "trust/approvals", "alice's counts")
		a.refused(a.by("alice", nil, a.good, a.object("nobody", nil, map[string]string{devTone: config("0")})), "trust/unsigned")
		a.refused(a.by("alice", nil, a.good, a.object("mallory", nil, map[string]string{devTone: config("0")})), "trust/unknown-key")
	},
	"11 shallow and grafted history": func(a *attacked) {
		bad := a.by("mallory", map[string]string{devTone: config("evil")})
		head := a.by("dev", map[string]string{devTone: config("fine")}, bad)
		a.write("origin.git/info/grafts", string(head)+" "+string(a.good)+"\n")
		a.write("origin.git/shallow", string(head)+"\n")
		if r := a.refused(head, "trust/unknown-key"); r.Commit != bad {
			a.t.Errorf("refused is %s", r.Commit)
		}
		a.write("one/state/mirror-test-config.git/info/grafts", string(head)+" "+string(a.good)+"\n")
		a.refused(head, "trust/unknown-key")
		// A hole where the parent should be is no history: the pass cannot be made.
		hole := a.by("mallory", map[string]string{devTone: config("hole")})
		top := a.by("dev", map[string]string{devTone: config("top")}, hole)
		a.forget(hole)
		a.write("origin.git/shallow", string(top)+"\n")
		a.failed(top, string(hole))
	},
	"12 a bad change and its revert in one push": func(a *attacked) {
		bad := a.by("dev", map[string]string{prodLimit: config("0")})
		head := a.by("dev", map[string]string{prodLimit: config("600")}, bad)
		if r := a.refused(head, "trust/approvals"); r.Commit != bad {
			a.t.Errorf("refused is %s", r.Commit)
		}
		bad = a.by("nobody", map[string]string{devTone: config("evil")})
		a.refused(a.by("alice", map[string]string{devTone: config("cool")}, bad), "trust/unsigned")
		bad = a.by("alice", map[string]string{".lcm/trust.yaml": nextPolicy("approvals: 2, roll", "approvals: 1, roll")})
		a.refused(a.by("alice", map[string]string{".lcm/trust.yaml": policy()}, bad), "trust/approvals")
	},
	"12 what is good before it is in force": func(a *attacked) {
		fine := a.by("dev", map[string]string{devTone: config("fine")})
		a.point(a.by("dev", map[string]string{prodLimit: config("0")}, fine))
		if code, report, text := a.pass(); code != exitRefused || report.Revision != fine || report.Refusal.Rule != "trust/approvals" {
			a.t.Errorf("exit code %d\n%s", code, text)
		}
		if value := read(a.t, a.path("one/out/runtime/acme/app/api/production/limit.json")); strings.TrimSpace(value) != "600" {
			a.t.Errorf("production holds %s", value)
		}
		a.good, a.served = fine, a.targets()
	},
	"19 a committer date before the key's end": func(a *attacked) {
		end := time.Now().Add(2 * time.Second)
		ends := nextPolicy(`bob: {roles: ["operator:acme"], keys: [{ssh: "${bob}"}]`, `bob: {roles: ["operator:acme"], keys: [{ssh: "${bob}", notAfter: `+end.UTC().Format(time.RFC3339)+`}]`)
		a.accepted(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": ends}))
		time.Sleep(time.Until(end.Add(time.Second)))
		before := gitrepo.Ident{Name: "bob", Email: "bob@example.org", When: end.Add(-24 * time.Hour)}
		late := a.signedBy(gitrepo.SSHSigner(signerOf("bob")), before, "x\n", map[string]string{devTone: config("late")}, a.good)
		a.refused(late, "trust/expired-key", "was valid until")
		a.refused(a.by("alice", map[string]string{devTone: config("late")}, a.good, late), "trust/expired-key", "brings this commit in")
	},
	"20 the author is not the signer": func(a *attacked) {
		carol := gitrepo.Ident{Name: "carol", Email: "carol@example.org", When: time.Now()}
		message := "x\n\nSigned-off-by: alice\nCo-authored-by: carol <carol@example.org>\nReviewed-by: dan\nApproved-by: dan\n"
		bob := gitrepo.SSHSigner(signerOf("bob"))
		a.refused(a.signedBy(bob, carol, message, map[string]string{prodLimit: config("0")}, a.good), "trust/approvals", "bob's counts")
		a.refused(a.signedBy(nil, carol, message, map[string]string{prodLimit: config("0")}, a.good), "trust/unsigned")
		a.refused(a.signedBy(gitrepo.SSHSigner(signerOf("mallory")), carol, message, map[string]string{devTone: config("0")}, a.good), "trust/unknown-key")
	},
	"21 one person with two keys, and a bot": func(a *attacked) {
		change := map[string]string{prodLimit: config("0")}
		side := a.by("dan", change)
		a.refused(a.by("dan2", change, a.good, side), "trust/approvals", "dan's counts")
		a.refused(a.by("dan", change, a.good, a.by("dan2", change), side), "trust/approvals", "dan's counts")
		a.refused(a.by("rotator", change, a.good, side), "trust/approvals", "rotator is a bot")
		a.refused(a.by("dan", change, a.good, a.by("rotator", change)), "trust/approvals", "dan's counts")
		a.refused(a.by("rotator", map[string]string{devTone: config("0")}), "trust/approvals", "rotator is a bot")
		a.approve("rotator", a.good, side)
		a.approve("dan2", a.good, side)
		a.refused(side, "trust/approvals", "dan's counts")
	},
	"48 the branch moves while it is read": func(a *attacked) {
		evil := a.by("mallory", map[string]string{devTone: config("evil"), prodLimit: config("0")})
		stop, stopped := make(chan struct{}), make(chan struct{})
		at := a.good
		go func() {
			defer close(stopped)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					a.point([]lcm.Revision{at, evil}[i%2])
				}
			}
		}()
		seen := map[int]int{}
		for range 20 {
			code, report, text := a.pass()
			seen[code]++
			if want := map[lcm.Revision]int{at: exitDone, evil: exitRefused}[report.Head]; code != want {
				a.t.Errorf("exit code %d at %s\n%s", code, report.Head, text)
			}
			a.untouched()
		}
		close(stop)
		<-stopped
		if seen[exitDone] == 0 || seen[exitRefused] == 0 {
			a.t.Errorf("the branch was not caught at both: exit codes %v", seen)
		}
	},
	"53 a merge with swapped parents": func(a *attacked) {
		side := a.by("dev", map[string]string{devTone: config("side")}, a.intro)
		a.refused(a.by("alice", map[string]string{devTone: config("side")}, side, a.good), "trust/rewritten", "swapped")
		feature := a.by("bob", map[string]string{prodLimit: config("0")}, a.intro)
		a.refused(a.by("bob", nil, feature, a.good), "trust/rewritten", "swapped")
	},
	"54 a fork renames the repository": func(a *attacked) {
		for was, is := range map[string]string{"repository: test-config": "repository: fork", "branch: main": "branch: fork"} {
			fork := a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": nextPolicy(was, is, "approvals: 2, rollbackApprovals: 1", "approvals: 1")})
			a.refused(fork, "trust/wrong-repository")
			back := a.by("bob", map[string]string{".lcm/trust.yaml": policy("version: 1", "version: 3", "approvals: 2, rollbackApprovals: 1", "approvals: 1"), prodLimit: config("0")}, fork)
			a.refused(back, "trust/wrong-repository")
		}
	},
}
