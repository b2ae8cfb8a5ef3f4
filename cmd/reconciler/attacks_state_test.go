package main

import (
	"bytes"
	"os"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// attacksOnState are about what the daemon keeps, and about secrets.
var attacksOnState = map[string]func(*attacked){
	"42 the state is tampered with": func(a *attacked) {
		state := a.path("one/state/lcm.db")
		good := []byte(read(a.t, state))
		evil := a.by("mallory", map[string]string{prodLimit: config("0")})
		// The ratchet set to a commit of the attacker's, wherever it stands in the file.
		forged := bytes.ReplaceAll(good, []byte(a.good), []byte(evil))
		if bytes.Equal(forged, good) {
			a.t.Fatal("the state does not name the accepted revision")
		}
		for _, head := range []lcm.Revision{a.good, evil} {
			a.check(os.WriteFile(state, forged, 0o600))
			a.point(head)
			if code, _, text := a.pass(); code != exitRefused || !strings.Contains(text, "does not authenticate") {
				a.t.Errorf("exit code %d\n%s", code, text)
			}
		}
		// One byte of any record. What is not a record's is the database's own, which may fail in its own way.
		for at := bytes.Index(good, []byte(a.good)); at > 0 && at < len(good); {
			flipped := bytes.Clone(good)
			flipped[at] ^= 1
			a.check(os.WriteFile(state, flipped, 0o600))
			a.point(evil)
			if code, _, text := a.pass(); code != exitRefused && code != exitFailed {
				a.t.Errorf("byte %d: exit code %d\n%s", at, code, text)
			}
			next := bytes.Index(good[at+1:], []byte(a.good))
			if next < 0 {
				break
			}
			at += 1 + next
		}
		a.check(os.WriteFile(state, good, 0o600))
		a.untouched()
	},
	"42 the mirror is tampered with": func(a *attacked) {
		// The mirror is a cache: what is put into it is judged like what is fetched.
		evil := a.by("mallory", map[string]string{prodLimit: config("0")})
		a.write("one/state/mirror-test-config.git/refs/heads/main", string(evil)+"\n")
		a.recovers()
		a.point(evil)
		a.refused(evil, "trust/unknown-key")
		a.check(os.RemoveAll(a.path("one/state/mirror-test-config.git")))
		a.refused(evil, "trust/unknown-key")
	},
	"51 a sealed production file is copied": func(a *attacked) {
		tree, err := a.repo.Tree(a.good)
		a.check(err)
		sealed, err := tree.ReadFile(api + "production/openai-key.sops.yaml")
		a.check(err)
		copied := string(sealed)
		a.held(a.by("dev", map[string]string{api + "development/openai-key.sops.yaml": copied}), "document/address")
		moved := strings.Replace(copied, "acme/app/api/production/openai-key", "acme/app/api/development/openai-key", 1)
		a.held(a.by("dev", map[string]string{api + "development/openai-key.sops.yaml": moved}), "sops/mac")
		if _, _, text := a.pass(); strings.Contains(text, canary) {
			a.t.Errorf("the secret is told: %s", text)
		}
	},
	"60 the state is deleted and an old head served": func(a *attacked) {
		kept := read(a.t, a.path("one/state/lcm.db"))
		for _, head := range []lcm.Revision{a.intro, a.good, a.by("mallory", map[string]string{prodLimit: config("0")}), a.by("dev", map[string]string{devTone: config("x")})} {
			a.check(os.Remove(a.path("one/state/lcm.db")))
			a.point(head)
			code, report, text := a.pass()
			if code != exitRefused || report.Refusal == nil || report.Refusal.Rule != "trust/lost-state" {
				a.t.Errorf("%s: exit code %d\n%s", head, code, text)
			}
			a.write("one/state/lcm.db", kept)
			a.untouched()
		}
	},
	"66 a plan opens secrets of a commit that was never accepted": func(a *attacked) {
		path, stolen := a.secret("acme/app/api/development/stolen", "opaque", map[string]any{"password": "canary-of-the-unaccepted"})
		for who, rule := range map[string]string{"nobody": "trust/unsigned", "mallory": "trust/unknown-key"} {
			never := a.by(who, map[string]string{path: stolen, prodLimit: config("0")})
			for _, at := range []lcm.Revision{never, a.good} {
				a.point(at)
				code, text := a.plan(never)
				if code != exitRefused || !strings.Contains(text, rule) || strings.Contains(text, "stolen") || strings.Contains(text, "canary") {
					a.t.Errorf("exit code %d\n%s", code, text)
				}
				a.untouched()
			}
		}
		code, text := a.plan(a.good)
		if code != exitDone || strings.Contains(text, canary) {
			a.t.Errorf("exit code %d\n%s", code, text)
		}
		code, text = a.plan(lcm.Revision(strings.Repeat("1", 40)))
		if code == exitDone {
			a.t.Errorf("a plan for what does not exist\n%s", text)
		}
		a.untouched()
	},
}

// plan is `reconciler plan --revision`.
func (a *attacked) plan(rev lcm.Revision) (code int, text string) {
	a.t.Helper()
	var stdout, stderr bytes.Buffer
	code = run([]string{"plan", "--config", a.config, "--revision", string(rev)}, &stdout, &stderr)
	return code, stdout.String() + stderr.String()
}
