package sdnotify

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// listen is systemd's end: it returns the environment of a service, and what is heard next.
func listen(t *testing.T, path string, env map[string]string) (getenv func(string) string, next func() string) {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	env["NOTIFY_SOCKET"] = path
	return func(name string) string { return env[name] }, func() string {
		t.Helper()
		buffer := make([]byte, 4096)
		if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
}

func TestProtocol(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "notify"), "@lcm-test-" + strconv.Itoa(os.Getpid())} {
		getenv, next := listen(t, path, map[string]string{})
		n, err := Open(getenv)
		if err != nil {
			t.Fatal(err)
		}
		n.Ready()
		n.Reloading()
		n.Status("applied\nREADY=0" + strings.Repeat("é", maxStatus))
		n.Stopping()
		for _, want := range []string{"READY=1", `RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+`, "STATUS=applied READY=0é{92}", "STOPPING=1"} {
			if got := next(); !regexp.MustCompile("^" + want + "$").MatchString(got) {
				t.Errorf("%q, want %q", got, want)
			}
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestWatchdog: it is fed three times in its interval, and only while the daemon is alive.
func TestWatchdog(t *testing.T) {
	getenv, next := listen(t, filepath.Join(t.TempDir(), "notify"), map[string]string{"WATCHDOG_USEC": "30000", "WATCHDOG_PID": strconv.Itoa(os.Getpid())})
	n, err := Open(getenv)
	if err != nil || n.watchdog != 30*time.Millisecond {
		t.Fatal(n, err)
	}
	var alive atomic.Bool
	asked := make(chan bool, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		n.Watch(ctx, func() bool { asked <- true; return alive.Load() })
		close(done)
	}()
	<-asked
	<-asked
	n.Status("nothing was sent before")
	if got := next(); got != "STATUS=nothing was sent before" {
		t.Errorf("%q, though it is not alive", got)
	}
	alive.Store(true)
	if got := next(); got != "WATCHDOG=1" {
		t.Errorf("%q", got)
	}
	cancel()
	<-done
}

func TestElsewhere(t *testing.T) {
	n, err := Open(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	n.Ready()
	n.Watch(t.Context(), nil)
	(*Notifier)(nil).Ready()
	for name, env := range map[string]map[string]string{
		"vsock":   {"NOTIFY_SOCKET": "vsock:2:1234"},
		"no such": {"NOTIFY_SOCKET": filepath.Join(t.TempDir(), "nobody")},
	} {
		if _, err := Open(func(k string) string { return env[k] }); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if d := watchdogOf(func(k string) string { return map[string]string{"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}[k] }); d != 0 {
		t.Errorf("the watchdog of another process: %v", d)
	}
}
