package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/llm-config-manager/lcm/internal/nestedtest"
	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
)

// TestEtcdScripts runs the scripts that need a real etcd. Each has one of its own, over TLS; the daemon logs in as
// the user of role.sh.
func TestEtcdScripts(t *testing.T) {
	p := params("testdata/etcd")
	role, err := os.ReadFile(nestedtest.Folder(t, "internal/store/etcd/role.sh"))
	if err != nil {
		t.Fatal(err)
	}
	p.Setup = func(env *testscript.Env) error {
		cluster := etcdtest.Start(t, etcdtest.Options{TLS: true})
		cluster.Etcdctl(t, string(role))
		ca, err := os.ReadFile(cluster.CAFile)
		if err != nil {
			return err
		}
		for name, text := range map[string]string{"etcd-ca.pem": string(ca), "etcd-password": etcdtest.Password("lcm")} {
			if err := os.WriteFile(filepath.Join(env.WorkDir, name), []byte(text), 0o600); err != nil {
				return err
			}
		}
		env.Values["etcd"] = etcdScript{t, cluster}
		env.Setenv("ETCD", cluster.Endpoints()[0])
		return setupScript(env)
	}
	p.Cmds["etcd"], p.Cmds["becomes"], p.Cmds["member"] = cmdEtcd, cmdEtcdBecomes, cmdMember
	testscript.Run(t, p)
}

type etcdScript struct {
	t *testing.T
	*etcdtest.Cluster
}

// etcd get KEY, put KEY VALUE, del KEY, clear, keys PREFIX, revision: as an operator. get prints the value, keys all keys that
// begin with the prefix, revision how often anything was written.
func cmdEtcd(ts *testscript.TestScript, neg bool, args []string) {
	out, err := ts.Value("etcd").(etcdScript).do(args)
	if (err != nil) != neg {
		ts.Fatalf("etcd %s: %v", strings.Join(args, " "), err)
	}
	fmt.Fprint(ts.Stdout(), out)
}

func (e etcdScript) do(args []string) (out string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch strings.Join(args[:1], "") {
	case "get":
		return e.Get(ctx, args[1])
	case "put":
		return "", e.Put(ctx, args[1], args[2])
	case "del":
		return "", e.Delete(ctx, args[1])
	case "clear":
		return "", e.Clear(ctx)
	case "keys":
		keys, err := e.Keys(ctx, args[1])
		return strings.Join(keys, "\n"), err
	case "revision":
		n, err := e.Revision(ctx)
		return fmt.Sprintln(n), err
	}
	return "", fmt.Errorf("usage: etcd get|put|del|clear|keys|revision …")
}

// becomes TEXT KEY: waits until the value of a key is the text.
func cmdEtcdBecomes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: becomes TEXT KEY")
	}
	var out string
	for range 600 {
		if out, _ = ts.Value("etcd").(etcdScript).do([]string{"get", args[1]}); out == args[0] {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%q never became %q", out, args[0])
}

// member down|up: kills the etcd, or starts it again over the same data.
func cmdMember(ts *testscript.TestScript, neg bool, args []string) {
	e := ts.Value("etcd").(etcdScript)
	switch {
	case neg || len(args) != 1:
		ts.Fatalf("usage: member down|up")
	case args[0] == "down":
		e.Members[0].Kill(e.t)
	default:
		e.Members[0].Start(e.t)
		e.Members[0].Wait(e.t)
	}
}
