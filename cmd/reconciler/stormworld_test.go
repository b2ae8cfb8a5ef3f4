//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/bolt"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
	"github.com/llm-config-manager/lcm/internal/store/file"
	"github.com/llm-config-manager/lcm/internal/store/redis"
	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
	"github.com/llm-config-manager/lcm/internal/store/storetest"
	"github.com/llm-config-manager/lcm/internal/store/vault"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

// storm is a desk, a daemon's configuration, and five targets that fail on demand.
type storm struct {
	*desk
	chance *rand.Rand
	config string
	whole  time.Duration // that an undisturbed pass takes, as far as that is not too long

	vault *vaulttest.Server
	mount string
	gate  *gate
	dead  atomic.Bool // the process that sends requests was killed
	redis *redistest.Server
	proxy *cutter
	etcd  *etcdtest.Cluster
	wire  *cutter
	disk  *storetest.Disk // nil: none can be made here, and it is the rights to the folder that get lost
	files string

	want    map[lcm.Address]int        // 0: nothing
	had     map[lcm.Address][]int      // what it was before
	changes map[lcm.Address]int        // how often it became another value
	by      map[valueAt][]lcm.Revision // the commits that gave it, or gave it again
	undo    map[lcm.Address]int        // what the last commit took the place of
	seen    map[string]bool            // all that the files were, by commit
	number  int
	keeps   bool // it deletes nothing
	changed bool // there is a commit that no process has seen
	commits int
	others  map[string]string // what others put into the targets
}

type valueAt struct {
	lcm.Address
	value int
}

func newStorm(t *testing.T, chance *rand.Rand) *storm {
	t.Helper()
	s := &storm{desk: newDesk(t, "testdata/storm-base"), chance: chance, vault: vaulttest.Start(t), redis: redistest.Start(t, redistest.Options{Plain: true}),
		want: map[lcm.Address]int{}, had: map[lcm.Address][]int{}, changes: map[lcm.Address]int{}, by: map[valueAt][]lcm.Revision{}, seen: map[string]bool{}}
	s.mount, s.gate, s.proxy = s.vault.Mount(t), startGate(t, s.vault.Address), newCutter(t, s.redis.Address)
	s.etcd = etcdtest.Start(t, etcdtest.Options{})
	s.wire = newCutter(t, strings.TrimPrefix(s.etcd.Endpoints()[0], "http://"))
	s.makeFolder()
	s.write("vault-token", s.vault.RootToken)
	s.write("redis-password", redistest.Password)
	s.config = s.daemon("daemon", map[string]string{
		"vault": fmt.Sprintf("{type: vault, address: %q, mount: %s, auth: {token: {file: ../vault-token}}}", s.gate.URL, s.mount),
		"redis": fmt.Sprintf("{type: redis, server: %q, allowPlaintext: true, login: {username: %s, password: {file: ../redis-password}}}", s.proxy.Addr(), redistest.Username),
		"etcd":  fmt.Sprintf("{type: etcd, endpoints: [%q]}", "http://"+s.wire.Addr().String()),
		"files": fmt.Sprintf("{type: file, path: %q}", s.files),
		"table": "{type: bolt, path: table.db}",
	})
	text, err := os.ReadFile(s.config)
	s.check(err)
	s.write("daemon/reconciler.yaml", string(text)+"schedule: \"@every 1s\"\ndriftSchedule: \"@every 3s\"\nlimits: {maxDeletes: 100%}\n")
	s.first()
	return s
}

// makeFolder makes the folder of the file target on a disk of its own, where that is possible.
func (s *storm) makeFolder() {
	s.files = s.path("files")
	if os.Geteuid() != 0 {
		return
	}
	disk := storetest.NewDisk(s.t, 4<<20)
	var here, above syscall.Stat_t
	s.check(errors.Join(syscall.Stat(disk.Dir, &here), syscall.Stat(filepath.Dir(disk.Dir), &above)))
	if here.Dev != above.Dev {
		s.disk, s.files = disk, disk.Dir
	}
}

// first commits all keys and has them carried out, undisturbed. Then others put something beside them.
func (s *storm) first() {
	s.t.Helper()
	files, all := map[string]string{}, map[lcm.Address]bool{}
	for _, a := range s.addresses() {
		s.number++
		s.set(files, a, s.number)
		all[a] = true
	}
	s.commit("alice", files)
	s.made(all)
	s.remember()
	s.must(0, "once", "--config", s.config)
	s.whole = time.Second
	for range 3 {
		s.change()
		begin := time.Now()
		s.must(0, "once", "--config", s.config)
		s.whole = min(s.whole, time.Since(begin))
	}
	s.vault.Must(s.t, http.MethodPost, s.mount+"/data/acme/app/api/development/theirs", map[string]any{"data": map[string]any{"theirs": 1}})
	s.check(os.WriteFile(filepath.Join(s.files, stormSpace("web").String(), "theirs.json"), []byte(`"theirs"`), 0o600))
	_, err := s.redis.CLI("HSET", "lcm:{"+stormSpace("api").String()+"}/theirs", "value", "theirs").Output()
	s.check(err)
	s.check(s.etcd.Put(s.t.Context(), "/lcm/"+stormSpace("batch").String()+"/theirs", `"theirs"`))
	s.others = s.theirs()
}

func (s *storm) theirs() map[string]string {
	s.t.Helper()
	v := s.vault.Must(s.t, http.MethodGet, s.mount+"/metadata/acme/app/api/development/theirs", nil)
	text, err := json.Marshal(v)
	s.check(err)
	f, err := os.ReadFile(filepath.Join(s.files, stormSpace("web").String(), "theirs.json"))
	s.check(err)
	r, err := s.redis.CLI("HGETALL", "lcm:{"+stormSpace("api").String()+"}/theirs").Output()
	s.check(err)
	e, err := s.etcd.Get(s.t.Context(), "/lcm/"+stormSpace("batch").String()+"/theirs")
	s.check(err)
	return map[string]string{"vault": string(text), "files": string(f), "redis": string(r), "etcd": e}
}

// breakSome has some of the targets fail until mend is called; the Vault's part is in moment.
func (s *storm) breakSome() (mend func()) {
	var undo []func()
	if s.chance.IntN(3) == 0 {
		s.proxy.set(1 + s.chance.IntN(6000))
		undo = append(undo, func() { s.proxy.set(0) })
	}
	if s.chance.IntN(3) == 0 {
		s.wire.set(1 + s.chance.IntN(12_000))
		undo = append(undo, func() { s.wire.set(0) })
	}
	if s.chance.IntN(6) == 0 {
		undo = append(undo, s.killEtcd(time.Duration(s.chance.Int64N(int64(s.whole)))))
	}
	if s.chance.IntN(4) == 0 {
		undo = append(undo, s.fillFolder())
	}
	if s.chance.IntN(8) == 0 {
		undo = append(undo, s.holdTable(time.Duration(s.chance.Int64N(int64(s.whole)))))
	}
	return func() {
		for _, f := range undo {
			f()
		}
	}
}

// killEtcd kills the etcd after a while. It is there again when the daemon is killed.
func (s *storm) killEtcd(after time.Duration) (mend func()) {
	done := make(chan struct{})
	time.AfterFunc(after, func() { s.etcd.Members[0].Kill(s.t); close(done) })
	return func() { <-done; s.etcd.Members[0].Restart(s.t) }
}

func (s *storm) fillFolder() (mend func()) {
	if s.disk != nil {
		s.disk.Fill(s.t, int64(s.chance.IntN(3))<<12)
		return func() { s.disk.Free(s.t) }
	}
	dir := filepath.Join(s.files, filepath.Dir(stormSpace("web").String()), ".lcm", "development")
	s.check(os.Chmod(dir, 0o500))
	return func() { s.check(os.Chmod(dir, 0o755)) }
}

// holdTable opens the table as another process would, for a while.
func (s *storm) holdTable(while time.Duration) (mend func()) {
	f, err := os.OpenFile(s.path("daemon/table.db"), os.O_RDWR, 0)
	s.check(err)
	s.check(syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	var once sync.Once
	end := func() { once.Do(func() { _ = f.Close() }) }
	timer := time.AfterFunc(while, end)
	return func() { timer.Stop(); end() }
}

// remember keeps what the files of the head are.
func (s *storm) remember() {
	all := map[string]string{}
	for a, n := range s.want {
		if a.Name == "web" && n != 0 && strings.HasPrefix(a.Key, "config-") {
			all[a.Key+".json"] = fmt.Sprintf(`{"n":%d}`, n)
		}
	}
	s.seen[fmt.Sprint(all)] = true
}

// wholeFiles demands that what a reader of the files finds is all of one commit.
func (s *storm) wholeFiles() {
	s.t.Helper()
	all := map[string]string{}
	dir, err := filepath.EvalSymlinks(filepath.Join(s.files, stormSpace("web").String()))
	s.check(err)
	s.check(fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasPrefix(path, "config-") {
			if d != nil && path == ".lcm" {
				return fs.SkipDir
			}
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		all[path] = string(data)
		return err
	}))
	if !s.seen[fmt.Sprint(all)] {
		s.t.Fatalf("the files are of no commit: %v", all)
	}
}

// targets opens the targets as a reader would, beside the proxies.
func (s *storm) targets() map[string]store.Target {
	s.t.Helper()
	key, err := masterkey.Load(s.path("lcm.key"))
	s.check(err)
	out := map[string]store.Target{}
	open := func(name string, t store.Target, err error) {
		s.t.Helper()
		s.check(err)
		out[name] = t
	}
	v, err := vault.New(s.t.Context(), vault.Config{Address: s.vault.Address, Mount: s.mount, Token: s.vault.RootToken})
	open("vault", v, err)
	r, err := redis.New(redis.Config{Address: s.redis.Address, AllowPlaintext: true, Login: redis.Login{Username: redistest.Username, Password: redistest.Password}})
	open("redis", r, err)
	e, err := etcd.New(etcd.Config{Endpoints: s.etcd.Endpoints()})
	open("etcd", e, err)
	f, err := file.New(file.Config{Path: s.files})
	open("files", f, err)
	b, err := bolt.New(bolt.Config{Path: s.path("daemon/table.db"), SealKey: key.Derive(masterkey.SealBolt)})
	open("table", b, err)
	return out
}

func (s *storm) shut(targets map[string]store.Target) {
	for _, t := range targets {
		s.check(t.Close())
	}
}

// stands demands that every target holds the head, the right marks, and nothing else of ours.
func (s *storm) stands() {
	s.t.Helper()
	targets := s.targets()
	defer s.shut(targets)
	for service, home := range stormServices {
		ns := stormSpace(service)
		for target, prefix := range map[string]string{home: "config-", "vault": "secret-"} {
			l, err := targets[target].List(s.t.Context(), ns)
			s.check(err)
			if l.Marker.Phase != store.Whole {
				s.t.Errorf("%s in %s: the marker is %+v", ns, target, l.Marker)
			}
			stand := map[string]bool{}
			for _, item := range l.Items {
				if stand[item.Key] = true; item.Meta.Repository != "" && (item.Stale || s.want[ns.Key(item.Key)] == 0 || !strings.HasPrefix(item.Key, prefix)) {
					s.t.Errorf("%s in %s: %+v", ns, target, item)
				}
			}
			for i := range stormKeys {
				a := ns.Key(fmt.Sprint(prefix, i))
				if n := s.want[a]; n != 0 {
					value, meta, err := targets[target].Get(s.t.Context(), a)
					s.check(err)
					if string(value) != fmt.Sprintf(`{"n":%d}`, n) || !slices.Contains(s.by[valueAt{a, n}], meta.Revision) {
						s.t.Errorf("%s in %s: %s, %+v; want n %d of %s", a, target, value, meta, n, s.by[valueAt{a, n}])
					}
				}
			}
		}
	}
}

func (s *storm) othersStand() {
	s.t.Helper()
	for target, text := range s.theirs() {
		if text != s.others[target] {
			s.t.Errorf("what others have in %s was touched: %s, it was %s", target, text, s.others[target])
		}
	}
}

// fewVersions demands that the Vault has no more versions of an entry than there were changes.
func (s *storm) fewVersions() {
	s.t.Helper()
	total, changes := 0, 0
	for a := range s.want {
		if !strings.HasPrefix(a.Key, "secret-") {
			continue
		}
		data := s.vault.Must(s.t, http.MethodGet, s.mount+"/metadata/"+a.String(), nil)
		n := int(data["current_version"].(float64))
		if n > s.changes[a] {
			s.t.Errorf("%s has %d versions in Vault, after %d changes", a, n, s.changes[a])
		}
		total, changes = total+n, changes+s.changes[a]
	}
	s.t.Logf("%d versions in Vault after %d changes", total, changes)
}

// complete demands that the state has an outcome for every intent, and knows what the targets hold.
func (s *storm) complete() {
	s.t.Helper()
	key, err := masterkey.Load(s.path("lcm.key"))
	s.check(err)
	db, err := state.Open(state.Config{Path: s.path("daemon/state/lcm.db"), Repository: "test-config", Key: key.Derive(masterkey.State), ReadOnly: true})
	s.check(err)
	defer db.Close()
	pending, err := db.Pending()
	s.check(err)
	ratchet, _, err := db.Ratchet()
	s.check(err)
	if len(pending) != 0 || ratchet.Accepted != s.head || ratchet.Processed != s.head {
		s.t.Errorf("pending %v, ratchet %+v, head %s", pending, ratchet, s.head)
	}
	for service, home := range stormServices {
		ns := stormSpace(service)
		inventory, open, err := db.Inventory(ns)
		s.check(err)
		if open != nil {
			s.t.Errorf("%s: an intent of %s has no outcome", ns, open.Revision)
		}
		for target, prefix := range map[string]string{home: "config-", "vault": "secret-"} {
			n := 0
			for i := range stormKeys {
				if a := ns.Key(fmt.Sprint(prefix, i)); s.want[a] != 0 {
					n++
					if !slices.Contains(s.by[valueAt{a, s.want[a]}], inventory[target][a.Key].Meta.Revision) {
						s.t.Errorf("the inventory has %+v of %s in %s", inventory[target][a.Key], a, target)
					}
				}
			}
			if len(inventory[target]) != n {
				s.t.Errorf("the inventory has %d entries of %s in %s, want %d", len(inventory[target]), ns, target, n)
			}
		}
	}
}

// idle demands that one more search for drift writes nothing.
func (s *storm) idle() {
	s.t.Helper()
	s.gate.count()
	sum := func() string {
		redis, err := s.redis.CLI("DEBUG", "DIGEST").Output()
		s.check(err)
		files, err := digestOf(s.files, s.path("daemon/table.db"))
		s.check(err)
		revision, err := s.etcd.Revision(s.t.Context())
		s.check(err)
		return fmt.Sprint(string(redis), files, revision)
	}
	before := sum()
	out := s.must(0, "once", "--drift", "--config", s.config).stdout
	if n := s.gate.count(); n != 0 || sum() != before || !strings.Contains(out, "nothing to change") {
		s.t.Errorf("a pass with nothing to do makes %d writes to Vault, or changes another target:\n%s", n, out)
	}
}

// cutter stands between the daemon and a server, and breaks each connection after so many bytes, give or take.
type cutter struct {
	net.Listener
	to string

	mu    sync.Mutex
	after int // 0: never
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &cutter{Listener: l, to: to}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(c)
		}
	}()
	return b
}

func (b *cutter) set(after int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.after = after
}

func (b *cutter) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", b.to)
	if err != nil {
		return
	}
	defer server.Close()
	b.mu.Lock()
	after := b.after
	b.mu.Unlock()
	ended := make(chan struct{}, 2)
	pass := func(to io.Writer, from io.Reader) {
		if after > 0 {
			from = io.LimitReader(from, int64(after))
		}
		_, _ = io.Copy(to, from)
		ended <- struct{}{}
	}
	go pass(server, client)
	go pass(client, server)
	<-ended
}
