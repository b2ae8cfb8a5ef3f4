// Package sdnotify tells systemd how the daemon is, as sd_notify(3) says: datagrams of assignments, sent to the
// socket that NOTIFY_SOCKET names. Elsewhere than under systemd nothing is sent.
package sdnotify

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier sends. The zero value, and a nil one, send to nobody.
type Notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration
}

// Open connects to the socket of the environment, if there is one, and takes the watchdog's interval from it.
func Open(getenv func(string) string) (*Notifier, error) {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return &Notifier{}, nil
	}
	if path[0] != '/' && path[0] != '@' { // vsock and others are not for a service on this host
		return nil, fmt.Errorf("NOTIFY_SOCKET is %.80q, which is neither a path nor an abstract socket", path)
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	return &Notifier{conn, watchdogOf(getenv)}, nil
}

// watchdogOf is how often systemd wants to hear of the process; 0 for never.
func watchdogOf(getenv func(string) string) time.Duration {
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 || usec > int64(24*time.Hour/time.Microsecond) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// Close closes the socket.
func (n *Notifier) Close() error {
	if n == nil || n.conn == nil {
		return nil
	}
	return n.conn.Close()
}

// Ready says that the start is over, or a reload is.
func (n *Notifier) Ready() { n.send("READY=1") }

// Reloading says that the configuration is being read again. Ready must follow.
func (n *Notifier) Reloading() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return
	}
	n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

// Stopping says that the process is about to end.
func (n *Notifier) Stopping() { n.send("STOPPING=1") }

// maxStatus bounds a status, in bytes.
const maxStatus = 200

// Status is one line for `systemctl status`.
func (n *Notifier) Status(text string) {
	text = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text)
	n.send("STATUS=" + strings.ToValidUTF8(text[:min(len(text), maxStatus)], ""))
}

// Watch keeps the watchdog quiet until ctx ends, as long as alive says so. It returns at once where there is none.
func (n *Notifier) Watch(ctx context.Context, alive func() bool) {
	if n == nil || n.watchdog == 0 {
		return
	}
	tick := time.NewTicker(n.watchdog / 3)
	defer tick.Stop()
	for {
		if alive() {
			n.send("WATCHDOG=1")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// send sends a datagram. That systemd does not take it is no reason to stop serving.
func (n *Notifier) send(text string) {
	if n == nil || n.conn == nil {
		return
	}
	if n.conn.SetWriteDeadline(time.Now().Add(time.Second)) == nil {
		_, _ = n.conn.Write([]byte(text))
	}
}
