package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// several is a daemon that serves two repositories: acme-config with the tenant acme, globex-config with the tenant globex.
type several struct {
	*desk  // acme-config, and the daemon's folder
	globex *desk
}

const (
	acmeDocument   = "namespaces/acme/app/api/development/tone.yaml"
	globexDocument = "namespaces/globex/app/web/development/tone.yaml"
)

func newSeveral(t *testing.T, more string) *several {
	t.Helper()
	s := &several{newDeskOf(t, "testdata/base", "acme-config"), newDeskOf(t, "testdata/base", "globex-config")}
	repository := func(name string, d *desk, tenant string) string {
		return fmt.Sprintf("  - {name: %s, url: %q, branch: main, introduction: %s, tenants: [%s]}\n", name, d.path("origin.git"), d.intro, tenant)
	}
	s.write("reconciler.yaml", "repositories:\n"+repository("acme-config", s.desk, "acme")+repository("globex-config", s.globex, "globex")+
		"key: {file: lcm.key}\nstate: {type: bolt, path: state/lcm.db}\nschedule: \"@every 24h\"\n"+more+
		"targets:\n  secrets: {type: bolt, path: targets/secrets.db}\n  runtime: {type: file, path: targets/runtime}\n")
	s.commit("alice", map[string]string{acmeDocument: config("friendly")})
	s.globex.commit("alice", map[string]string{globexDocument: config("concise")})
	return s
}

// values demands what the shared target holds of both; "" for nothing.
func (s *several) values(acme, globex string) {
	s.t.Helper()
	for file, want := range map[string]string{"acme/app/api/development/tone.json": acme, "globex/app/web/development/tone.json": globex} {
		got, err := os.ReadFile(s.path("targets/runtime/" + file))
		if want == "" && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil || strings.TrimSpace(string(got)) != `"`+want+`"` {
			s.t.Errorf("%s: %s, %v; want %q", file, got, err, want)
		}
	}
}

func (s *several) must(code int, args ...string) result {
	s.t.Helper()
	r := s.run("reconciler", args...)
	if r.code != code {
		s.t.Fatalf("reconciler %q: exit code %d, want %d\n%s%s", args, r.code, code, r.stdout, r.stderr)
	}
	return r
}

// TestSeveralRepositories: one daemon, one target, two repositories, and what becomes of one does not touch the other.
func TestSeveralRepositories(t *testing.T) {
	s := newSeveral(t, "")
	r := s.must(exitDone, "once")
	if !strings.HasPrefix(r.stdout, "acme-config:\n") || !strings.Contains(r.stdout, "\n\nglobex-config:\n") {
		t.Error(r.stdout)
	}
	s.values("friendly", "concise")
	for _, file := range []string{"mirror-acme-config.git", "mirror-globex-config.git", "receipt-acme-config.json", "receipt-globex-config.json"} {
		if !exists(s.path("state/" + file)) {
			t.Errorf("there is no %s", file)
		}
	}
	if r := s.must(exitDone, "once"); strings.Count(r.stdout, "nothing to change") != 2 {
		t.Error(r.stdout)
	}

	// A refused commit in one: the other goes on, and 3 goes before all.
	s.commit("nobody", map[string]string{acmeDocument: config("rude")})
	s.globex.commit("dave", map[string]string{globexDocument: config("terse")})
	r = s.must(exitRefused, "once", "--format", "json")
	var all struct {
		Schema       string
		Repositories map[string]struct {
			Schema  string
			Refusal *struct{ Rule string }
		}
		Errors map[string]string
	}
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil || all.Schema != "lcm.repositories/v1" || len(all.Errors) != 0 ||
		all.Repositories["acme-config"].Refusal == nil || all.Repositories["globex-config"].Refusal != nil || all.Repositories["globex-config"].Schema != "lcm.pass/v1" {
		t.Error(err, r.stdout)
	}
	s.values("friendly", "terse")

	// Whoever acts on one says on which.
	for _, args := range [][]string{{"verify"}, {"accept", "--head", string(s.head)}, {"accept", "--deletes", "1"}, {"receipt"}, {"history", "acme/app/api/development/tone"}} {
		if r := s.must(exitUsage, args...); !strings.Contains(r.stderr, "say by --repository which of them is meant: acme-config, globex-config") {
			t.Errorf("%q: %s", args, r.stderr)
		}
	}
	s.must(exitUsage, "once", "--repository", "initech-config")
	s.must(exitRefused, "verify", "--repository", "acme-config")
	s.must(exitDone, "verify", "--repository", "globex-config")
	if r := s.must(exitDone, "receipt", "--repository", "globex-config"); !strings.Contains(r.stdout, string(s.globex.head)) {
		t.Error(r.stdout)
	}
	if r := s.must(exitDone, "history", "--repository", "globex-config", "globex/app/web/development/tone"); !strings.Contains(r.stdout, s.globex.head.Short()) {
		t.Error(r.stdout)
	}
	if r := s.must(exitDone, "plan", "--repository", "globex-config", "--format", "json"); !strings.Contains(r.stdout, `"schema": "lcm.plan/v1"`) {
		t.Error(r.stdout)
	}
	if r := s.must(exitDone, "status"); !strings.Contains(r.stdout, "repository  acme-config") || !strings.Contains(r.stdout, "repository  globex-config") {
		t.Error(r.stdout)
	}
	s.must(exitDone, "accept", "--repository", "acme-config", "--head", string(s.head), "--reason", "the key is lost")
	s.must(exitDone, "once")
	s.values("rude", "terse")
}

// TestOneFails: a repository that can't be opened, or whose server is gone, is told, and the other one served.
func TestOneFails(t *testing.T) {
	s := newSeveral(t, "")
	s.write("state/mirror-globex-config.git", "no folder")
	r := s.must(exitFailed, "once")
	if !strings.Contains(r.stderr, "reconciler: repository globex-config: opening the repository globex-config: ") {
		t.Error(r.stderr)
	}
	s.values("friendly", "")
	s.check(os.RemoveAll(s.path("state/mirror-globex-config.git")))
	s.must(exitDone, "once")
	s.values("friendly", "concise")

	s.commit("alice", map[string]string{acmeDocument: config("kind")})
	s.check(os.Rename(s.globex.path("origin.git"), s.globex.path("away.git")))
	r = s.must(exitFailed, "once", "--format", "json")
	if !strings.Contains(r.stdout, `"globex-config": "fetching the repository: `) {
		t.Error(r.stdout)
	}
	s.values("kind", "concise")
}

// TestRunSeveral: the running daemon answers for each, also for one that it could not open.
func TestRunSeveral(t *testing.T) {
	s := newSeveral(t, "")
	s.must(exitDone, "once", "--repository", "globex-config")
	s.check(os.RemoveAll(s.path("state/mirror-globex-config.git")))
	s.write("state/mirror-globex-config.git", "no folder")
	cmd, end := s.start("reconciler", "run")
	s.await(func() bool {
		return exists(s.path("targets/runtime/acme/app/api/development/tone.json")) && exists(s.path("state/control.sock"))
	})
	s.values("friendly", "concise")
	r := s.must(exitFailed, "status", "--format", "json")
	var all struct {
		Repositories map[string]reconcile.Status
	}
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil {
		t.Fatal(err, r.stdout)
	}
	if globex := all.Repositories["globex-config"]; !all.Repositories["acme-config"].Ready || globex.Ready || globex.Accepted == nil ||
		!strings.Contains(globex.NotReady[0], "opening the repository globex-config: ") {
		t.Error(r.stdout)
	}
	r = s.must(exitFailed, "plan")
	if !strings.Contains(r.stdout, "acme-config:\n") || !strings.Contains(r.stderr, "opening the repository globex-config: ") {
		t.Error(r.stdout, r.stderr)
	}
	s.must(exitDone, "plan", "--repository", "acme-config")
	s.must(exitDone, "history", "--repository", "acme-config", "acme/app/api/development/tone")
	s.check(cmd.Process.Signal(os.Interrupt))
	if r := end(); r.code != exitDone || !strings.Contains(r.stderr, `level=ERROR msg="pass failed" repository=globex-config error="opening the repository`) {
		t.Error(r.code, r.stderr)
	}
}

// await waits until something is so.
func (d *desk) await(so func() bool) {
	d.t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatal("it does not come about")
		}
	}
}

// TestReopens: what can't be opened is tried again until it can.
func TestReopens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		s := &served{repositoryConfig: repositoryConfig{Name: "acme-config"}, open: func() (reconcile.Config, *reconcile.Reconciler, error) {
			if tries++; tries < 4 {
				return reconcile.Config{}, nil, errors.New("the disk is full")
			}
			return reconcile.Config{}, &reconcile.Reconciler{}, nil
		}}
		s.reopen()
		told := 0
		ctx, cancel := context.WithCancel(t.Context())
		err := s.run(ctx, reconcile.Schedule{Passes: "no schedule, so that the passes end at once"}, func(r *reconcile.Report, err error) {
			if told++; r != nil || err == nil || !strings.Contains(err.Error(), "opening the repository acme-config: the disk is full") {
				t.Error(r, err)
			}
		})
		cancel()
		if err == nil || tries != 4 || told != 3 {
			t.Errorf("%d tries, %d told, %v", tries, told, err)
		}
	})
}

// TestApart: no two repositories of a daemon have a name or a tenant in common.
func TestApart(t *testing.T) {
	dir := t.TempDir()
	load := func(repositories string) string {
		file := filepath.Join(dir, "reconciler.yaml")
		text := repositories + "\nstate: {type: bolt, path: lcm.db}\ntargets:\n  runtime: {type: bolt, path: runtime.db}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := loadConfig(file)
		if err == nil {
			return ""
		}
		return strings.ReplaceAll(err.Error(), file, "reconciler.yaml")
	}
	const rest = `url: "/srv/config.git", branch: main, introduction: "0000000000000000000000000000000000000000", tenants: `
	for repositories, want := range map[string]string{
		"repositories:\n- {name: a, " + rest + "[acme]}\n- {name: b, " + rest + "[globex, initech]}": "",
		"repository: {name: a, " + rest + `["*"]}`:                                                   "",
		"repositories:\n- {name: a, " + rest + `["*"]}`:                                              "",
		"repositories:\n- {name: a, " + rest + "[acme]}\n- {name: b, " + rest + "[globex, acme]}": "reconciler.yaml:3:127: error: settings/daemon: " +
			"the repositories a and b both have the tenant acme: each tenant belongs to one",
		"repositories:\n- {name: a, " + rest + "[acme]}\n- {name: a, " + rest + "[globex]}": "reconciler.yaml:3:10: error: settings/daemon: two repositories have the name a: each is configured once",
		"repositories:\n- {name: a, " + rest + "[acme]}\n- {name: b, " + rest + `["*"]}`: "reconciler.yaml:3:118: error: settings/daemon: " +
			"* is every tenant, which only the one repository of a daemon may have: name those of b",
		"repositories: []": "reconciler.yaml:1:15: error: schema/bounds: repositories must have 1 to 64 items",
		"repositories:\n- {name: a, " + rest + "[acme]}\nrepository: {name: b, " + rest + "[globex]}": "reconciler.yaml:3:13: error: schema/conflict: " +
			"repository and repositories exclude each other: keep one of them",
		"": "reconciler.yaml:2:1: error: schema/required: repository is missing: it must be a mapping",
	} {
		got := load(repositories)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s\n got: %s\nwant: %s", repositories, got, want)
		}
	}
}
