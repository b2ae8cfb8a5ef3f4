package main

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/store/bolt"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

const secretsOf = "acme/app/api/development/"

// kept are data of every type of Secret that pass every check, made of canaries.
func (s *spy) kept() map[string]map[string]any {
	return map[string]map[string]any{
		"opaque":          {"password": s.canary(), "deep": map[string]any{"list": []any{s.canary(), map[string]any{"leaf": s.canary()}}}},
		"api-key":         {"key": s.canary(), "provider": "openai", "key_id": s.canary(), "scopes": []any{s.canary()}},
		"database":        {"engine": "postgresql", "host": "db.example.org", "port": 5432, "database": "app", "username": s.canary(), "password": s.canary()},
		"oauth2":          {"client_id": s.canary(), "client_secret": s.canary(), "token_url": "https://login.example.org/token", "refresh_token": s.canary()},
		"jwt-signing-key": {"algorithm": "HS256", "secret": s.canary(), "kid": s.canary()},
		"aws":             {"access_key_id": s.capitals(), "secret_access_key": s.canary(), "session_token": s.canary()},
		"azure":           {"tenant_id": s.uuid(), "client_id": s.uuid(), "client_secret": s.canary()},
		"gcp":             {"service_account_json": `{"type": "service_account", "private_key": "` + s.canary() + `"}`},
	}
}

// malformed are data that are refused once they are opened, by each of the ways to be wrong.
func (s *spy) malformed() map[string]map[string]any {
	pem := func(kind string) string {
		return "-----BEGIN " + kind + "-----\n" + s.canary() + "\n-----END " + kind + "-----\n"
	}
	return map[string]map[string]any{
		"tls":             {"certificate": s.canary(), "private_key": pem("PRIVATE KEY")},
		"ssh":             {"private_key": pem("OPENSSH PRIVATE KEY"), "public_key": s.canary()},
		"api-key":         {"key": "two words " + s.canary(), "key_id": s.canary() + "\nanother line"},
		"database":        {"engine": s.canary(), "host": s.canary(), "port": s.canary(), "database": "app", "username": "app", "password": s.canary(), "sslmode": s.canary()},
		"oauth2":          {"client_id": s.canary(), "client_secret": s.canary(), "token_url": s.canary(), "expires_at": s.canary()},
		"jwt-signing-key": {"algorithm": s.canary(), "secret": s.canary()[:24]},
		"aws":             {"access_key_id": s.canary(), "secret_access_key": s.canary(), "role_arn": s.canary(), "region": s.canary()},
		"azure":           {"tenant_id": s.canary(), "client_id": s.uuid(), "client_secret": s.canary()},
		"gcp":             {"service_account_json": s.canary()},
	}
}

// sealed makes the files of Secrets by type.
func (s *spy) sealed(data map[string]map[string]any) map[string]string {
	s.t.Helper()
	files := map[string]string{}
	for kind, fields := range data {
		path, text := s.secret(secretsOf+"of-"+kind, kind, fields)
		files[path] = text
	}
	return files
}

// TestNoSecretLeavesForAnythingButVault runs all programs over good and bad days and searches all they say and
// all they write for the values of the secrets. Only Vault may have them.
func TestNoSecretLeavesForAnythingButVault(t *testing.T) {
	server := vaulttest.Start(t)
	s := newSpy(t, "testdata/vault-base")
	gate := startGate(t, server.Address)
	mount := server.Mount(t)
	s.write("vault-token", server.RootToken)
	targets := map[string]string{
		"vault":   fmt.Sprintf("{type: vault, address: %q, mount: %s, auth: {token: {file: ../vault-token}}}", gate.URL, mount),
		"runtime": "{type: file, path: runtime}",
	}
	daemon := s.daemon("daemon", targets)
	s.appends(daemon, "schedule: \"@every 1s\"\ndriftSchedule: \"@every 1s\"\n")
	heard := s.overheard(daemon)
	inVault := func(kind, field string) any {
		data, _ := server.Must(t, http.MethodGet, mount+"/data/"+secretsOf+"of-"+kind, nil)["data"].(map[string]any)
		return data[field]
	}

	// Good days.
	s.runs(0, "reconciler", "--help")
	s.runs(0, "reconciler", "keygen", s.path("another.key"))
	s.runs(1, "reconciler", "keygen", s.path("another.key"))
	for _, key := range []string{"another.key", "lcm.key", "age.txt", "vault-token"} {
		s.guard(key)
	}
	first := s.kept()
	s.commit("alice", s.sealed(first))
	s.passes(0, daemon)
	if inVault("database", "password") != first["database"]["password"] {
		t.Fatal("the canaries did not come to Vault: nothing is shown by not finding them elsewhere")
	}
	second := s.kept()
	s.daemonRuns(daemon, "text", 4, syscall.SIGTERM, func() { s.commit("alice", s.sealed(second)) })
	if inVault("aws", "session_token") != second["aws"]["session_token"] {
		t.Error("the daemon did not carry out the change")
	}

	// Vault refuses, and repeats what it was sent.
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusInternalServerError, http.StatusOK} {
		s.commit("alice", s.sealed(s.kept()))
		gate.set(echoing(status))
		s.passes5(daemon)
	}
	s.daemonRuns(daemon, "json", 2, syscall.SIGTERM, nil)
	gate.set(nil)
	s.passes(0, daemon)

	// Somebody else's value stands in the way; it is nobody's business either.
	theirs := s.canary()
	server.Must(t, http.MethodPost, mount+"/data/"+secretsOf+"foreign", map[string]any{"data": map[string]any{"password": theirs}})
	path, text := s.secret(secretsOf+"foreign", "opaque", map[string]any{"password": s.canary()})
	s.commit("alice", map[string]string{path: text})
	s.passes(4, daemon)
	s.commit("alice", map[string]string{path: ""})
	s.passes(0, daemon)
	good := s.head

	// What trust refuses is not opened.
	s.commit("nobody", s.sealed(s.kept()))
	s.passes(3, daemon)
	s.runs(3, "reconciler", "plan", "--config", daemon, "--revision", string(s.head))
	for _, format := range []string{"text", "json"} {
		s.runs(3, "reconciler", "verify", "--config", daemon, "--format", format)
		s.runs(0, "reconciler", "status", "--config", daemon, "--format", format)
	}
	s.runs(3, "reconciler", "accept", "--config", daemon, "--head", string(s.head)) // without a reason
	s.daemonRuns(daemon, "text", 2, syscall.SIGTERM, nil)
	s.check(s.repo.SetBranch("main", good))
	s.head = good

	// What opens and is malformed.
	s.commit("alice", s.sealed(s.malformed()))
	held := s.runs(4, "reconciler", "once", "--config", daemon)
	for kind := range s.malformed() {
		if !strings.Contains(held.stdout, "of-"+kind+".sops.yaml") {
			t.Errorf("nothing is found in the malformed %s", kind)
		}
	}
	s.runs(0, "reconciler", "status", "--config", daemon, "--format", "json")
	s.passes(4, daemon)
	s.daemonRuns(daemon, "json", 2, syscall.SIGTERM, nil)
	s.mend()

	// What does not open: the MAC, a ciphertext, a type, another address.
	for name, spoil := range map[string]func(path, text string) (string, string){
		"mac": func(p, t string) (string, string) {
			return p, strings.Replace(t, "owner: platform", "owner: nobody", 1)
		},
		"ciphertext": func(p, t string) (string, string) {
			return p, strings.Replace(t, "AES256_GCM,data:", "AES256_GCM,data:AA", 1)
		},
		"type":    func(p, t string) (string, string) { return p, strings.Replace(t, "type:str]", "type:bytes]", 1) },
		"address": func(p, t string) (string, string) { return strings.Replace(p, "of-", "copy-of-", 1), t },
	} {
		path, text := spoil(s.secret(secretsOf+"of-opaque", "opaque", map[string]any{"password": s.canary()}))
		s.commit("alice", map[string]string{path: text})
		r := s.runs(4, "reconciler", "once", "--config", daemon)
		if !strings.Contains(r.stdout, path+":") {
			t.Errorf("%s: held for another reason:\n%s", name, r.stdout)
		}
		s.passes(4, daemon)
		s.commit("alice", map[string]string{path: ""})
	}
	s.mend()

	// Another daemon's age key opens nothing.
	identity, _, err := sopsfile.NewIdentity()
	s.check(err)
	s.write("other/age.txt", string(identity))
	other := s.daemon("other", targets)
	s.check(os.CopyFS(s.path("other/state"), os.DirFS(s.path("daemon/state")))) // without it, nothing is begun
	config, err := os.ReadFile(other)
	s.check(err)
	s.write("other/reconciler.yaml", strings.Replace(string(config), "../age.txt", "age.txt", 1))
	s.guard("other/age.txt")
	s.passes(4, other)

	// Keys that are none are not repeated.
	s.spoiled("spoiled-1/age.txt", "AGE-SECRET-KEY-1"+s.capitals(), 2, strings.Replace(string(config), "../age.txt", "age.txt", 1))
	s.spoiled("spoiled-2/lcm.key", s.canary(), 2, strings.Replace(string(config), "../lcm.key", "lcm.key", 1))
	s.spoiled("spoiled-3/vault-token", s.canary()+" "+s.canary(), 5, strings.Replace(string(config), "../vault-token", "vault-token", 1))
	s.spoiled("spoiled-4/vault-token", s.canary(), 5, strings.Replace(string(config), "../vault-token", "vault-token", 1))

	// A crash in the middle of a write: Go prints every stack.
	s.passes(0, daemon)
	s.commit("alice", s.sealed(s.kept()))
	writing, release := make(chan struct{}, 1000), make(chan struct{})
	gate.set(func(_ http.ResponseWriter, r *http.Request, forward func()) {
		if isWrite(r) {
			writing <- struct{}{}
			<-release
		}
		forward()
	})
	cmd, end := s.start("reconciler", "once", "--config", daemon)
	<-writing
	s.check(cmd.Process.Signal(syscall.SIGQUIT))
	r := end()
	close(release)
	gate.settle()
	gate.set(nil)
	if !strings.Contains(r.stderr, "\ngoroutine ") {
		t.Errorf("no stacks were printed: %s", r.stderr)
	}
	s.keeps("a crash", r)
	s.passes(0, daemon)

	s.readers()
	heard()
	s.search()
}

// overheard has a daemon tell a file of events, a collector and GitHub of itself, and returns what keeps all that they were told.
func (s *spy) overheard(daemon string) func() {
	s.t.Helper()
	a := &audience{}
	github := httptest.NewServer(http.HandlerFunc(a.github))
	s.t.Cleanup(github.Close)
	s.write("github-token", "canary-of-github")
	config, err := os.ReadFile(daemon)
	s.check(err)
	s.check(os.WriteFile(daemon, []byte(strings.Replace(string(config), "repository: {",
		"repository: {reports: {github: {repository: acme/config, url: \""+github.URL+"\", tokenFile: ../github-token}}, ", 1)), 0o600))
	s.appends(daemon, "events: {file: events.jsonl}\ntracing: {otlp: {endpoint: \""+a.collector.HTTP(s.t)+"\"}, successes: 1}\n")
	return func() {
		for _, what := range []string{"statuses", "spans"} {
			text := a.told(what)
			if s.said[what] = text; text == "" {
				s.t.Errorf("nobody was told %s", what)
			}
		}
		for i, span := range a.collector.Spans() {
			s.said[fmt.Sprintf("span %d", i)] = span.String()
		}
		if events, err := os.ReadFile(filepath.Dir(daemon) + "/events.jsonl"); err != nil || len(events) == 0 {
			s.t.Errorf("no events: %v", err)
		}
	}
}

// TestNoSecretLeavesForAnythingButBolt is the same for the embedded target, which seals what it keeps.
func TestNoSecretLeavesForAnythingButBolt(t *testing.T) {
	s := newSpy(t, "testdata/base")
	daemon := s.daemon("daemon", map[string]string{"secrets": "{type: bolt, path: secrets.db}", "runtime": "{type: bolt, path: runtime.db}"})
	s.appends(daemon, "schedule: \"@every 1s\"\ndriftSchedule: \"@every 1s\"\n")
	s.commit("alice", s.sealed(s.kept()))
	s.passes(0, daemon)
	last := s.kept()
	s.daemonRuns(daemon, "json", 3, syscall.SIGTERM, func() { s.commit("alice", s.sealed(last)) })
	s.commit("alice", s.sealed(s.malformed()))
	s.passes(4, daemon)
	s.daemonRuns(daemon, "text", 2, syscall.SIGINT, nil)

	key, err := masterkey.Load(s.path("lcm.key"))
	s.check(err)
	db, err := bolt.New(bolt.Config{Path: s.path("daemon/secrets.db"), SealKey: key.Derive(masterkey.SealBolt)})
	s.check(err)
	addr, err := lcm.ParseAddress(secretsOf + "of-jwt-signing-key")
	s.check(err)
	value, _, err := db.Get(t.Context(), addr)
	s.check(err)
	s.check(db.Close())
	if !strings.Contains(string(value), fmt.Sprint(last["jwt-signing-key"]["secret"])) {
		t.Error("the canaries did not come to the target: nothing is shown by not finding them elsewhere")
	}
	s.search()
}

// readers runs the programs that work on a checkout: on a good one, on malformed secrets, and on one where
// somebody forgot to seal.
func (s *spy) readers() {
	s.t.Helper()
	bin := s.t.TempDir() // outside of what is searched
	if out, err := exec.Command("go", "build", "-o", bin+"/", "../lcm", "../lcm-lint").CombinedOutput(); err != nil {
		s.t.Fatalf("building lcm and lcm-lint: %v\n%s", err, out)
	}
	s.reviewers(bin + "/lcm")
	head, err := s.repo.Tree(s.head)
	s.check(err)
	s.check(os.CopyFS(s.path("checkout"), head))
	tools := func(dir string, lint, get int) {
		s.t.Helper()
		for _, format := range []string{"text", "json"} {
			s.runs(lint, bin+"/lcm-lint", "--format", format, dir)
			s.runs(get, bin+"/lcm", "get", secretsOf+"of-database", "--repo", dir, "--format", format)
			s.runs(get, bin+"/lcm", "explain", secretsOf+"of-aws", "--repo", dir, "--format", format)
			s.runs(get, bin+"/lcm", "list", "--repo", dir, "--format", format)
		}
	}
	tools(s.path("checkout"), 0, 0)
	for path, text := range s.sealed(s.malformed()) {
		s.write("checkout/"+path, text)
	}
	tools(s.path("checkout"), 0, 0)

	// Outside of what is searched: here the values stand in the clear, by somebody's mistake.
	open := s.t.TempDir()
	s.check(os.CopyFS(open, os.DirFS(s.path("checkout"))))
	for kind, fields := range s.kept() {
		path := filepath.Join(open, "namespaces", secretsOf, "of-"+kind)
		var b strings.Builder
		fmt.Fprintf(&b, "apiVersion: lcm/v1\nkind: Secret\nmetadata: {owner: platform, address: %sof-%s}\nspec:\n  type: %s\n  data:\n", secretsOf, kind, kind)
		for field, value := range fields {
			if text, ok := value.(string); ok {
				fmt.Fprintf(&b, "    %s: %q\n", field, text)
			}
		}
		s.check(os.WriteFile(path+".sops.yaml", []byte(b.String()), 0o600))
	}
	for _, format := range []string{"text", "json"} {
		s.runs(1, bin+"/lcm-lint", "--format", format, open)
		for _, kind := range []string{"database", "opaque"} {
			for _, command := range []string{"get", "explain"} {
				s.keeps("lcm "+command, s.run(bin+"/lcm", command, secretsOf+"of-"+kind, "--repo", open, "--format", format))
			}
		}
		s.keeps("lcm list", s.run(bin+"/lcm", "list", "--repo", open, "--format", format))
	}
}

// reviewers runs what works on a repository's history, on a copy of it with a branch to be merged.
func (s *spy) reviewers(program string) {
	s.t.Helper()
	dir := s.t.TempDir() // outside of what is searched
	repo, key := filepath.Join(dir, "copy.git"), filepath.Join(dir, "alice")
	block, err := ssh.MarshalPrivateKey(privateKey("alice"), "")
	s.check(err)
	s.check(os.WriteFile(key, pem.EncodeToMemory(block), 0o600))
	s.check(s.repo.SetBranch("topic", s.object("alice", []lcm.Revision{s.head}, s.sealed(s.kept()))))
	s.check(os.CopyFS(repo, os.DirFS(s.path("origin.git"))))
	for _, args := range [][]string{
		{"trust", "show"}, {"trust", "who-may", "namespaces/" + secretsOf + "of-aws.sops.yaml"}, {"trust", "explain", string(s.head)}, {"trust", "check", "topic"},
		{"approve", "topic", "--key", key}, {"merge", "topic", "--key", key},
	} {
		s.runs(0, program, append(args, "--repo", repo)...)
	}
}

// passes5 are passes that a target fails; a plan writes nothing and so finds nothing wrong.
func (s *spy) passes5(config string) {
	s.t.Helper()
	for _, format := range []string{"json", "text"} {
		s.runs(0, "reconciler", "plan", "--config", config, "--format", format)
		s.runs(5, "reconciler", "once", "--config", config, "--format", format)
	}
}

// spoiled makes a pass with a key file that holds something else.
func (s *spy) spoiled(file, text string, code int, config string) {
	s.t.Helper()
	s.write(file, text)
	name := filepath.Dir(file) + "/reconciler.yaml"
	s.write(name, config)
	s.runs(code, "reconciler", "once", "--config", s.path(name))
	s.check(os.Remove(s.path(file))) // where the canaries may be
}

// mend puts good values in place of all others.
func (s *spy) mend() {
	s.t.Helper()
	files := map[string]string{}
	head, err := s.repo.Tree(s.head)
	s.check(err)
	for kind := range s.malformed() {
		path := "namespaces/" + secretsOf + "of-" + kind + ".sops.yaml"
		if _, _, there := head.ID(path); there {
			files[path] = ""
		}
	}
	for path, text := range s.sealed(s.kept()) {
		files[path] = text
	}
	s.commit("alice", files)
}

func (s *spy) appends(file, text string) {
	s.t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	s.check(err)
	_, err = f.WriteString(text)
	s.check(err)
	s.check(f.Close())
}
