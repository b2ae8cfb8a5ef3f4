package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

// TestDriftIsPutRight wipes a Redis, edits a secret in a Vault and removes a file while the daemon runs. Its search
// for drift puts each right, and says what differed, and never a value.
func TestDriftIsPutRight(t *testing.T) {
	t.Parallel()
	s := startDrifting(t)
	file := s.path("daemon/files/acme/app/web/development/page.json")
	limit := s.redis("HGET", "lcm:{acme/app/api/development}/limit", "value")

	s.redis("FLUSHALL")
	s.vault.Must(t, http.MethodPost, s.mount+"/data/acme/app/api/development/token", map[string]any{"data": map[string]any{"key": "canary-theirs"}})
	s.check(os.Remove(file))

	s.becomes("the Redis", func() bool {
		return s.redis("HGET", "lcm:{acme/app/api/development}/limit", "value") == limit && strings.Contains(s.redis("GET", "lcm:{acme/app/api/development}/.lcm/revision"), `"whole"`)
	})
	s.becomes("the file", func() bool {
		data, err := os.ReadFile(file)
		return err == nil && string(data) == `{"colour":"blue","size":3}`
	})
	s.becomes("the secret", func() bool { return s.secret("token") == "canary-ours 3" })
	s.becomes("the log", func() bool { return strings.Count(s.log.String(), `"msg":"drift"`) >= 4 })

	// Another value in a file, beside its mark: the fields are named.
	s.check(os.WriteFile(file, []byte(`{"colour":"canary-red","size":3}`), 0o600))
	s.becomes("the file", func() bool {
		data, err := os.ReadFile(file)
		return err == nil && string(data) == `{"colour":"blue","size":3}`
	})
	s.stop()

	var status reconcile.Status
	s.check(json.Unmarshal([]byte(s.must(0, "status", "--config", s.config, "--format", "json").stdout), &status))
	var got []string
	for _, d := range status.Drift.Corrected {
		got = append(got, fmt.Sprintf("%s %s %s %s %t", d.Target, d.Address, d.Kind, strings.Join(d.Fields, ","), !d.At.IsZero()))
	}
	slices.Sort(got)
	want := []string{
		"files acme/app/web/development/page missing  false",
		"files acme/app/web/development/page value /colour true",
		"redis acme/app/api/development/limit missing  false",
		"redis acme/app/api/development/name missing  false",
		"vault acme/app/api/development/token value  true",
	}
	if !slices.Equal(got, want) || status.Drift.Open != 0 {
		t.Errorf("corrected:\n%s\nwant:\n%s\nopen: %+v", strings.Join(got, "\n"), strings.Join(want, "\n"), status.Drift)
	}
	text := s.must(0, "status", "--config", s.config).stdout
	if !strings.Contains(text, "DRIFT acme/app/web/development/page on target files: another value stands there, in /colour, since ") {
		t.Errorf("status:\n%s", text)
	}
	if all := s.log.String() + text; strings.Contains(all, "canary") {
		t.Errorf("a value is told:\n%s", all)
	}
	if kinds := len(regexp.MustCompile(`"msg":"drift".*"kind":"`+string(state.DriftMissing)+`"`).FindAllString(s.log.String(), -1)); kinds != 3 {
		t.Errorf("%d entries are logged as missing, want 3:\n%s", kinds, s.log)
	}
}

// drifting is a daemon that runs, with a Vault, a Redis and a folder.
type drifting struct {
	*desk
	vault  *vaulttest.Server
	mount  string
	server *redistest.Server
	config string
	log    *tail
	stop   func()
}

func startDrifting(t *testing.T) *drifting {
	t.Helper()
	s := &drifting{desk: newDesk(t, "testdata/drift-base"), vault: vaulttest.Start(t), server: redistest.Start(t, redistest.Options{Plain: true}), log: &tail{}}
	s.mount = s.vault.Mount(t)
	s.write("vault-token", s.vault.RootToken)
	s.write("redis-password", redistest.Password)
	s.config = s.daemon("daemon", map[string]string{
		"vault": fmt.Sprintf("{type: vault, address: %q, mount: %s, auth: {token: {file: ../vault-token}}}", s.vault.Address, s.mount),
		"redis": fmt.Sprintf("{type: redis, server: %q, allowPlaintext: true, login: {username: %s, password: {file: ../redis-password}}}", s.server.Address, redistest.Username),
		"files": "{type: file, path: files}",
	})
	text, err := os.ReadFile(s.config)
	s.check(err)
	s.write("daemon/reconciler.yaml", string(text)+"schedule: \"@every 1s\"\ndriftSchedule: \"@every 2s\"\n")
	path, sealed := s.desk.secret("acme/app/api/development/token", "opaque", map[string]any{"key": "canary-ours"})
	s.commit("alice", map[string]string{path: sealed,
		"namespaces/acme/app/api/development/limit.yaml": config("600"),
		"namespaces/acme/app/api/development/name.yaml":  config("api"),
		"namespaces/acme/app/web/development/page.yaml":  config("{colour: blue, size: 3}")})
	cmd := exec.Command("reconciler", "run", "--config", s.config, "--log-format", "json")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, s.log, s.log
	s.check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s.stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("the daemon ends with %v:\n%s", err, s.log)
		}
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	s.becomes("the first pass", func() bool { return strings.Contains(s.log.String(), `"changes":4`) })
	return s
}

// becomes waits for something, for half a minute at most.
func (s *drifting) becomes(what string, done func() bool) {
	s.t.Helper()
	for range 600 {
		if done() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatalf("%s never became what it should be:\n%s", what, s.log)
}

func (s *drifting) redis(args ...string) string {
	s.t.Helper()
	out, err := s.server.CLI(args...).Output()
	s.check(err)
	return strings.TrimSpace(string(out))
}

// secret reads a secret's key, and how many versions there are.
func (s *drifting) secret(key string) string {
	s.t.Helper()
	answer := s.vault.Must(s.t, http.MethodGet, s.mount+"/data/acme/app/api/development/"+key, nil)
	return fmt.Sprint(answer["data"].(map[string]any)["key"], " ", answer["metadata"].(map[string]any)["version"])
}
