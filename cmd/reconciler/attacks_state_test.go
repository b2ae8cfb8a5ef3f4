package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/store/bolt"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// attacksOnState are about what the daemon keeps, and about secrets.
var attacksOnState = map[string]func(*attacked){
	"7 the server keeps serving an old head": func(a *attacked) {
		was := read(a.t, a.config)
		a.write("one/reconciler.yaml", strings.Replace(was, "branch: main", "branch: main, heartbeat: {maxAge: 15m, by: [rotator]}", 1))
		withheld := a.by("dev", map[string]string{devTone: config("fine")})
		for _, c := range []struct {
			head lcm.Revision
			ago  time.Duration
			says string
		}{{a.good, time.Minute, ""}, {a.good, 16 * time.Minute, ""}, {withheld, 0, "it withholds commits"}} {
			// An older heartbeat, played back, tells nothing new; the newest one seen still counts.
			beat := trust.Heartbeat{Repository: "test-config", Branch: "main", Head: c.head, At: time.Now().Add(-c.ago)}
			document, err := beat.Sign(gitrepo.SSHSignerFor(trust.HeartbeatNamespace, signerOf("rotator")))
			a.check(err)
			_, err = a.repo.SetHeartbeat(document)
			a.check(err)
			a.point(a.good)
			code, report, text := a.pass()
			if code != exitDone || (c.says == "") != (report.Stale == "") || !strings.Contains(report.Stale, c.says) {
				a.t.Errorf("exit code %d, stale: %q\n%s", code, report.Stale, text)
			}
			a.untouched()
		}
		a.write("one/reconciler.yaml", was)
	},
	"8 two daemons are shown different heads": func(a *attacked) {
		// The second one accepted what the first is never shown.
		other := *a
		other.config = a.daemon("other", map[string]string{"secrets": "{type: bolt, path: out/secrets.db}", "runtime": "{type: file, path: out/runtime}"})
		receipt := func(config string, args ...string) (int, string) {
			var stdout, stderr bytes.Buffer
			code := run(append([]string{"receipt", "--config", config}, args...), &stdout, &stderr)
			return code, stdout.String() + stderr.String()
		}
		compare := func(head lcm.Revision, want int, says string) {
			a.t.Helper()
			a.point(head)
			if code, _, text := other.pass(); code != exitDone {
				a.t.Fatalf("exit code %d\n%s", code, text)
			}
			a.point(a.good)
			_, theirs := receipt(other.config)
			a.write("theirs.json", theirs)
			if code, text := receipt(a.config, "--compare", a.path("theirs.json")); code != want || !strings.Contains(text, says) {
				a.t.Errorf("exit code %d, want %d and %q\n%s", code, want, says, text)
			}
		}
		compare(a.good, exitDone, "same")
		compare(a.by("dev", map[string]string{devTone: config("theirs alone")}), exitRefused, "different histories")
		a.untouched()
	},
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
	"46 a burned secret is brought back": func(a *attacked) {
		path := api + "production/openai-key.sops.yaml"
		tree, err := a.repo.Tree(a.good)
		a.check(err)
		leaked, err := tree.ReadFile(path)
		a.check(err)
		_, fresh := a.secret("acme/app/api/production/openai-key", "opaque", map[string]any{"password": "canary-that-is-fresh"})
		a.accepted(a.merge("alice", map[string]string{path: fresh}, "Lcm-Burn: acme/app/api/production/openai-key", a.good, a.by("bob", map[string]string{path: fresh})))
		a.refused(a.by("bob", map[string]string{path: string(leaked)}), "trust/approvals", "bob's counts")       // no rollback of sealed values
		_, again := a.secret("acme/app/api/production/openai-key", "opaque", map[string]any{"password": canary}) // sealed anew
		a.held(a.agreed("bob", "alice", map[string]string{path: string(leaked)}), "secret/burned")
		a.held(a.agreed("bob", "alice", map[string]string{path: again}), "secret/burned")
		if value := a.secretValue("acme/app/api/production/openai-key"); value != `{"password":"canary-that-is-fresh"}` {
			a.t.Errorf("production has %s", value)
		}
		if _, _, text := a.pass(); strings.Contains(text, "canary") {
			a.t.Errorf("the secret is told: %s", text)
		}
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

// secretValue is what the target holds for a Secret.
func (a *attacked) secretValue(address string) string {
	a.t.Helper()
	key, err := masterkey.Load(a.path("lcm.key"))
	a.check(err)
	db, err := bolt.New(bolt.Config{Path: a.path("one/out/secrets.db"), SealKey: key.Derive(masterkey.SealBolt)})
	a.check(err)
	addr, err := lcm.ParseAddress(address)
	a.check(err)
	value, _, err := db.Get(a.t.Context(), addr)
	a.check(errors.Join(err, db.Close()))
	return string(value)
}

// plan is `reconciler plan --revision`.
func (a *attacked) plan(rev lcm.Revision) (code int, text string) {
	a.t.Helper()
	var stdout, stderr bytes.Buffer
	code = run([]string{"plan", "--config", a.config, "--revision", string(rev)}, &stdout, &stderr)
	return code, stdout.String() + stderr.String()
}
