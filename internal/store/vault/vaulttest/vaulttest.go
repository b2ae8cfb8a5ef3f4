// Package vaulttest starts a real Vault for tests: the vaultd of the nested module beside this
// package, built once per content and kept in the user's cache folder.
package vaulttest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Server is a running Vault: unsealed, KV version 2 at secret/, and an AppRole with policy.hcl.
type Server struct {
	Address   string `json:"address"`
	RootToken string `json:"rootToken"`
	RoleID    string `json:"roleId"`
	SecretID  string `json:"secretId"`
}

// Options change what Start starts.
type Options struct {
	TokenTTL time.Duration // how long a token of the AppRole lives; 0: an hour
	Policy   string        // the policy of the AppRole, in HCL; empty: policy.hcl of package vault
}

// Start runs a Vault until the test ends. Where none can be built, because there is no go command or
// its modules cannot be had, it skips the test; with CI set in the environment it fails it.
func Start(t testing.TB) *Server { return StartWith(t, Options{}) }

// StartWith is Start with other options.
func StartWith(t testing.TB, o Options) *Server {
	t.Helper()
	root := sources(t)
	binary := build(t, filepath.Join(root, "vaultd"))
	args := []string{"-policy", policyFile(t, root, o.Policy)}
	if o.TokenTTL > 0 {
		args = append(args, "-token-ttl", o.TokenTTL.String())
	}
	return run(t, exec.Command(binary, args...))
}

func policyFile(t testing.TB, root, policy string) string {
	if policy == "" {
		return filepath.Join(root, "policy.hcl")
	}
	file := filepath.Join(t.TempDir(), "policy.hcl")
	if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// run starts vaultd and waits for its line. vaultd ends with its standard input, so it does not
// outlive this process, however that ends.
func run(t testing.TB, cmd *exec.Cmd) *Server {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting vaultd: %v", err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		stop := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer stop.Stop()
		_ = cmd.Wait()
	})
	server, err := firstLine(stdout)
	if err != nil {
		t.Fatalf("vaultd is not ready: %v\n%s", err, stderr.Bytes())
	}
	return server
}

func firstLine(r io.Reader) (*Server, error) {
	type result struct {
		server Server
		err    error
	}
	read := make(chan result, 1)
	go func() {
		var got result
		line, err := bufio.NewReader(r).ReadBytes('\n')
		if got.err = err; err == nil {
			got.err = json.Unmarshal(line, &got.server)
		}
		read <- got
	}()
	select {
	case got := <-read:
		return &got.server, got.err
	case <-time.After(time.Minute):
		return nil, os.ErrDeadlineExceeded
	}
}
