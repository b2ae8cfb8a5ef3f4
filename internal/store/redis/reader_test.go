package redis_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/redis"
	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
)

// page is the page of the target.
func page(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../docs/targets/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPage: the page grants the daemon what user.acl does.
func TestPage(t *testing.T) {
	acl, err := os.ReadFile("user.acl")
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Replace(strings.TrimSpace(string(acl)), "user lcm on", "ACL SETUSER lcm on >PASSWORD", 1)
	if !strings.Contains(page(t), "    "+line+"\n") {
		t.Errorf("docs/targets/redis.md does not have the line %q", line)
	}
}

// TestLeastPrivilege: without any one of the commands that user.acl grants, something fails. Those that only
// Sentinels, a Cluster and a confirmation need are asked for by their own tests; ping keeps connections.
func TestLeastPrivilege(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	acl, err := os.ReadFile("user.acl")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(acl)) {
		command, granted := strings.CutPrefix(word, "+")
		if !granted || strings.HasPrefix(command, "cluster|") || command == "role" || command == "wait" || command == "ping" {
			continue
		}
		s.Do(t, "FLUSHALL")
		s.Do(t, "SCRIPT", "FLUSH")
		s.Do(t, "ACL", "SETUSER", "lcm", "-"+command)
		err := everything(t, open(t, redis.Config{Address: s.Address, Database: 1, Login: login(), TLS: tlsOf(s)}), s)
		if err == nil {
			t.Errorf("without %s everything can be done: it need not be granted", command)
		}
		s.Do(t, "ACL", "SETUSER", "lcm", word)
		if err := everything(t, open(t, redis.Config{Address: s.Address, Database: 1, Login: login(), TLS: tlsOf(s)}), s); err != nil {
			t.Fatalf("with all of it: %v", err)
		}
	}
}

// everything does all that a target does.
func everything(t *testing.T, target *redis.Target, s *redistest.Server) error {
	s.Do(t, "-n", "1", "FLUSHDB")
	if err := target.Apply(t.Context(), batch(create("a", "1"), create("b", "1"))); err != nil {
		return err
	}
	s.Do(t, "-n", "1", "HSET", "lcm:{acme-corp/platform/chat/production}/foreign", "theirs", "1")
	l, err := target.List(t.Context(), production)
	if err != nil {
		return err
	}
	gone := store.Change{Action: store.Delete, Key: "a", If: l.Items[0].Token}
	remarked := store.Change{Action: store.Remark, Key: "b", If: l.Items[1].Token, Meta: meta("b")}
	if err := target.Apply(t.Context(), batch(gone, remarked)); err != nil {
		return err
	}
	_, errMarker := target.Marker(t.Context(), production)
	_, errNamespaces := target.Namespaces(t.Context(), []string{"*"})
	_, errHolds := target.Holds(t.Context(), production, "b", []byte("1"))
	_, errWhole := target.Whole(t.Context(), production)
	return errors.Join(errMarker, errNamespaces, errHolds, errWhole)
}

// TestReader: an application with the rights that the page gives it reads as the page says, and may do nothing else.
func TestReader(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)})
	apply(t, target, create("greeting", `"Hello"`), create("limit", "600"))
	_, grant, _ := strings.Cut(page(t), "    ACL SETUSER chat on >PASSWORD ")
	grant, _, _ = strings.Cut(grant, "\n")
	grant = strings.ReplaceAll(grant, "acme-corp/platform/chat", "acme-corp/platform/chat")
	s.Do(t, append([]string{"ACL", "SETUSER", "chat", "on", ">canary-chat"}, strings.Fields(grant)...)...)

	const in = "lcm:{acme-corp/platform/chat/production}/"
	got := s.Session(t, "chat", "canary-chat", strings.Join([]string{
		"WATCH " + in + ".lcm/revision", "GET " + in + ".lcm/revision", "SMEMBERS " + in + ".lcm/keys",
		"MULTI", "HMGET " + in + "greeting value version", "HMGET " + in + "limit value version", "EXEC",
		"HGETALL " + in + "limit",
	}, "\n"))
	for _, want := range []string{`"phase":"whole"`, "greeting\n", "\"Hello\"\n3\n600\n3\n", "repository\nacme-config\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it reads %q; want %q in it", got, want)
		}
	}
	for _, forbidden := range []string{"HSET " + in + "limit value 1", "DEL " + in + "limit", "PUBLISH lcm:changes x", "KEYS *", "HGET lcm:{acme-corp/platform/other/production}/a value", "EVAL \"return 1\" 0"} {
		if got := s.Session(t, "chat", "canary-chat", forbidden); !strings.Contains(got, "NOPERM") {
			t.Errorf("%s: %s", forbidden, got)
		}
	}
}

// TestPublishes: each batch is told of on the channel, in the step that writes it.
func TestPublishes(t *testing.T) {
	s := redistest.Start(t, redistest.Options{})
	target := open(t, redis.Config{Address: s.Address, Login: login(), TLS: tlsOf(s)})
	said := subscribe(t, s.CLI("SUBSCRIBE", redis.Channel))
	apply(t, target, create("greeting", `"Hello"`))
	const want = `{"namespace":"acme-corp/platform/chat/production","repository":"acme-config","revision":"1111111111111111111111111111111111111111"}`
	for line := range said {
		if line == want {
			return
		}
	}
	t.Errorf("it ended without %s", want)
}

// subscribe returns what a command prints after it has subscribed.
func subscribe(t *testing.T, cmd *exec.Cmd) <-chan string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := make(chan string)
	go func() {
		defer close(lines)
		for r := bufio.NewScanner(out); r.Scan(); {
			select {
			case lines <- r.Text():
			case <-t.Context().Done():
				return
			}
		}
	}()
	for range 3 { // subscribe, the channel, 1
		<-lines
	}
	return lines
}
