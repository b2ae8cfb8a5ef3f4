package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

// TestVaultScripts runs the scripts that need a real Vault. Each has a KV engine of its own, and a gate
// before the Vault by which it can count writes and play an outage.
func TestVaultScripts(t *testing.T) {
	server := vaulttest.Start(t)
	p := params("testdata/vault")
	p.Setup = func(env *testscript.Env) error {
		g, err := newGate(server.Address)
		if err != nil {
			return err
		}
		env.Defer(g.Close)
		for name, text := range map[string]string{"vault-token": server.RootToken, "vault-secret-id": server.SecretID} {
			if err := os.WriteFile(filepath.Join(env.WorkDir, name), []byte(text), 0o600); err != nil {
				return err
			}
		}
		env.Values["vault"], env.Values["gate"] = server, g
		env.Setenv("VAULT", g.URL)
		env.Setenv("vault_role", server.RoleID)
		env.Setenv("mount", server.Mount(t))
		if err := copyMissing("testdata/vault-base", env.WorkDir); err != nil {
			return err
		}
		return setupScript(env)
	}
	p.Cmds["kv"], p.Cmds["kvdelete"], p.Cmds["gate"], p.Cmds["writes"] = cmdKV, cmdKVDelete, cmdGate, cmdWrites
	testscript.Run(t, p)
}

// kv PATH: prints what Vault holds at a path of the script's engine: {data, metadata, version}.
// kv PATH FIELD VALUE: writes there, as somebody else.
func cmdKV(ts *testscript.TestScript, neg bool, args []string) {
	method, body := http.MethodGet, io.Reader(nil)
	switch len(args) {
	case 1:
	case 3:
		data, err := json.Marshal(map[string]any{"data": map[string]string{args[1]: args[2]}})
		ts.Check(err)
		method, body = http.MethodPost, strings.NewReader(string(data))
	default:
		ts.Fatalf("usage: kv PATH [FIELD VALUE]")
	}
	resp := asRoot(ts, method, ts.Getenv("mount")+"/data/"+args[0], body)
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Data     any
			Metadata struct {
				Version  int
				Metadata map[string]string `json:"custom_metadata"`
			}
		}
	}
	ts.Check(json.NewDecoder(resp.Body).Decode(&answer))
	if (resp.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("kv %s: status %d", args[0], resp.StatusCode)
	}
	out, err := json.Marshal(map[string]any{"data": answer.Data.Data, "version": answer.Data.Metadata.Version, "metadata": answer.Data.Metadata.Metadata})
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n", out)
}

// kvdelete PATH: soft-deletes the newest version, as somebody else.
func cmdKVDelete(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: kvdelete PATH")
	}
	resp := asRoot(ts, http.MethodDelete, ts.Getenv("mount")+"/data/"+args[0], nil)
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		ts.Fatalf("kvdelete %s: status %d", args[0], resp.StatusCode)
	}
}

func asRoot(ts *testscript.TestScript, method, path string, body io.Reader) *http.Response {
	server := ts.Value("vault").(*vaulttest.Server)
	req, err := http.NewRequest(method, server.Address+"/v1/"+path, body)
	ts.Check(err)
	req.Header.Set("X-Vault-Token", server.RootToken)
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	return resp
}

// gate open|sealed|unreachable|refusing: what Vault does from now on.
func cmdGate(ts *testscript.TestScript, neg bool, args []string) {
	guards := map[string]guard{"open": nil, "sealed": sealedVault, "unreachable": unreachable, "refusing": echoing(http.StatusForbidden)}
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gate open|sealed|unreachable|refusing")
	}
	g, ok := guards[args[0]]
	if !ok {
		ts.Fatalf("gate %s?", args[0])
	}
	ts.Value("gate").(*gate).set(g)
}

// writes N: demands that Vault got exactly N requests that change something since it was last asked.
func cmdWrites(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: writes N")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := ts.Value("gate").(*gate).count(); got != want {
		ts.Fatalf("%d writes to Vault, want %d", got, want)
	}
}
