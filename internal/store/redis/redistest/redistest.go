// Package redistest starts real Redis servers for tests, from the programs of Debian's package redis-server:
// a single one, a master and its replica that Sentinels watch, or a Cluster. All speak TLS with
// certificates made for the test, and know the user of user.acl beside an administrator.
package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The logins of every server. Username is allowed what user.acl lists and nothing else.
const (
	Username = "lcm"
	Password = "canary-redis-password"

	adminPassword = "admin"
)

// Options change what is started.
type Options struct {
	Plain  bool     // without TLS
	Dir    string   // where its data are; empty: a folder of its own
	Config []string // further lines of redis.conf
	User   string   // the line of the user lcm, without password; empty: user.acl of package redis
	Ports  []int    // where the nodes of a Cluster say that they are, as where proxies stand before them; empty: where they are
}

// Server is a running redis-server.
type Server struct {
	Address string
	Dir     string // its data

	port  int
	tls   *TLS     // nil: none
	args  []string // of redis-server
	watch bool     // it is a Sentinel
	cmd   *exec.Cmd
	ended chan struct{} // closed once cmd has ended
}

// Start runs one Redis until the test ends. Where the machine has none it skips the test; with CI set in the
// environment it fails it.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	need(t)
	return start(t, o, certificates(t, o))
}

func need(t testing.TB) {
	t.Helper()
	for _, program := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: apt-get install redis-server", program)
		}
		t.Skipf("%s is missing: apt-get install redis-server", program)
	}
}

func certificates(t testing.TB, o Options) *TLS {
	if o.Plain {
		return nil
	}
	return newTLS(t)
}

// start runs a server with a configuration of its own. Another program may take the port before it does.
func start(t testing.TB, o Options, certs *TLS, more ...string) *Server {
	t.Helper()
	var err error
	for range 3 {
		s := &Server{Dir: o.Dir, port: freePort(t), tls: certs}
		s.Address = fmt.Sprintf("127.0.0.1:%d", s.port)
		if s.Dir == "" {
			s.Dir = t.TempDir()
		}
		s.configure(t, o, more)
		if err = s.Run(); err == nil {
			t.Cleanup(s.Kill)
			return s
		}
	}
	t.Fatalf("starting redis-server: %v", err)
	return nil
}

func (s *Server) configure(t testing.TB, o Options, more []string) {
	t.Helper()
	lines := append(s.network(),
		"dir "+s.Dir, "save \"\"", "appendonly yes", "appendfsync everysec", "enable-debug-command local",
		"user default on >"+adminPassword+" ~* &* +@all",
		userLine(t, o)+" >"+Password,
	)
	lines = append(append(lines, o.Config...), more...)
	conf := filepath.Join(t.TempDir(), "redis.conf")
	write(t, conf, strings.Join(lines, "\n")+"\n")
	s.args = []string{conf}
}

func userLine(t testing.TB, o Options) string {
	if o.User != "" {
		return o.User
	}
	return strings.TrimSpace(read(t, filepath.Join(sources(t), "user.acl")))
}

// network are the lines that say where and how the server listens.
func (s *Server) network() []string {
	lines := []string{"bind 127.0.0.1", "daemonize no", "protected-mode no", "loglevel notice"}
	if s.tls == nil {
		return append(lines, fmt.Sprintf("port %d", s.port))
	}
	return append(lines, "port 0", fmt.Sprintf("tls-port %d", s.port), "tls-cert-file "+s.tls.ServerCert, "tls-key-file "+s.tls.ServerKey,
		"tls-ca-cert-file "+s.tls.CA, "tls-auth-clients yes", "tls-replication yes", "tls-cluster yes")
}

// Run starts the program and waits until it answers.
func (s *Server) Run() error {
	log, err := os.OpenFile(s.args[0]+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command("redis-server", s.args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	dieWithParent(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(s.cmd, s.ended)
	for range 200 {
		if _, err = net.DialTimeout("tcp", s.Address, time.Second); err == nil {
			if out, _ := s.Try("PING"); strings.HasPrefix(out, "PONG") || strings.HasPrefix(out, "LOADING") {
				return nil
			}
		}
		select {
		case <-s.ended:
			text, _ := os.ReadFile(s.args[0] + ".log")
			return fmt.Errorf("it ended: %s", text)
		case <-time.After(50 * time.Millisecond):
		}
	}
	s.Kill()
	return fmt.Errorf("it does not answer at %s: %v", s.Address, err)
}

// Kill ends the server at once, as a power failure would.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// Restart ends the server and starts it again over the same data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	s.Resume(t)
}

// Resume starts a server that was killed.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	if err := s.Run(); err != nil {
		t.Fatalf("starting redis-server again: %v", err)
	}
}

// Do carries out a command as the administrator and returns what redis-cli prints.
func (s *Server) Do(t testing.TB, args ...string) string {
	t.Helper()
	out, err := s.Try(args...)
	if err != nil {
		t.Fatalf("redis-cli %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSuffix(out, "\n")
}

// Try is Do for a server that may not answer.
func (s *Server) Try(args ...string) (string, error) {
	return s.as("default", adminPassword, "", args...)
}

// Session carries out commands, a line each, on one connection as a user, and returns what redis-cli prints,
// errors included.
func (s *Server) Session(t testing.TB, user, password, commands string) string {
	t.Helper()
	out, err := s.as(user, password, commands+"\n")
	if err != nil {
		t.Fatalf("redis-cli: %v: %s", err, out)
	}
	return out
}

// CLI is the command line of redis-cli as the administrator.
func (s *Server) CLI(args ...string) *exec.Cmd { return s.cli("default", adminPassword, args...) }

func (s *Server) cli(user, password string, args ...string) *exec.Cmd {
	line := []string{"-h", "127.0.0.1", "-p", fmt.Sprint(s.port), "--no-auth-warning", "--user", user, "--pass", password}
	if s.watch {
		line = line[:5]
	}
	if s.tls != nil {
		line = append(line, "--tls", "--cacert", s.tls.CA, "--cert", s.tls.ClientCert, "--key", s.tls.ClientKey)
	}
	return exec.Command("redis-cli", append(line, args...)...)
}

func (s *Server) as(user, password, stdin string, args ...string) (string, error) {
	cmd := s.cli(user, password, args...)
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TLS returns the files by which clients and servers prove who they are.
func (s *Server) TLS() TLS { return *s.tls }

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Stop has the server answer nothing, with its connections open, until Continue.
func (s *Server) Stop(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Continue ends Stop.
func (s *Server) Continue(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}
