// Package vaulttest starts a real Vault for tests: the vaultd of the nested module beside this
// package, built once per content and kept in the user's cache folder.
package vaulttest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/nestedtest"
)

// Server is a running Vault: unsealed, KV version 2 at secret/, and an AppRole with policy.hcl.
type Server struct {
	Address   string `json:"address"`
	RootToken string `json:"rootToken"`
	RoleID    string `json:"roleId"`
	SecretID  string `json:"secretId"`
	UnsealKey string `json:"unsealKey"`

	process *process
	start   func() *exec.Cmd
}

// Options change what Start starts.
type Options struct {
	TokenTTL time.Duration // how long a token of the AppRole lives; 0: an hour
	Policy   string        // the policy of the AppRole, in HCL; empty: policy.hcl of package vault
	Durable  bool          // it keeps everything in files, so that Restart finds it again
}

// Start runs a Vault until the test ends. Where none can be built, because there is no go command or
// its modules cannot be had, it skips the test; with CI set in the environment it fails it.
func Start(t testing.TB) *Server { return StartWith(t, Options{}) }

// StartWith is Start with other options.
func StartWith(t testing.TB, o Options) *Server {
	t.Helper()
	binary := nestedtest.Build(t, "internal/store/vault/vaultd")
	args := []string{"-policy", policyFile(t, o.Policy)}
	if o.TokenTTL > 0 {
		args = append(args, "-token-ttl", o.TokenTTL.String())
	}
	if o.Durable {
		args = append(args, "-data", t.TempDir())
	}
	s := &Server{start: func() *exec.Cmd { return exec.Command(binary, args...) }}
	t.Cleanup(func() {
		if s.process != nil {
			s.process.end()
		}
	})
	s.run(t)
	args = append(args, "-listen", strings.TrimPrefix(s.Address, "http://")) // for Restart
	return s
}

// Kill ends the Vault without warning, as a crash does.
func (s *Server) Kill() { s.process.kill() }

// Restart starts a Durable one again, at its old address, after Kill or without.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	s.run(t)
}

// Seal seals it, and Unseal opens it again.
func (s *Server) Seal(t testing.TB) {
	t.Helper()
	s.Must(t, http.MethodPost, "sys/seal", nil)
}

// Unseal undoes Seal.
func (s *Server) Unseal(t testing.TB) {
	t.Helper()
	s.Must(t, http.MethodPost, "sys/unseal", map[string]any{"key": s.UnsealKey})
}

func policyFile(t testing.TB, policy string) string {
	if policy == "" {
		return nestedtest.Folder(t, "internal/store/vault/policy.hcl")
	}
	file := filepath.Join(t.TempDir(), "policy.hcl")
	if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// process is a running vaultd. It ends with its standard input, so it does not outlive this process, however that ends.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) end() {
	_ = p.stdin.Close()
	stop := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer stop.Stop()
	_ = p.cmd.Wait()
}

// run starts vaultd and waits for its line.
func (s *Server) run(t testing.TB) {
	t.Helper()
	cmd := s.start()
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
	s.process = &process{cmd, stdin}
	if err := s.read(stdout); err != nil {
		s.process.kill()
		t.Fatalf("vaultd is not ready: %v\n%s", err, stderr.Bytes())
	}
}

// read takes in the line.
func (s *Server) read(r io.Reader) error {
	line := make(chan []byte, 1)
	go func() {
		b, _ := bufio.NewReader(r).ReadBytes('\n') // one that is cut short is no JSON
		line <- b
	}()
	select {
	case b := <-line:
		return json.Unmarshal(b, s)
	case <-time.After(time.Minute):
		return os.ErrDeadlineExceeded
	}
}
