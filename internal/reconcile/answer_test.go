package reconcile

import (
	"crypto/ed25519"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

const needsCarol = `package lcm.own

deny contains {"rule": "carol", "path": [], "message": "a restricted value of production is approved by carol, or the operator answers for it"} if {
	input.document.environment == "production"
	input.document.metadata.classification == "restricted"
	not input.change.vouched
	not "carol" in input.change.approvers
}

deny contains {"rule": "admin", "path": [], "message": "whoever signs is an admin"} if {
	not input.change.vouched
	not "global-admin" in input.change.roles[input.change.signer]
}

deny contains {"rule": "alone", "path": [], "message": "the key called alone is changed alone"} if {
	input.document.key == "alone"
	count(input.change.paths) > 1
}
`

// asking is a world whose own rules ask who changed what; alice and carol may each change everything alone.
type asking struct {
	*world
	alice, carol ssh.Signer
}

func newAsking(t *testing.T, files map[string]string) *asking {
	t.Helper()
	carol, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed([]byte(strings.Repeat("c", ed25519.SeedSize))))
	if err != nil {
		t.Fatal(err)
	}
	alice, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed([]byte(strings.Repeat("a", ed25519.SeedSize))))
	if err != nil {
		t.Fatal(err)
	}
	public := func(s ssh.Signer) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey()))) }
	all := map[string]string{
		"policies/rego/own.rego": needsCarol,
		"lcm.yaml":               strings.Replace(settings, "maxClassification: internal", "maxClassification: restricted", 1),
		".lcm/trust.yaml": "apiVersion: lcm/v1\nkind: TrustPolicy\nrepository: test-config\nbranch: main\nversion: 1\nprincipals:\n  alice: {roles: [global-admin], keys: [{ssh: \"" +
			public(alice) + "\"}]}\n  carol: {roles: [global-admin], keys: [{ssh: \"" + public(carol) + "\"}]}\nrules:\n  - {paths: [\"**\"], roles: [\"*\"], approvals: 1}\n",
	}
	maps.Copy(all, files)
	return &asking{newWorld(t, all), alice, carol}
}

// by makes a commit signed by one of them, on the branch.
func (w *asking) by(signer ssh.Signer, files map[string]string) {
	w.Helper()
	w.signer = signer
	w.commit("change", files)
}

func (w *asking) heldBy(r *Report, rule string) {
	w.Helper()
	for _, h := range r.Held {
		for _, f := range h.Findings {
			if f.Rule == rule {
				return
			}
		}
	}
	w.Errorf("nothing is held by %s: %+v, %v", rule, r.Held, r.Findings)
}

func (w *asking) free(r *Report) {
	w.Helper()
	if len(r.Held) > 0 || r.Refusal != nil {
		w.Errorf("held: %+v, refusal %v", r.Held, r.Refusal)
	}
}

func restricted(value string) string {
	return "apiVersion: lcm/v1\nkind: Config\nmetadata: {owner: platform, description: d, classification: restricted}\nspec:\n  value: " + value + "\n"
}

const limit = "namespaces/acme/shop/chat/production/limit.yaml"

// What trust lets pass, the repository's own rules can refuse by who signed and approved.
func TestRulesAskWhoChangedIt(t *testing.T) {
	w := newAsking(t, map[string]string{limit: restricted("1")})
	w.free(w.pass(Options{}))

	w.by(w.alice, map[string]string{limit: restricted("2")})
	w.heldBy(w.pass(Options{DryRun: true}), "policy/own/carol")
	w.heldBy(w.pass(Options{}), "policy/own/carol")

	w.by(w.carol, map[string]string{limit: restricted("3")})
	w.heldBy(w.pass(Options{}), "policy/own/carol") // hers is built on what nobody asked her about

	w.by(w.alice, map[string]string{limit: restricted("1")})
	w.free(w.pass(Options{}))
	w.by(w.carol, map[string]string{limit: restricted("4")})
	r := w.pass(Options{})
	w.free(r)
	if got := w.changes(r); !strings.HasPrefix(got, "update acme/shop/chat/production/limit") {
		t.Error(got)
	}
}

// Who answered is still known after a restart, when everything is looked at again, and when the rules change.
func TestWhoChangedItIsRemembered(t *testing.T) {
	w := newAsking(t, map[string]string{limit: restricted("1")})
	w.free(w.pass(Options{}))
	w.by(w.carol, map[string]string{limit: restricted("2")})
	w.by(w.carol, map[string]string{limit: strings.Replace(restricted("2"), "owner: platform", "owner: another", 1)})
	w.free(w.pass(Options{}))
	w.stop()
	w.start()
	w.free(w.pass(Options{Everything: true}))
	w.by(w.alice, map[string]string{"policies/rego/more.rego": "package lcm.more\n\ndeny contains {\"rule\": \"x\", \"path\": [], \"message\": \"x\"} if input.change.signer == \"mallory\"\n"})
	w.free(w.pass(Options{}))

	w.by(w.alice, map[string]string{limit: strings.Replace(restricted("2"), "owner: platform", "owner: mine", 1)})
	w.heldBy(w.pass(Options{}), "policy/own/carol") // metadata count
}

// A new daemon asks about every step since its introduction.
func TestRulesAskAFreshDaemon(t *testing.T) {
	w := newAsking(t, map[string]string{limit: restricted("1")})
	w.by(w.alice, map[string]string{limit: restricted("2")})
	w.by(w.carol, map[string]string{limit: restricted("3")})
	w.heldBy(w.pass(Options{}), "policy/own/carol")
	w.stop()
	w.intro = w.head
	w.check(os.Remove(filepath.Join(w.dir, "state.db")))
	w.start()
	w.free(w.pass(Options{}))
}

// Consent counts for what it was given to: carol's to one path of a merge is none to another.
func TestConsentIsByPath(t *testing.T) {
	other := strings.Replace(limit, "limit", "other", 1)
	w := newAsking(t, map[string]string{limit: restricted("1"), other: restricted("1")})
	w.free(w.pass(Options{}))
	base := w.head
	side := func(signer ssh.Signer, on lcm.Revision, path, text string) lcm.Revision {
		w.Helper()
		rev, err := w.repo.Write(gitrepo.Edit{Parents: []lcm.Revision{on}, Files: map[string][]byte{path: []byte(text)}, Message: "side\n",
			Sign: gitrepo.SSHSigner(signer), Author: gitrepo.Ident{Name: "a", Email: "a@example.org", When: w.now}})
		w.check(err)
		return rev
	}
	merge := func(first, second string) {
		w.Helper()
		tip := side(w.alice, side(w.carol, base, other, restricted(second)), limit, restricted(first))
		rev, err := w.repo.Write(gitrepo.Edit{Parents: []lcm.Revision{base, tip}, Files: map[string][]byte{other: []byte(restricted(second)), limit: []byte(restricted(first))},
			Message: "merge\n", Sign: gitrepo.SSHSigner(w.alice), Author: gitrepo.Ident{Name: "a", Email: "a@example.org", When: w.now}})
		w.check(err)
		w.head = rev
		w.check(w.repo.SetBranch("main", rev))
	}
	merge("2", "2")
	r := w.pass(Options{})
	w.heldBy(r, "policy/own/carol")
	for _, h := range r.Held {
		if len(h.Findings) != 1 || h.Findings[0].File != limit {
			t.Errorf("held: %v", h.Findings)
		}
	}
	w.by(w.alice, map[string]string{limit: restricted("1")})
	r = w.pass(Options{})
	w.free(r)
	if got := w.changes(r); !strings.HasPrefix(got, "update acme/shop/chat/production/other") {
		t.Error(got)
	}
}

// A change of a lower layer is one of production too, and so is who made it.
func TestRulesAskAboutLayers(t *testing.T) {
	base := strings.Replace(limit, "production", "base", 1)
	w := newAsking(t, map[string]string{base: restricted("1")})
	w.free(w.pass(Options{}))
	w.by(w.alice, map[string]string{base: restricted("2")})
	r := w.pass(Options{})
	w.heldBy(r, "policy/own/carol")
	if len(r.Held) != 1 || r.Held[0].Namespace.Environment != "production" {
		t.Errorf("%+v", r.Held)
	}
}

func TestRulesAskWhatElseChanged(t *testing.T) {
	alone := strings.Replace(limit, "limit", "alone", 1)
	w := newAsking(t, map[string]string{alone: config("1"), "README.md": "a"})
	w.free(w.pass(Options{}))
	w.by(w.alice, map[string]string{alone: config("2"), "README.md": "b"})
	w.heldBy(w.pass(Options{}), "policy/own/alone")
	w.by(w.alice, map[string]string{alone: config("1")})
	w.by(w.alice, map[string]string{alone: config("2")})
	w.free(w.pass(Options{}))
}

// What the operator accepts by hand, nobody signed as far as is known: the rules are told so.
func TestRulesAreToldWhatWasAcceptedByHand(t *testing.T) {
	w := newAsking(t, map[string]string{limit: restricted("1"), "policies/rego/own.rego": strings.ReplaceAll(needsCarol, "\tnot input.change.vouched\n", "")})
	w.heldBy(w.pass(Options{}), "policy/own/carol") // not even the introduction
	w.by(w.carol, map[string]string{limit: restricted("2")})
	w.free(w.pass(Options{}))

	good := w.head
	e := gitrepo.Edit{Parents: []lcm.Revision{good}, Files: map[string][]byte{limit: []byte(restricted("3"))}, Message: "unsigned\n", Author: gitrepo.Ident{Name: "a", Email: "a@example.org", When: w.now}}
	unsigned, err := w.repo.Write(e)
	w.check(err)
	w.check(w.repo.SetBranch("main", unsigned))
	if _, err := w.r.Accept(t.Context(), unsigned, "all keys are lost"); err != nil {
		t.Fatal(err)
	}
	w.heldBy(w.pass(Options{}), "policy/own/carol")
}

// Where a fact is missing, they refuse.
func TestRulesRefuseWhatNobodyAnswersFor(t *testing.T) {
	w := newAsking(t, map[string]string{limit: restricted("1"), "policies/rego/own.rego": "package lcm.own\n\ndeny contains {\"rule\": \"x\", \"path\": [], \"message\": \"x\"} if input.change.signer == \"mallory\"\n"})
	w.free(w.pass(Options{}))
	files := map[string]string{limit: restricted("2")}
	for i := range maxPaths {
		files["docs/"+strings.Repeat("x", i%50+1)+string(rune('a'+i%26))+"/"+string(rune('0'+i/5000))+strings.Repeat("y", i/100)+".md"] = "x"
	}
	files["README.md"] = "x"
	for len(files) <= maxPaths {
		files["more/"+strings.Repeat("z", len(files)%200+1)+"/"+string(rune('a'+len(files)/200%26))+string(rune('a'+len(files)/5200))] = "x"
	}
	w.by(w.alice, files)
	w.heldBy(w.pass(Options{}), "policy/change")
}
