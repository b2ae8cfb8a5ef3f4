//go:build unix

package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// TestStorm kills the running daemon 300 times, at moments by chance, while commits arrive and each target fails at
// random: a Vault whose requests are lost, refused, or done and not answered; a Redis and an etcd whose connections break; an etcd that is killed; a full disk
// below the files; a table that another process holds. Whatever a reader of the files sees meanwhile is of one commit.
// Afterwards the daemon is left alone, and without any help
//
//   - every target equals the head, and bears the right marks and markers;
//   - what others have put there stands untouched;
//   - no Vault entry has more versions than there were changes;
//   - every intent has its outcome, and the inventory says what the targets hold;
//   - nothing was taken for drift, since nobody edited anything;
//   - one more search for drift writes nothing.
//
// LCM_STORM_KILLS is the number of kills: unless set, 100 with CI set in the environment, else 40; `make storm` has 300.
// LCM_STORM_SEED repeats what chance decided.
func TestStorm(t *testing.T) {
	seed := uint64(fromEnv("LCM_STORM_SEED", int(time.Now().UnixNano())))
	kills := fromEnv("LCM_STORM_KILLS", map[bool]int{true: 100, false: 40}[os.Getenv("CI") != ""])
	t.Logf("LCM_STORM_SEED=%d LCM_STORM_KILLS=%d", seed, kills)
	s := newStorm(t, rand.New(rand.NewPCG(seed, 0)))
	killed := map[string]int{}
	for range kills {
		if s.changed = s.chance.IntN(3) > 0; s.changed { // else the last pass is repeated
			s.change()
		}
		mend := s.breakSome()
		killed[s.kill()]++
		mend()
		s.wholeFiles()
	}
	t.Logf("killed %v; %d commits; a pass takes %v", killed, s.commits, s.whole)
	s.calm()
	s.stands()
	s.othersStand()
	s.fewVersions()
	s.complete()
	s.idle()
}

func fromEnv(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// The services of the storm, by the target that their documents go to. Secrets go to the Vault.
var stormServices = map[string]string{"api": "redis", "web": "files", "jobs": "table", "batch": "etcd"}

const stormKeys = 5

// change commits new values, older values again, and deletions, in one or two services.
func (s *storm) change() {
	s.t.Helper()
	s.commits++
	files, touched := map[string]string{}, map[lcm.Address]bool{}
	services := slices.Sorted(maps.Keys(stormServices))
	if undo := s.undo; s.chance.IntN(3) == 0 { // before it was carried out, perhaps
		for a, was := range undo {
			s.set(files, a, was)
			touched[a] = true
		}
	}
	s.undo = map[lcm.Address]int{}
	for range 1 + s.chance.IntN(2) {
		ns := stormSpace(services[s.chance.IntN(len(services))])
		for range 1 + s.chance.IntN(4) {
			a := ns.Key([]string{"config", "secret"}[s.chance.IntN(2)] + "-" + strconv.Itoa(s.chance.IntN(stormKeys)))
			if touched[a] {
				continue
			}
			touched[a], s.undo[a] = true, s.want[a]
			s.set(files, a, s.newValue(a))
		}
	}
	s.commit("alice", files)
	s.made(touched)
	s.remember()
}

// made notes the commit that gave addresses the values that they have now.
func (s *storm) made(touched map[lcm.Address]bool) {
	for a := range touched {
		v := valueAt{a, s.want[a]}
		s.by[v] = append(s.by[v], s.head)
	}
}

// newValue is a number never used, or one that the address had before, or 0: it is deleted. The first key stays, so
// that no namespace is emptied.
func (s *storm) newValue(a lcm.Address) int {
	switch was := s.had[a]; {
	case !s.keeps && s.chance.IntN(3) == 0 && !strings.HasSuffix(a.Key, "-0"):
		return 0
	case s.chance.IntN(4) == 0 && len(was) > 0:
		return was[s.chance.IntN(len(was))]
	}
	s.number++
	return s.number
}

// set notes a value, and puts its file among those of a commit.
func (s *storm) set(files map[string]string, a lcm.Address, value int) {
	s.t.Helper()
	path, text := "namespaces/"+a.String()+".yaml", config("{n: "+strconv.Itoa(value)+"}")
	if strings.HasPrefix(a.Key, "secret-") {
		path, text = s.desk.secret(a.String(), "opaque", map[string]any{"n": value})
	}
	if value == 0 {
		text = ""
	}
	if value == 0 && s.want[a] == 0 {
		return // git has nothing to delete
	}
	files[path] = text
	if value != 0 && value != s.want[a] {
		s.changes[a]++
		s.had[a] = append(s.had[a], value)
	}
	s.want[a] = value
}

// kill runs the daemon and kills it, after a time, or when it asks the Vault for something. It tells which it was.
func (s *storm) kill() string {
	s.t.Helper()
	cmd, end := s.start("reconciler", "run", "--config", s.config, "--log-format", "json")
	how, most := s.moment(cmd)
	timer := time.AfterFunc(most, func() { _ = cmd.Process.Kill() })
	r := end()
	timer.Stop()
	s.dead.Store(true)
	s.gate.settle()
	s.gate.set(nil)
	if crashed(r.stderr) || r.code >= 0 && r.code != exitTarget {
		s.t.Fatalf("the daemon ends with %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r.code == exitTarget {
		return "it had ended, since another process held the table"
	}
	return how()
}

// moment chooses when the process is killed, after so much time at most, and how the Vault fails until then.
func (s *storm) moment(cmd *exec.Cmd) (told func() string, most time.Duration) {
	s.dead.Store(false)
	var mu sync.Mutex
	how, left, writes, shaky := "after a time", -1, s.chance.IntN(2) == 0, s.chance.IntN(3) == 0
	most = s.whole/4 + time.Duration(s.chance.Int64N(int64(7*s.whole/4)))
	if s.changed && s.chance.IntN(3) > 0 {
		left, most = s.chance.IntN(25), 3*s.whole
	}
	if writes && left > 0 {
		left /= 4
	}
	when, later := s.chance.IntN(3), time.Duration(s.chance.IntN(100))*time.Millisecond
	luck := rand.New(rand.NewPCG(s.chance.Uint64(), 1)) // requests come in any order
	s.gate.set(func(w http.ResponseWriter, r *http.Request, forward func()) {
		mu.Lock()
		now, fault := false, luck.IntN(60)
		if !writes || isWrite(r) {
			now = left == 0
			left--
		}
		if now {
			how = []string{"before a request was done", "after a request was done", "some time after a request"}[when]
		}
		mu.Unlock()
		switch {
		case s.dead.Load():
			panic(http.ErrAbortHandler)
		case now && when == 0:
			_ = cmd.Process.Kill()
			panic(http.ErrAbortHandler)
		case now && when == 1:
			s.unheard(r)
			_ = cmd.Process.Kill()
			panic(http.ErrAbortHandler)
		case now: // meanwhile it writes to the other targets, and records what it did
			time.AfterFunc(later, func() { _ = cmd.Process.Kill() })
		case shaky && fault == 0:
			unreachable(w, r, forward)
		case shaky && fault == 1:
			s.unheard(r)
			panic(http.ErrAbortHandler)
		case shaky && fault == 2:
			sealedVault(w, r, forward)
			return
		case shaky && fault == 3: // done, and reported as failed
			s.unheard(r)
			sealedVault(w, r, forward)
			return
		}
		forward()
	})
	return func() string { mu.Lock(); defer mu.Unlock(); return how }, most
}

// unheard has a request done whose answer is lost.
func (s *storm) unheard(r *http.Request) {
	s.gate.next.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
}

// calm leaves the daemon alone until a search for drift finds all as it should be.
func (s *storm) calm() {
	s.t.Helper()
	log := &tail{}
	cmd := exec.Command("reconciler", "run", "--config", s.config, "--log-format", "json")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	s.check(cmd.Start())
	done := fmt.Sprintf(`"revision":%q,"namespaces":%d,"changes":0,"held":0,"failed":0,"waiting":0,"drifted":0,`, s.head.Short(), len(stormServices))
	settled := log.wait(done, 1)
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); !settled || err != nil {
		s.t.Fatalf("left alone, it does not come to an end: %v\n%s", err, log)
	}
	if out := s.must(0, "status", "--config", s.config).stdout; strings.Contains(out, "DRIFT") {
		s.t.Errorf("taken for drift:\n%s", out)
	}
}

func stormSpace(service string) lcm.Namespace {
	return lcm.Service{Org: "acme", Project: "app", Name: service}.In("development")
}

func (s *storm) addresses() (out []lcm.Address) {
	for service := range stormServices {
		for i := range stormKeys {
			out = append(out, stormSpace(service).Key(fmt.Sprintf("config-%d", i)), stormSpace(service).Key(fmt.Sprintf("secret-%d", i)))
		}
	}
	return out
}
