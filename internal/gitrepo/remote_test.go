package gitrepo

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// serveHTTPS serves a repository with git's own server, to who knows the password.
func serveHTTPS(t *testing.T, g *git, user, password string) *httptest.Server {
	t.Helper()
	backend := filepath.Join(g.run("--exec-path"), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		missing(t, "git-http-backend is not installed")
	}
	handler := &cgi.Handler{
		Path:   backend,
		Env:    []string{"GIT_PROJECT_ROOT=" + g.dir, "GIT_HTTP_EXPORT_ALL=1"},
		Stderr: io.Discard,
	}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if u, p, _ := req.BasicAuth(); u != user || p != password {
			http.Error(w, "no\x1b[2J", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, req)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// httpsMirror is a mirror that believes the server's certificate.
func httpsMirror(t *testing.T, srv *httptest.Server, auth Auth, limits Limits) *Repo {
	t.Helper()
	url := srv.URL + "/.git"
	r := mirrorOf(t, Config{URL: url, Auth: auth, Limits: limits})
	endpoint, err := transport.NewEndpoint(url)
	if err != nil {
		t.Fatal(err)
	}
	r.remote = httpsThrough(srv.Client().Transport, endpoint, auth, limits.WithDefaults())
	return r
}

func TestFetchHTTPS(t *testing.T) {
	g := newGit(t)
	one := g.commit(map[string]string{"a/x": "1", "b": "2"})
	srv := serveHTTPS(t, g, "git", "s3cret")
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := httpsMirror(t, srv, Auth{PasswordFile: file}, Limits{})
	fetch(t, r, one)
	fetch(t, r, one)
	for i := range 3 {
		fetch(t, r, g.commit(map[string]string{"a/x": fmt.Sprint(i)}))
	}
	g.run("gc", "-q")
	g.run("reset", "-q", "--hard", string(one))
	fork := g.commit(map[string]string{"c": "5"})
	g.run("update-ref", "refs/lcm/x", g.run("rev-parse", "HEAD:c"))
	fetch(t, r, fork)
	if got := files(t, r, fork); got["c"] != "5" || got["a/x"] != "1" {
		t.Error(got)
	}
	if _, err := r.refs.get("refs/lcm/x"); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := r.Fetch(t.Context())
	if err == nil || strings.Contains(err.Error(), "wrong") || !plain(err.Error()) || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("with a wrong password: %v", err)
	}
	g.run("checkout", "-q", "--detach")
	g.run("branch", "-D", "main")
	os.WriteFile(file, []byte("s3cret"), 0o600)
	if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrNoBranch) {
		t.Errorf("a missing branch: %v", err)
	}
}

func TestFetchHTTPSLimits(t *testing.T) {
	g := newGit(t)
	small := g.commit(map[string]string{"a": "1"})
	srv := serveHTTPS(t, g, "", "")
	r := httpsMirror(t, srv, Auth{}, Limits{MaxFetchBytes: 3000})
	fetch(t, r, small)
	noise := make([]byte, 100_000)
	rand.Read(noise)
	g.commit(map[string]string{"noise": fmt.Sprintf("%x", noise)})
	var limit *LimitError
	if _, err := r.Fetch(t.Context()); !errors.As(err, &limit) {
		t.Errorf("got %v", err)
	}
	bomb := httpsMirror(t, srv, Auth{}, Limits{MaxBlobBytes: 1 << 10, MaxTreeEntries: 10, MaxCommitBytes: 1 << 10})
	if _, err := bomb.Fetch(t.Context()); !errors.As(err, &limit) {
		t.Errorf("got %v", err)
	}
}

func TestFetchFromHostileServer(t *testing.T) {
	id := strings.Repeat("1", 40)
	pkt := func(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }
	listing := pkt("# service=git-upload-pack\n") + "0000" + pkt(id+" refs/heads/main\x00ofs-delta\n") + "0000"
	answers := map[string]string{
		"nothing":         "",
		"noise":           "hello",
		"an empty pack":   pkt("NAK\n") + "PACK\x00\x00\x00\x02\x00\x00\x00\x00",
		"a broken pack":   pkt("NAK\n") + "PACK\x00\x00\x00\x02\x00\x00\x00\x01\x95",
		"many objects":    pkt("NAK\n") + "PACK\x00\x00\x00\x02\xff\xff\xff\xff",
		"a huge object":   pkt("NAK\n") + "PACK\x00\x00\x00\x02\x00\x00\x00\x01\xbf\xff\xff\xff\xff\xff\xff\x7f",
		"a wrong version": pkt("NAK\n") + "PACK\x00\x00\x00\x09\x00\x00\x00\x01",
		"an error":        pkt("ERR \x1b[2Jgo away\n"),
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.Method == http.MethodGet {
					w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
					io.WriteString(w, listing)
					return
				}
				io.WriteString(w, answer)
			}))
			defer srv.Close()
			r := httpsMirror(t, srv, Auth{}, Limits{})
			got, err := r.Fetch(t.Context())
			if err == nil || !plain(err.Error()) {
				t.Errorf("got %s, %v", got, err)
			}
			if names := storedFiles(t, r); names != nil {
				t.Errorf("left behind: %v", names)
			}
		})
	}
}

// sshServer answers git-upload-pack requests of one key.
type sshServer struct {
	t       *testing.T
	address string
	config  *ssh.ServerConfig
	host    ssh.PublicKey
}

func newSSHServer(t *testing.T, allowed ssh.PublicKey) *sshServer {
	t.Helper()
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(hostKey)
	if err != nil {
		t.Fatal(err)
	}
	s := &sshServer{t: t, host: signer.PublicKey(), config: &ssh.ServerConfig{
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if c.User() != "git" || string(key.Marshal()) != string(allowed.Marshal()) {
				return nil, errors.New("unknown key")
			}
			return nil, nil
		},
	}}
	s.config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s.address = listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

func (s *sshServer) serve(conn net.Conn) {
	_, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		for req := range requests {
			if req.Type != "exec" {
				req.Reply(false, nil)
				continue
			}
			req.Reply(true, nil)
			var line struct{ Command string }
			ssh.Unmarshal(req.Payload, &line)
			_, path, _ := strings.Cut(line.Command, " ")
			cmd := exec.Command("git-upload-pack", strings.Trim(path, "'"))
			cmd.Stdin, cmd.Stdout, cmd.Stderr = channel, channel, channel.Stderr()
			status := struct{ Status uint32 }{}
			if cmd.Run() != nil {
				status.Status = 1
			}
			channel.SendRequest("exit-status", false, ssh.Marshal(status))
			channel.Close()
			break
		}
	}
}

func writeKey(t *testing.T) (file string, public ssh.PublicKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return file, signer.PublicKey()
}

func TestFetchSSH(t *testing.T) {
	g := newGit(t)
	if _, err := exec.LookPath("git-upload-pack"); err != nil {
		missing(t, "git-upload-pack is not installed")
	}
	one := g.commit(map[string]string{"a/x": "1"})
	keyFile, public := writeKey(t)
	srv := newSSHServer(t, public)
	hosts := filepath.Join(t.TempDir(), "known_hosts")
	known := func(key ssh.PublicKey) {
		line := knownhosts.Line([]string{knownhosts.Normalize(srv.address)}, key) + "\n"
		if err := os.WriteFile(hosts, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	known(srv.host)
	url := "ssh://git@" + srv.address + g.dir
	auth := Auth{SSHKeyFile: keyFile, SSHKnownHostsFile: hosts}
	r := mirrorOf(t, Config{URL: url, Auth: auth})
	fetch(t, r, one)
	fetch(t, r, g.commit(map[string]string{"a/x": "2"}))
	fetch(t, r, g.head())
	if got := files(t, r, g.head()); got["a/x"] != "2" {
		t.Error(got)
	}

	refused := func(name string, auth Auth) {
		t.Helper()
		if got, err := mirrorOf(t, Config{URL: url, Auth: auth}).Fetch(t.Context()); err == nil {
			t.Errorf("%s: fetched %s", name, got)
		}
	}
	otherKey, otherPublic := writeKey(t)
	refused("with a key that the server does not know", Auth{SSHKeyFile: otherKey, SSHKnownHostsFile: hosts})
	known(otherPublic)
	refused("from a server with another key", auth)
	if err := os.WriteFile(hosts, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("from an unknown server", auth)
	os.Remove(hosts)
	refused("without known hosts", auth)
}

func TestURLs(t *testing.T) {
	local := []string{"/srv/repo.git", "repo.git", "./a:b", "../x", "file:///srv/repo.git", "file://localhost/srv/x", "/srv/with space"}
	for _, url := range local {
		s, err := newSource(url, Auth{}, Limits{})
		if _, ok := s.(*localSource); !ok {
			t.Errorf("%s: %T, %v", url, s, err)
		}
	}
	endpoints := map[string]string{
		"https://example.org/a/b.git":        "https://example.org/a/b.git",
		"https://user@example.org:8443/a":    "https://example.org:8443/a",
		"ssh://git@example.org/a.git":        "ssh://git@example.org/a.git",
		"ssh://git@example.org:2222/a.git":   "ssh://git@example.org:2222/a.git",
		"git@example.org:team/repo.git":      "ssh://git@example.org/team/repo.git",
		"example.org:repo.git":               "ssh://git@example.org/repo.git",
		"deploy@[2001:db8::1]:team/repo.git": "ssh://deploy@[2001:db8::1]/team/repo.git",
	}
	for url, want := range endpoints {
		s, err := newSource(url, Auth{}, Limits{})
		remote, ok := s.(*remoteSource)
		if !ok {
			t.Errorf("%s: %T, %v", url, s, err)
			continue
		}
		if got := remote.endpoint.String(); got != want {
			t.Errorf("%s: %s", url, got)
		}
	}
	for _, url := range []string{
		"", "-x", "--upload-pack=touch /tmp/x", "ext::sh -c id", "fd::17", "a\nb", "http://example.org/a", "git://example.org/a",
		"ftp://example.org/a", "https://user:pass@example.org/a", "ssh://git:pass@example.org/a", "https://example.org", "https:///a",
		"https://example.org/a?x=1", "https://example.org/a#x", "file://example.org/a", "ssh://-oProxyCommand=id/a", "ssh://-x@example.org/a",
		"-x@example.org:a", "example.org:-x", "https://%zz/",
	} {
		s, err := newSource(url, Auth{}, Limits{})
		if err == nil {
			t.Errorf("%q was taken for %T", url, s)
		}
		if err != nil && (strings.Contains(err.Error(), "pass@") || !plain(err.Error())) {
			t.Errorf("%q: the error says too much: %v", url, err)
		}
	}
	if _, err := newSource("https://example.org/a", Auth{SSHKeyFile: "k"}, Limits{}); err == nil {
		t.Error("SSH credentials for https")
	}
	if _, err := newSource("git@example.org:a", Auth{PasswordFile: "p"}, Limits{}); err == nil {
		t.Error("a password for SSH")
	}
}

// A server that has nothing new is asked for its refs, and for nothing else.
func TestFetchOfNothingNewAsksForRefsOnly(t *testing.T) {
	g := newGit(t)
	one := g.commit(map[string]string{"a": "1"})
	srv := serveHTTPS(t, g, "", "")
	var mu sync.Mutex
	var asked []string
	next := srv.Config.Handler
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/.git"))
		mu.Unlock()
		next.ServeHTTP(w, r)
	})
	r := httpsMirror(t, srv, Auth{}, Limits{})
	fetch(t, r, one)
	if len(asked) != 2 {
		t.Fatalf("the first fetch asked %q", asked)
	}
	asked = nil
	fetch(t, r, one)
	if len(asked) != 1 || asked[0] != "GET /info/refs" {
		t.Errorf("with nothing new it asked %q", asked)
	}
}
