package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
)

// TestRedisScripts runs the scripts that need a real Redis. Each has one of its own, over TLS; the daemon
// logs in as the user of user.acl.
func TestRedisScripts(t *testing.T) {
	p := params("testdata/redis")
	p.Setup = func(env *testscript.Env) error {
		server := redistest.Start(t, redistest.Options{})
		files := server.TLS()
		for name, from := range map[string]string{"redis-ca.pem": files.CA, "redis-cert.pem": files.ClientCert, "redis-key.pem": files.ClientKey} {
			data, err := os.ReadFile(from)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(env.WorkDir, name), data, 0o600); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(env.WorkDir, "redis-password"), []byte(redistest.Password+"\n"), 0o600); err != nil {
			return err
		}
		env.Values["redis"] = server
		env.Setenv("REDIS", server.Address)
		return setupScript(env)
	}
	p.Cmds["redis"], p.Cmds["becomes"], p.Cmds["redisserver"] = cmdRedis, cmdBecomes, cmdRedisServer
	testscript.Run(t, p)
}

// redis ARGS...: carries out a command as the administrator, and prints the answer.
func cmdRedis(ts *testscript.TestScript, neg bool, args []string) {
	out, err := ts.Value("redis").(*redistest.Server).CLI(args...).CombinedOutput()
	if (err != nil) != neg {
		ts.Fatalf("redis-cli: %v: %s", err, out)
	}
	_, err = ts.Stdout().Write(out)
	ts.Check(err)
}

// becomes TEXT ARGS...: waits until the answer to a command has the text in it.
func cmdBecomes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: becomes TEXT ARGS...")
	}
	var out []byte
	for range 600 {
		out, _ = ts.Value("redis").(*redistest.Server).CLI(args[1:]...).CombinedOutput()
		if strings.Contains(string(out), args[0]) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%q never appeared; last: %s", args[0], out)
}

// redisserver down|up: ends the Redis, or starts it again over the same data.
func cmdRedisServer(ts *testscript.TestScript, neg bool, args []string) {
	server := ts.Value("redis").(*redistest.Server)
	switch {
	case neg || len(args) != 1:
		ts.Fatalf("usage: redisserver down|up")
	case args[0] == "down":
		server.Kill()
	default:
		ts.Check(server.Run())
	}
}
