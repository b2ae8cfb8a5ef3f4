package redis_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store/storetest"
)

// proxy stands between a Target and a Redis without TLS. It takes the protocol's frames apart, and has those
// fail that write a batch.
type proxy struct {
	address string
	backend string

	mu     sync.Mutex
	ctx    context.Context
	before func() storetest.Outcome
	closed bool
	conns  map[net.Conn]bool
}

func (p *proxy) port() int {
	_, port, _ := net.SplitHostPort(p.address)
	n, _ := strconv.Atoi(port)
	return n
}

func newProxy(t testing.TB, backend string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String(), backend: backend, conns: map[net.Conn]bool{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		p.cut(true)
	})
	return p
}

// standBefore sets what it stands before.
func (p *proxy) standBefore(backend string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backend = backend
}

// Intercept is that of a Rig.
func (p *proxy) Intercept(ctx context.Context, before func() storetest.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ctx, p.before = ctx, before
}

// cut breaks all connections, and takes no new ones while closed.
func (p *proxy) cut(closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = closed
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return !p.closed
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	_ = c.Close()
}

func (p *proxy) serve(client net.Conn) {
	defer p.drop(client)
	if !p.keep(client) {
		return
	}
	p.mu.Lock()
	backend := p.backend
	p.mu.Unlock()
	server, err := net.Dial("tcp", backend)
	if err != nil {
		return
	}
	defer server.Close()
	in, answers := bufio.NewReader(client), bufio.NewReader(server)
	for {
		command, err := readFrame(in)
		if err != nil {
			return
		}
		if bytes.Contains(command, []byte("SUBSCRIBE\r\n")) { // from here on answers come unasked, to a Sentinel
			_, _ = server.Write(command)
			go func() { _, _ = io.Copy(server, in) }()
			_, _ = io.Copy(client, answers)
			return
		}
		answer, err := p.pass(command, server, answers)
		if err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

var errCut = errors.New("cut")

// pass has one command meet what is to happen to it.
func (p *proxy) pass(command []byte, server io.Writer, answers *bufio.Reader) ([]byte, error) {
	outcome, ctx := p.outcome(command)
	if outcome == storetest.NotDone {
		return nil, errCut
	}
	send := func() ([]byte, error) {
		if _, err := server.Write(command); err != nil {
			return nil, err
		}
		return readFrame(answers)
	}
	if outcome == storetest.Twice {
		if _, err := send(); err != nil {
			return nil, err
		}
	}
	answer, err := send()
	switch outcome {
	case storetest.Lost:
		return nil, errCut
	case storetest.Hung:
		<-ctx.Done()
		return nil, errCut
	}
	return answer, err
}

func (p *proxy) outcome(command []byte) (storetest.Outcome, context.Context) {
	p.mu.Lock()
	before, ctx := p.before, p.ctx
	p.mu.Unlock()
	if before == nil || !writes(command) {
		return storetest.Through, ctx
	}
	return before(), ctx
}

// writes tells a command that writes a batch: a script that is given the channel.
func writes(command []byte) bool {
	words := bytes.SplitN(command, []byte("\r\n"), 4)
	return len(words) == 4 && slices.Contains([]string{"EVAL", "EVALSHA"}, string(words[2])) && bytes.Contains(command, []byte("\r\nlcm:changes\r\n"))
}

// readFrame reads one frame of the protocol as it is.
func readFrame(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	n := 0
	if strings.ContainsRune("$!=*~>%", rune(line[0])) {
		if n, err = strconv.Atoi(string(bytes.TrimSpace(line[1:]))); err != nil {
			return nil, err
		}
	}
	switch {
	case n < 0:
		return line, nil
	case strings.ContainsRune("$!=", rune(line[0])):
		text := make([]byte, n+2)
		_, err := io.ReadFull(r, text)
		return append(line, text...), err
	case line[0] == '%':
		n *= 2
	}
	for range n {
		element, err := readFrame(r)
		if err != nil {
			return nil, err
		}
		line = append(line, element...)
	}
	return line, nil
}
