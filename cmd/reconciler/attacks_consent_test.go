package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// attacksOnConsent are about who agreed to what.
var attacksOnConsent = map[string]func(*attacked){
	"22 a push after the approval": func(a *attacked) {
		approved := a.by("dev", map[string]string{prodLimit: config("700")})
		document := a.approve("alice", a.good, approved)
		later := a.by("dev", map[string]string{prodLimit: config("0")}, approved)
		merge := a.by("bob", map[string]string{prodLimit: config("0")}, a.good, later)
		a.refused(merge, "trust/approvals", "bob's counts", "what alice approved is another change")
		// The approval moved below the name of what was pushed later, and into the merge's message.
		_, err := a.repo.SetApproval(later, "alice", document)
		a.check(err)
		a.refused(merge, "trust/approvals", "bob's counts")
		_, err = a.repo.SetApproval(later, "carol", document)
		a.check(err)
		a.refused(merge, "trust/approvals", "bob's counts")
		a.refused(a.merge("bob", map[string]string{prodLimit: config("0")}, trust.ApprovalTrailer(document), a.good, later), "trust/approvals", "bob's counts")
		a.accepted(a.by("bob", map[string]string{prodLimit: config("700")}, a.good, approved))
	},
	"22 an approval of another tree, repository, branch or purpose": func(a *attacked) {
		side := a.by("dev", map[string]string{prodLimit: config("0")})
		merge := a.by("bob", map[string]string{prodLimit: config("0")}, a.good, side)
		right := trust.Approval{Repository: "test-config", Branch: "main", Base: a.good, Head: side}
		for name, c := range map[string]struct {
			change    func(*trust.Approval)
			namespace string
			who       string
		}{
			"another repository":    {func(x *trust.Approval) { x.Repository = "other" }, trust.ApprovalNamespace, "alice"},
			"another branch":        {func(x *trust.Approval) { x.Branch = "release" }, trust.ApprovalNamespace, "alice"},
			"another head":          {func(x *trust.Approval) { x.Head = a.good }, trust.ApprovalNamespace, "alice"},
			"another base":          {func(x *trust.Approval) { x.Base = side }, trust.ApprovalNamespace, "alice"},
			"a base of no history":  {func(x *trust.Approval) { x.Base = lcm.Revision(strings.Repeat("1", 40)) }, trust.ApprovalNamespace, "alice"},
			"signed for git":        {func(*trust.Approval) {}, "git", "alice"},
			"signed for files":      {func(*trust.Approval) {}, "file", "alice"},
			"by a stranger":         {func(*trust.Approval) {}, trust.ApprovalNamespace, "mallory"},
			"by who does not count": {func(*trust.Approval) {}, trust.ApprovalNamespace, "dev"},
			"by a bot":              {func(*trust.Approval) {}, trust.ApprovalNamespace, "rotator"},
			"by the merger":         {func(*trust.Approval) {}, trust.ApprovalNamespace, "bob"},
		} {
			approval := right
			c.change(&approval)
			document, err := approval.Sign(gitrepo.SSHSignerFor(c.namespace, signerOf(c.who)))
			a.check(err)
			for _, name := range []string{"alice", c.who} {
				_, err = a.repo.SetApproval(side, name, document)
				a.check(err)
			}
			a.t.Log(name)
			a.refused(merge, "trust/approvals", "bob's counts")
			a.refused(a.merge("bob", map[string]string{prodLimit: config("0")}, trust.ApprovalTrailer(document), a.good, side), "trust/approvals", "bob's counts")
		}
	},
	"52 a lower layer changes what production resolves to": func(a *attacked) {
		prompt := "---\nlcm.version: 1.0.0\nlcm.owner: platform\nmodel: openai/gpt-4o\ninput:\n  schema:\n    query: string, what is asked\n---\n{{role \"user\"}}\n{{query}}\n{{>tail}}\n"
		a.accepted(a.agreed("bob", "dan", map[string]string{baseTone: config("base"), api + "base/greeting.prompt": prompt, api + "base/_tail.prompt": "Bye.\n"}))
		for name, files := range map[string]map[string]string{
			"base":      {baseTone: config("evil")},
			"gone":      {baseTone: ""},
			"tombstone": {baseTone: "apiVersion: lcm/v1\nkind: Tombstone\nmetadata: {description: d, owner: platform}\n"},
			"a new key": {api + "base/new.yaml": config("evil")},
			"a prompt":  {api + "base/greeting.prompt": prompt + "Evil.\n"},
			"a partial": {api + "base/_tail.prompt": "Evil.\n"},
			"a variant": {api + "base/greeting.rude.prompt": prompt},
		} {
			a.t.Log(name)
			r := a.refused(a.by("dev", files), "trust/approvals", "this also changes what namespaces/acme/app/api/production/", "nobody's counts")
			if !strings.HasPrefix(r.Path, api+"base/") {
				a.t.Errorf("%s: refused for %s", name, r.Path)
			}
			a.refused(a.by("bob", files), "trust/approvals", "bob's counts")
		}
		a.refused(a.by("alice", map[string]string{"lcm.yaml": strings.Replace(read(a.t, "testdata/base/repo/lcm.yaml"), "production: {inherits: base}", "production: {inherits: development}", 1)}), "trust/approvals")
		a.accepted(a.by("dev", map[string]string{api + "base/own.yaml": config("of no effect")})) // production has its own
		a.accepted(a.agreed("bob", "dan", map[string]string{baseTone: config("better")}))
	},
	"55 what belongs to another's tenant": func(a *attacked) {
		other := "namespaces/globex/app/web/development/tone.yaml"
		a.refused(a.by("dev", map[string]string{other: config("evil")}), "trust/approvals", "no role that counts")
		a.refused(a.by("gus", map[string]string{devTone: config("evil")}), "trust/approvals", "no role that counts")
		a.refused(a.by("gus", map[string]string{"README.md": "x"}), "trust/approvals")
		was := read(a.t, a.config)
		a.write("one/reconciler.yaml", strings.Replace(was, `tenants: ["*"]`, "tenants: [acme]", 1))
		a.refused(a.by("alice", map[string]string{other: config("evil")}), "trust/outside-tenants", `"globex"`)
		a.refused(a.agreed("alice", "carol", map[string]string{".lcm/tenants/globex.yaml": "apiVersion: lcm/v1\nkind: TenantPolicy\nversion: 1\n"}), "trust/outside-tenants")
		a.write("one/reconciler.yaml", was)
	},
	"55 a second repository in the same targets": func(a *attacked) {
		// Another daemon, of another repository with the same tenant, shares the targets: it neither changes nor
		// deletes what is not its own.
		b := newDesk(a.t, "testdata/base")
		b.intro = b.object("alice", nil, map[string]string{".lcm/trust.yaml": policy("repository: test-config", "repository: other-config"),
			"lcm.yaml": strings.Replace(read(a.t, "testdata/base/repo/lcm.yaml"), "name: test-config", "name: other-config", 1), ".sops.yaml": b.expand(read(a.t, "testdata/base/repo/.sops.yaml")), prodLimit: config("0")})
		b.check(b.repo.SetBranch("main", b.intro))
		text := strings.Replace(read(a.t, b.daemon("two", map[string]string{"secrets": "{type: bolt, path: " + a.path("one/out/secrets.db") + "}", "runtime": "{type: file, path: " + a.path("one/out/runtime") + "}"})), "name: test-config", "name: other-config", 1)
		b.write("two/reconciler.yaml", text)
		other := *a
		other.config = b.path("two/reconciler.yaml")
		if code, _, text := other.pass(); code == exitDone {
			a.t.Errorf("it took what is another's\n%s", text)
		}
		a.untouched()
	},
	"56 approved before the branch moved on": func(a *attacked) {
		own := api + "production/own.yaml"
		side := a.by("dev", map[string]string{prodLimit: config("700")})
		a.approve("carol", a.good, side)
		a.accepted(a.agreed("bob", "dan", map[string]string{own: config("2")}))
		// Taken as a whole, the approved tree would undo what came since. Bringing back old content takes one
		// approval only, so the attacker brings something else in with it.
		if r := a.refused(a.by("bob", map[string]string{prodLimit: config("700"), own: config("3")}, a.good, side), "trust/approvals", "bob's counts"); r.Path != own {
			a.t.Errorf("refused for %s", r.Path)
		}
		a.accepted(a.agreed("bob", "dan", map[string]string{prodLimit: config("650")}))
		a.refused(a.by("bob", map[string]string{prodLimit: config("700")}, a.good, side), "trust/approvals", "bob's counts", "what carol approved is another change")
		// Used, undone, and used once more.
		again := a.by("dev", map[string]string{devTone: config("x"), prodLimit: config("710")})
		document := a.approve("carol", a.good, again)
		a.accepted(a.by("bob", map[string]string{devTone: config("x"), prodLimit: config("710")}, a.good, again))
		a.accepted(a.agreed("bob", "dan", map[string]string{prodLimit: config("640")}))
		a.refused(a.merge("dev", map[string]string{prodLimit: config("710")}, trust.ApprovalTrailer(document), a.good), "trust/approvals")
	},
	"57 an abandoned draft, the middle of a branch": func(a *attacked) {
		draft := a.by("bob", map[string]string{prodLimit: config("1")})
		final := a.by("bob", map[string]string{prodLimit: config("700")}, draft)
		one := map[string]string{prodLimit: config("1")}
		a.refused(a.by("dan", one, a.good, final), "trust/approvals", "dan's counts")
		a.refused(a.by("dan", map[string]string{prodLimit: config("2")}, a.good, draft), "trust/approvals", "dan's counts")
		a.refused(a.by("dan", one, a.good, a.by("dev", one, final)), "trust/approvals", "dan's counts") // put back by another
		// Where only signed approvals count, a branch's commits do not; nor does an approval of its end for its middle.
		signed := nextPolicy("approvals: 2, rollbackApprovals: 1, rotation: [rotator]", "approvals: 2, consent: signed")
		a.accepted(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": signed}))
		draft = a.by("bob", one)
		a.refused(a.by("dan", one, a.good, draft), "trust/approvals", "dan's counts")
		final = a.by("bob", map[string]string{prodLimit: config("700")}, draft)
		a.approve("bob", a.good, final)
		a.refused(a.by("dan", one, a.good, draft), "trust/approvals", "dan's counts")
		a.accepted(a.by("dan", map[string]string{prodLimit: config("700")}, a.good, final))
	},
	"58 a narrow lenient rule": func(a *attacked) {
		lenient := nextPolicy("rules:", "rules:\n  - {paths: [\"namespaces/acme/app/api/production/limit.yaml\"], roles: [\"*\"], approvals: 1}")
		a.accepted(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": lenient}))
		a.refused(a.by("dev", map[string]string{prodLimit: config("0")}), "trust/approvals", "production/**")
		a.refused(a.by("bob", map[string]string{prodLimit: config("0")}), "trust/approvals", "bob's counts")
		tenant := "apiVersion: lcm/v1\nkind: TenantPolicy\nversion: 1\nrules: [{paths: [\"namespaces/acme/**\"], roles: [\"*\"], approvals: 1}]\n"
		a.accepted(a.agreed("alice", "carol", map[string]string{".lcm/tenants/acme.yaml": tenant}))
		a.refused(a.by("bob", map[string]string{prodLimit: config("0")}), "trust/approvals", "bob's counts")
	},
	"59 a policy that nobody can satisfy": func(a *attacked) {
		for name, text := range map[string]string{
			"one admin left":        nextPolicy("  carol: {roles: [global-admin], keys: [{ssh: \"${carol}\"}]}\n", ""),
			"more than there are":   nextPolicy("roles: [global-admin], approvals: 2", "roles: [global-admin], approvals: 3"),
			"their keys have ended": nextPolicy("[{ssh: \"${carol}\"}]", "[{ssh: \"${carol}\", notAfter: 2020-01-01T00:00:00Z}]"),
			"bots":                  nextPolicy("carol: {roles", "carol: {bot: true, roles"),
			"no rule for settings":  nextPolicy(`{paths: ["**"]`, `{paths: ["namespaces/**"]`, `{paths: [".lcm/**", `, `{paths: [`),
			"approvals 0":           nextPolicy("approvals: 1}", "approvals: 0}"),
			"the last version":      policy("version: 1", "version: 9007199254740991"),
			"beyond integers":       policy("version: 1", "version: 9223372036854775808"),
			"not YAML":              "principals: [",
			"empty":                 "# nothing\n",
			"two documents":         nextPolicy() + "---\n" + nextPolicy(),
			"nobody":                "apiVersion: lcm/v1\nkind: TrustPolicy\nrepository: test-config\nbranch: main\nversion: 2\nprincipals: {}\nrules: []\n",
			"gone":                  "",
		} {
			a.t.Log(name)
			a.refused(a.agreed("alice", "carol", map[string]string{".lcm/trust.yaml": text}), "trust/policy-unsound", "cannot be put in force")
		}
	},
	"64 approval refs flooded, huge and deleted": func(a *attacked) {
		side := a.by("dev", map[string]string{prodLimit: config("700")})
		for i := range 300 {
			_, err := a.repo.SetApproval(side, fmt.Sprintf("a%03d", i), []byte("junk"))
			a.check(err)
		}
		for _, who := range []string{"bob", "carol", "dan", "dev", "gus"} {
			a.junk(who, side, bytes.Repeat([]byte("x"), 1<<20))
		}
		document := a.approve("alice", a.good, side)
		merge := map[string]string{prodLimit: config("700")}
		carries := a.merge("bob", merge, trust.ApprovalTrailer(document), a.good, side)
		a.junk("alice", side, []byte("overwritten"))
		a.refused(a.by("bob", merge, a.good, side), "trust/approvals", "bob's counts")
		a.check(os.RemoveAll(a.path("origin.git/refs/lcm")))
		a.refused(a.by("bob", merge, a.good, side), "trust/approvals", "bob's counts")
		junk := strings.Repeat(trust.ApprovalTrailer([]byte("junk")), 64)
		a.refused(a.merge("bob", merge, junk+trust.ApprovalTrailer(document), a.good, side), "trust/approvals", "bob's counts")
		a.accepted(carries) // it has what it needs
	},
	"65 an unsigned commit made in the browser": func(a *attacked) {
		stray := a.by("nobody", map[string]string{devTone: config("stray")})
		revoked := a.by("carol", map[string]string{".lcm/trust.yaml": nextPolicy(`  dev: {roles: ["developer:acme"], keys: [{ssh: "${dev}"}]}`+"\n", "")}, stray,
			a.by("alice", map[string]string{".lcm/trust.yaml": nextPolicy(`  dev: {roles: ["developer:acme"], keys: [{ssh: "${dev}"}]}`+"\n", "")}, stray))
		if r := a.refused(revoked, "trust/unsigned"); r.Commit != stray {
			a.t.Errorf("refused is %s", r.Commit)
		}
		a.approve("alice", a.good, stray) // which is no adoption
		a.approve("carol", a.good, stray)
		a.refused(revoked, "trust/unsigned")
		a.adopt("alice", stray)
		a.refused(revoked, "trust/unsigned", "adoption is not complete", "carol could give it")
		a.adopt("bob", stray)
		a.refused(revoked, "trust/unsigned", "adoption is not complete")
		a.recovers() // going back to what was accepted is always allowed
		a.adopt("carol", stray)
		a.accepted(revoked)
		a.refused(a.by("dev", map[string]string{devTone: config("x")}), "trust/unknown-key") // the revocation behind it counts
	},
	"65 adoption mends no forgery": func(a *attacked) {
		plain := a.header(a.treeOf(a.by("dev", map[string]string{devTone: config("fine")})), a.good)
		forged := a.signedRawAs(func([]byte) ([]byte, error) { return gitrepo.SSHSigner(signerOf("alice"))([]byte("another")) }, plain, last)
		a.adopt("alice", forged)
		a.adopt("carol", forged)
		a.refused(forged, "trust/bad-signature")
	},
}

const baseTone = api + "base/tone.yaml"

// merge makes a commit whose message ends in trailers.
func (a *attacked) merge(who string, files map[string]string, trailers string, parents ...lcm.Revision) lcm.Revision {
	a.t.Helper()
	return a.signedBy(gitrepo.SSHSigner(signerOf(who)), gitrepo.Ident{Name: who, Email: who + "@example.org", When: time.Now()}, "merge\n\n"+trailers+"\n", files, parents...)
}

// adopt signs that the step from the last good revision is to be believed.
func (a *attacked) adopt(who string, head lcm.Revision) {
	a.t.Helper()
	document, err := trust.Approval{Repository: "test-config", Branch: "main", Base: a.good, Head: head, Adopt: true}.Sign(gitrepo.SSHSignerFor(trust.ApprovalNamespace, signerOf(who)))
	a.check(err)
	_, err = a.repo.SetApproval(head, who, document)
	a.check(err)
}

// junk pushes anything where somebody's approval would be.
func (a *attacked) junk(who string, head lcm.Revision, content []byte) {
	a.t.Helper()
	id := a.raw("blob", string(content))
	a.write("origin.git/refs/lcm/approvals/"+string(head)+"/"+who, id+"\n")
}
