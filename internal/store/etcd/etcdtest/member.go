package etcdtest

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
)

// patience is how long a member may take to get ready.
const patience = time.Minute

func quiet() *zap.Logger { return zap.NewNop() }

// Member is one process of an etcd.
type Member struct {
	Endpoint string // the URL where it serves clients

	program, name, peer string
	args                []string

	cmd    *exec.Cmd
	stdin  io.Closer
	stderr *bytes.Buffer
	ready  chan error
	over   sync.Once
}

// Start runs the member and does not wait for it: one of several gets ready when enough of the others do.
func (m *Member) Start(t testing.TB) {
	t.Helper()
	m.cmd, m.stderr, m.ready = exec.Command(m.program, m.args...), &bytes.Buffer{}, make(chan error, 1)
	m.over = sync.Once{}
	m.cmd.Stderr = m.stderr
	stdin, err := m.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	m.stdin = stdin // etcdd ends with it, so it does not outlive this process
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatalf("etcdtest: starting etcdd: %v", err)
	}
	ready := m.ready
	go func() {
		_, err := bufio.NewReader(stdout).ReadString('\n')
		ready <- err
	}()
}

// Wait waits until the member is ready.
func (m *Member) Wait(t testing.TB) {
	t.Helper()
	select {
	case err := <-m.ready:
		if err != nil {
			m.stop()
			t.Fatalf("etcdtest: etcdd is not ready: %v\n%s", err, m.stderr)
		}
	case <-time.After(patience):
		t.Fatal("etcdtest: etcdd does not get ready")
	}
}

// Kill ends the member at once, as a crash does (SIGKILL). What it has written stays.
func (m *Member) Kill(t testing.TB) {
	t.Helper()
	m.over.Do(func() {
		if err := m.cmd.Process.Kill(); err != nil {
			t.Fatalf("etcdtest: %v", err)
		}
		_ = m.cmd.Wait()
	})
}

// Restart kills the member and starts it again with what it has written.
func (m *Member) Restart(t testing.TB) {
	t.Helper()
	m.Kill(t)
	m.Start(t)
	m.Wait(t)
}

// Pause stops the member from doing anything, while its connections stay, until Resume.
func (m *Member) Pause(t testing.TB)  { m.signal(t, syscall.SIGSTOP) }
func (m *Member) Resume(t testing.TB) { m.signal(t, syscall.SIGCONT) }

func (m *Member) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := m.cmd.Process.Signal(s); err != nil {
		t.Fatalf("etcdtest: %v", err)
	}
}

// stop ends the member in order, or by force after a while.
func (m *Member) stop() {
	m.over.Do(func() {
		_ = m.stdin.Close()
		_ = m.cmd.Process.Signal(syscall.SIGCONT)
		force := time.AfterFunc(10*time.Second, func() { _ = m.cmd.Process.Kill() })
		defer force.Stop()
		_ = m.cmd.Wait()
	})
}
