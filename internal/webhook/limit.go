package webhook

import (
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// limit is so many a minute, and as many at once.
type limit struct {
	*rate.Limiter
	perMinute int
}

func newLimit(perMinute int) *limit {
	return &limit{rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute), perMinute}
}

func (l *limit) take() bool { return l.Allow() }

// seconds is how long it takes until another is taken.
func (l *limit) seconds() int { return max(1, (60+l.perMinute-1)/l.perMinute) }

// maxSources bounds the addresses whose wrong deliveries are counted.
const maxSources = 4096

// limits is a limit for each address. Who sends wrong ones is not listened to for a while, before a byte of the
// body is read, and others are.
type limits struct {
	perMinute int
	mu        sync.Mutex // guards of
	of        map[netip.Prefix]*limit
}

func newLimits(perMinute int) *limits {
	return &limits{perMinute: perMinute, of: map[netip.Prefix]*limit{}}
}

func (l *limits) exhausted(from netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.of[from]
	return ok && known.Tokens() < 1
}

func (l *limits) take(from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, ok := l.of[from]
	if !ok {
		if len(l.of) == maxSources {
			clear(l.of) // so many cost as much to count as to answer
		}
		known = newLimit(l.perMinute)
		l.of[from] = known
	}
	known.take()
}

// source is the address that counts: of IPv6 the network, since a host has as many addresses as it likes.
func source(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	a := at.Addr().Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}
