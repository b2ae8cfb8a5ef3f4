package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

// TestKilledWhileCreating kills a pass at each of its requests that write to Vault: before Vault has seen
// it, and after Vault has done it but before the answer; and at some of the other moments. The next pass must
// make exactly what an undisturbed one makes: no value lost, no version too many, nothing left to do.
func TestKilledWhileCreating(t *testing.T) {
	t.Parallel()
	b := newBench(t, 10)
	undisturbed := b.fresh()
	undisturbed.desk.must(0, "once", "--config", undisturbed.config)
	writes := b.gate.count()
	if want := 2 + 3*len(b.keys); writes != want {
		t.Fatalf("a pass makes %d writes, want %d: the marker twice, and of each secret the claim, the value and the mark", writes, want)
	}
	want := undisturbed.look()
	undisturbed.idle()
	for _, m := range moments(writes) {
		d := b.fresh()
		d.killed(m)
		d.recover(m)
		if diff := cmp.Diff(want, d.look()); diff != "" {
			t.Fatalf("killed %v: not as after an undisturbed pass (-want +got):\n%s", m, diff)
		}
	}
}

// TestKilledWhileUpdating does the same to passes in which every value changes, one after the other on the
// same Vault and the same state: after the n-th change every secret has exactly n versions.
func TestKilledWhileUpdating(t *testing.T) {
	t.Parallel()
	b := newBench(t, 30)
	d := b.fresh()
	var want [2]sight // by set of values
	for set := range want {
		if set > 0 {
			b.change(set)
		}
		d.desk.must(0, "once", "--config", d.config)
		want[set] = d.look()
	}
	b.gate.count()
	b.change(2)
	d.desk.must(0, "once", "--config", d.config)
	writes := b.gate.count()
	if want := 2 + 2*len(b.keys); writes != want {
		t.Fatalf("a pass makes %d writes, want %d: the marker twice, and of each secret the value and the mark", writes, want)
	}
	for i, m := range moments(writes) {
		n := 4 + i // three passes went before
		b.change(n - 1)
		d.killed(m)
		d.recover(m)
		if diff := cmp.Diff(want[(n-1)%2].at(n, b.desk.head), d.look()); diff != "" {
			t.Fatalf("killed %v: not as after an undisturbed pass (-want +got):\n%s", m, diff)
		}
	}
}

// moment is when a process is killed.
type moment struct {
	every bool // at counts all requests, not only those that write
	at    int
	how   how
	later time.Duration
}

type how string

const (
	before   how = "before Vault has seen it"
	unheard  how = "after Vault has done it, before the answer"
	answered how = "after the answer"
	turned   how = "when the runtime target has it too"
)

func (m moment) String() string {
	kind := "write"
	if m.every {
		kind = "request"
	}
	return fmt.Sprintf("at %s %d, %s, %v later", kind, m.at, m.how, m.later)
}

// moments are all writes, both ways; the first requests; and the time after the last write, in which the
// outcome is recorded.
func moments(writes int) []moment {
	var out []moment
	for at := range writes {
		out = append(out, moment{at: at, how: before}, moment{at: at, how: unheard})
	}
	for at := range 4 {
		out = append(out, moment{every: true, at: at, how: before})
	}
	for _, ms := range []int{0, 1, 2, 4, 8, 16} {
		out = append(out, moment{at: writes - 1, how: answered, later: time.Duration(ms) * time.Millisecond})
	}
	return append(out, moment{at: writes - 1, how: turned}, moment{at: writes - 1, how: turned, later: time.Millisecond})
}

// bench is a repository with secrets and some documents in one namespace, and a Vault behind a gate.
type bench struct {
	t      *testing.T
	desk   *desk
	server *vaulttest.Server
	gate   *gate
	ns     lcm.Namespace
	keys   []string
	sets   [2]map[string]string
	made   int
}

func newBench(t *testing.T, secrets int) *bench {
	t.Helper()
	b := &bench{t: t, server: vaulttest.Start(t), desk: newDesk(t, "testdata/vault-base"),
		ns: lcm.Namespace{Service: lcm.Service{Org: "acme", Project: "app", Name: "api"}, Environment: "development"}}
	b.gate = startGate(t, b.server.Address)
	for i := range secrets {
		b.keys = append(b.keys, fmt.Sprintf("secret-%02d", i))
	}
	for set := range b.sets {
		b.sets[set] = b.documents(set)
	}
	b.change(0)
	return b
}

// documents are all files of the namespace with one set of values.
func (b *bench) documents(set int) map[string]string {
	b.t.Helper()
	files := map[string]string{}
	for _, key := range b.keys {
		path, sealed := b.desk.secret(b.ns.Key(key).String(), "opaque", map[string]any{"value": fmt.Sprintf("%s-%d", key, set), "same": "always"})
		files[path] = sealed
	}
	for i := range 3 {
		files[fmt.Sprintf("namespaces/%s/config-%d.yaml", b.ns, i)] = config(strconv.Itoa(set))
	}
	return files
}

// change commits the two sets of values by turns.
func (b *bench) change(n int) {
	b.t.Helper()
	b.desk.commit("alice", b.sets[n%2])
}

// daemon is one reconciler with its state and its targets.
type daemon struct {
	*bench
	config string
	dir    string
	mount  string
}

// fresh returns a daemon that never ran, with an engine of its own.
func (b *bench) fresh() *daemon {
	b.t.Helper()
	b.made++
	d := &daemon{bench: b, mount: b.server.Mount(b.t), dir: fmt.Sprintf("daemon-%d", b.made)}
	b.desk.write("vault-token", b.server.RootToken)
	d.config = b.desk.daemon(d.dir, map[string]string{
		"vault":   fmt.Sprintf("{type: vault, address: %q, mount: %s, auth: {token: {file: ../vault-token}}}", b.gate.URL, d.mount),
		"runtime": "{type: file, path: runtime}",
	})
	return d
}

// killed runs one pass and kills it.
func (d *daemon) killed(m moment) {
	d.t.Helper()
	started, dead := make(chan struct{}), make(chan struct{})
	var cmd *exec.Cmd
	var mu sync.Mutex
	n, over := 0, false
	turn := func(r *http.Request) (mine, late bool) {
		mu.Lock()
		defer mu.Unlock()
		if m.every || isWrite(r) {
			n++
			mine = n == m.at+1
		}
		return mine, over
	}
	d.gate.set(func(w http.ResponseWriter, r *http.Request, forward func()) {
		<-started
		mine, late := turn(r)
		switch {
		case late: // it was sent by a process that is dead
			panic(http.ErrAbortHandler)
		case !mine:
			forward()
			return
		case m.how == unheard:
			d.gate.next.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
		case m.how == answered || m.how == turned:
			forward()
			go d.killLater(m, cmd.Process, dead)
			return
		}
		mu.Lock()
		over = true
		mu.Unlock()
		_ = cmd.Process.Kill()
		<-dead
		panic(http.ErrAbortHandler)
	})
	cmd, end := d.desk.start("reconciler", "once", "--config", d.config)
	close(started)
	r := end()
	close(dead)
	if crashed(r.stderr) {
		d.t.Fatalf("%v: it crashed:\n%s", m, r.stderr)
	}
	d.gate.settle()
	d.gate.set(nil)
	if r.code != -1 && (m.how == before || m.how == unheard) {
		d.t.Fatalf("%v: was not killed: exit code %d\n%s%s", m, r.code, r.stdout, r.stderr)
	}
}

// killLater kills a process some time after its last write to Vault, or to the runtime target.
func (d *daemon) killLater(m moment, p *os.Process, dead <-chan struct{}) {
	link := d.desk.path(d.dir + "/runtime/" + d.ns.String())
	was, _ := os.Readlink(link)
	for m.how == turned {
		if is, _ := os.Readlink(link); is != was {
			break
		}
		select {
		case <-dead:
			return
		case <-time.After(50 * time.Microsecond):
		}
	}
	time.Sleep(m.later)
	_ = p.Kill()
}

// recover makes the next pass, and one more, which must write nothing.
func (d *daemon) recover(m moment) {
	d.t.Helper()
	if r := d.desk.run("reconciler", "once", "--config", d.config); r.code != 0 {
		d.t.Fatalf("killed %v: the next pass ends with %d\n%s%s", m, r.code, r.stdout, r.stderr)
	}
	d.idle()
}

// idle makes a pass that must find nothing to do.
func (d *daemon) idle() {
	d.t.Helper()
	d.gate.count()
	before := d.digest()
	d.desk.must(0, "once", "--config", d.config)
	if n := d.gate.count(); n != 0 || d.digest() != before {
		d.t.Fatalf("a pass with nothing to do makes %d writes to Vault, or changes a file", n)
	}
}

func (d *daemon) digest() string {
	d.t.Helper()
	sum, err := digestOf(d.desk.path(d.dir+"/state"), d.desk.path(d.dir+"/runtime"))
	d.check(err)
	return sum
}

func (d *daemon) check(err error) { d.t.Helper(); d.desk.check(err) }
