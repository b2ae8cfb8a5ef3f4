package redis_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/redis"
	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
)

const canary = "canary-c0ffee"

// expectSays demands an error that says why, and neither a value nor the password.
func expectSays(t *testing.T, err error, why string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v; want an error with %q in it and no value", err, why)
	}
}

// expectNothing demands that every call fails, and says why: nothing is called absent.
func expectNothing(t *testing.T, target *redis.Target, why string) {
	t.Helper()
	l, err := target.List(t.Context(), production)
	if expectSays(t, err, why); len(l.Items) > 0 {
		t.Errorf("List = %+v", l)
	}
	_, err = target.Namespaces(t.Context(), []string{"*"})
	expectSays(t, err, why)
	_, _, err = target.Get(t.Context(), production.Key("a"))
	expectSays(t, err, why)
	_, err = target.Marker(t.Context(), production)
	expectSays(t, err, why)
	_, err = target.Holds(t.Context(), production, "a", []byte("1"))
	expectSays(t, err, why)
	_, err = target.Whole(t.Context(), production)
	expectSays(t, err, why)
	expectSays(t, target.Apply(t.Context(), batch(create("b", `"`+canary+`"`))), why)
}

func TestLogin(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	file := filepath.Join(t.TempDir(), "password")
	password := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	password("canary-wrong")
	target := open(t, redis.Config{Address: s.Address, Login: redis.Login{Username: redistest.Username, PasswordFile: file}, TLS: tlsOf(s)})
	expectNothing(t, target, "answered WRONGPASS: the login is refused")
	password(redistest.Password + "\n") // it is read again
	apply(t, target, create("a", "1"))

	s.Do(t, "ACL", "SETUSER", "lcm", "resetpass", ">canary-second")
	s.Do(t, "CLIENT", "KILL", "USER", "lcm")
	expectNothing(t, target, "answered WRONGPASS")
	password("canary-second")
	if items := list(t, target).Items; len(items) != 1 {
		t.Errorf("after the password was changed: %+v", items)
	}

	expectNothing(t, open(t, redis.Config{Address: s.Address, TLS: tlsOf(s)}), "answered NOAUTH")
}

func TestCertificates(t *testing.T) {
	s, other := redistest.Start(t, redistest.Options{}), redistest.Start(t, redistest.Options{})
	of := func(change func(*redis.TLS)) *redis.Target {
		c := tlsOf(s)
		change(c)
		return open(t, redis.Config{Address: s.Address, Login: login(), TLS: c, Limits: redis.Limits{Timeout: 2 * time.Second}})
	}
	apply(t, of(func(c *redis.TLS) { c.ServerName = "redis.example" }), create("a", "1"))
	if clients := s.Do(t, "CLIENT", "LIST"); !strings.Contains(clients, "name=lcm-reconciler") {
		t.Errorf("the operator does not see who we are: %s", clients)
	}
	expectNothing(t, of(func(c *redis.TLS) { c.ServerName = "other.example" }), "the server's certificate is not accepted")
	expectNothing(t, of(func(c *redis.TLS) { c.CACertFile = other.TLS().CA }), "the server's certificate is not accepted")
	expectNothing(t, of(func(c *redis.TLS) { c.CACertFile = "" }), "the server's certificate is not accepted")
	expectNothing(t, of(func(c *redis.TLS) { c.ClientCertFile, c.ClientKeyFile = "", "" }), "redis: no answer")
	expectNothing(t, open(t, redis.Config{Address: s.Address, Login: login(), Limits: redis.Limits{Timeout: 2 * time.Second}}), "redis: ")
}

func TestLoading(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Config: []string{"key-load-delay 20000", "loading-process-events-interval-bytes 1024"}})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)})
	var all []store.Change
	for i := range 200 {
		all = append(all, create(fmt.Sprintf("k%d", i), `"`+strings.Repeat("x", 1000)+`"`))
	}
	apply(t, target, all...)
	s.Do(t, "BGREWRITEAOF") // so that it loads key by key
	for strings.Contains(s.Do(t, "INFO", "persistence"), "aof_rewrite_in_progress:1") {
		time.Sleep(10 * time.Millisecond)
	}
	s.Restart(t)
	if out := s.Do(t, "INFO", "persistence"); !strings.Contains(out, "loading:1") {
		t.Fatalf("it does not load: %s", out)
	}
	expectNothing(t, target, "answered LOADING: it is still reading its data from disk")
}

func TestWrongServer(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	c := redistest.StartCluster(t, redistest.Options{})
	expectNothing(t, open(t, redis.Config{Address: s.Address, Database: 16, Login: login(), TLS: tlsOf(s)}), "no database of that number")
	expectNothing(t, open(t, redis.Config{Cluster: []string{s.Address}, Login: login(), TLS: tlsOf(s)}), "it is not a node of a Cluster: configure server")
	node := open(t, redis.Config{Address: c.Servers[0].Address, Login: login(), TLS: tlsOf(c.Servers[0])})
	if _, err := node.List(t.Context(), production); err == nil { // the one node that keeps this namespace would answer
		node = open(t, redis.Config{Address: c.Servers[1].Address, Login: login(), TLS: tlsOf(c.Servers[1])})
	}
	_, err := node.List(t.Context(), production)
	expectSays(t, err, "answered MOVED: it is a node of a Cluster: configure cluster")
}

// TestHung: a server that stops answering is waited for as long as is configured.
func TestHung(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s), Limits: redis.Limits{Timeout: time.Second}})
	apply(t, target, create("a", "1"))
	s.Stop(t)
	expectNothing(t, target, "redis: no answer: context deadline exceeded")
	s.Continue(t)
	for range 100 {
		if _, err := target.List(t.Context(), production); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("it answers again, and is not noticed")
}

func TestLimits(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	with := func(l redis.Limits) *redis.Target {
		return open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s), Limits: l})
	}
	apply(t, with(redis.Limits{}), create("a", "1"), create("b", "2"), create("large", `"`+strings.Repeat("x", 100_000)+`"`))
	_, err := with(redis.Limits{MaxKeys: 4}).List(t.Context(), production)
	expectSays(t, err, "more than 4 names below lcm:")
	if l := list(t, with(redis.Limits{MaxKeys: 5})); len(l.Items) != 3 {
		t.Errorf("List = %+v", l)
	}
	small := with(redis.Limits{MaxReplyBytes: 50_000})
	_, _, err = small.Get(t.Context(), production.Key("large"))
	expectSays(t, err, "larger than the configured limit")
	_, err = small.List(t.Context(), production) // which could not tell whether that entry is what was put there
	expectSays(t, err, "larger than the configured limit")
	if value, _, err := small.Get(t.Context(), production.Key("a")); err != nil || string(value) != "1" {
		t.Errorf("after an answer that was too large: %s, %v", value, err)
	}
	err = with(redis.Limits{MaxBatchBytes: 100}).Apply(t.Context(), batch(create("c", `"`+canary+strings.Repeat("x", 100)+`"`)))
	expectSays(t, err, "more than 100 bytes of values")
}

// TestLarge: a namespace of many entries is made, changed and taken away in one step each.
func TestLarge(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)})
	var all []store.Change
	for i := range 5000 {
		all = append(all, create(fmt.Sprint("k", i), fmt.Sprint(i)))
	}
	apply(t, target, all...)
	for _, action := range []store.Action{store.Update, store.Remark, store.Delete} {
		items := list(t, target).Items
		if len(items) != len(all) {
			t.Fatalf("before %s: %d entries", action, len(items))
		}
		for i, item := range items {
			all[i] = create(item.Key, "2")
			all[i].Action, all[i].If = action, item.Token
			if action != store.Update {
				all[i].Value = nil
			}
		}
		apply(t, target, all...)
	}
	if got := s.Do(t, "DBSIZE"); got != "1" {
		t.Errorf("%s names are left, want the marker's", got)
	}
	for i := range 50_001 {
		all = append(all[:i], create(fmt.Sprint("k", i), "1"))
	}
	expectSays(t, target.Apply(t.Context(), batch(all...)), "more than 50000 changes")
}

// TestOutOfMemory: what only deletes passes where memory is full.
func TestOutOfMemory(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)})
	apply(t, target, create("a", "1"), create("b", "2"))
	s.Do(t, "CONFIG", "SET", "maxmemory", "1")
	token := list(t, target).Items[0].Token
	expectSays(t, target.Apply(t.Context(), batch(create("c", `"`+canary+`"`))), "answered OOM: its memory is full")
	apply(t, target, store.Change{Action: store.Delete, Key: "a", If: token})
	if items := list(t, target).Items; len(items) != 1 || items[0].Key != "b" {
		t.Errorf("List = %+v", items)
	}
}

// TestBroken: Redis can't write its snapshot, as where the disk failed.
func TestBroken(t *testing.T) {
	s := redistest.Start(t, redistest.Options{Config: []string{"appendonly no", "save 3600 1"}})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)})
	apply(t, target, create("a", "1"))
	if err := os.RemoveAll(s.Dir); err != nil {
		t.Fatal(err)
	}
	s.Do(t, "BGSAVE")
	for range 100 {
		if strings.Contains(s.Do(t, "INFO", "persistence"), "rdb_last_bgsave_status:err") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	expectSays(t, target.Apply(t.Context(), batch(create("b", `"`+canary+`"`))), "answered MISCONF: it can't write to its disk")
	if value, _, err := target.Get(t.Context(), production.Key("a")); err != nil || string(value) != "1" {
		t.Errorf("Get = %s, %v; readers may go on", value, err)
	}
}
