package etcdtest

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy stands between a client and a member, and can break their connections. TLS passes through it.
type Proxy struct {
	Endpoint string // the URL to give to the client
	next     string

	cutAtAnswer atomic.Bool
	hold        sync.RWMutex // held while nothing gets through

	mu      sync.Mutex
	refuses bool
	blocks  bool
	open    map[net.Conn]bool
}

// NewProxy opens one before a member until the test ends.
func NewProxy(t testing.TB, m *Member) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	scheme, address, _ := strings.Cut(m.Endpoint, "://")
	p := &Proxy{Endpoint: scheme + "://" + l.Addr().String(), next: address, open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = l.Close()
		p.Refuse(true)
		p.Block(false)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

// Refuse breaks all connections and lets none through, or lets them through again.
func (p *Proxy) Refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = yes
	for c := range p.open {
		if yes {
			_ = c.Close()
		}
	}
}

// Block has nothing get through, while all connections stay and new ones are made, as a network that loses everything does;
// or lets all of it through again.
func (p *Proxy) Block(yes bool) {
	p.mu.Lock()
	was := p.blocks
	p.blocks = yes
	p.mu.Unlock()
	switch {
	case yes && !was:
		p.hold.Lock()
	case was && !yes:
		p.hold.Unlock()
	}
}

// pass waits while nothing gets through.
func (p *Proxy) pass() {
	p.hold.RLock()
	defer p.hold.RUnlock()
}

// CutAtAnswer breaks the next connection on which the member sends something, before it gets through.
func (p *Proxy) CutAtAnswer() { p.cutAtAnswer.Store(true) }

// keep reports false if no connection may be kept.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = !p.refuses
	return !p.refuses
}

func (p *Proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	_ = c.Close()
}

func (p *Proxy) serve(client net.Conn) {
	defer p.forget(client)
	member, err := net.Dial("tcp", p.next)
	if err != nil || !p.keep(client) {
		return
	}
	defer p.forget(member)
	if !p.keep(member) {
		return
	}
	go func() {
		defer client.Close()
		p.forward(client, member, func() bool { return p.cutAtAnswer.Swap(false) })
	}()
	p.forward(member, client, func() bool { return false })
}

func (p *Proxy) forward(to, from net.Conn, cut func() bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && cut() {
			return
		}
		p.pass()
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}
