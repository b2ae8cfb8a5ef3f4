package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// listeners are the addresses that the daemon listens at. They stay open over a reload: who connects meanwhile waits, and
// is not refused.
type listeners struct {
	mu   sync.Mutex // guards what follows
	open map[string]*net.TCPListener
}

// listen returns a listener of its own for an address, which may be closed while the address stays open.
func (l *listeners) listen(ctx context.Context, address string) (net.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.open[address]
	if first == nil {
		opened, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		tcp, ok := opened.(*net.TCPListener)
		if !ok {
			return nil, fmt.Errorf("%s is no address of TCP", address)
		}
		if first = tcp; l.open == nil {
			l.open = map[string]*net.TCPListener{}
		}
		l.open[address] = first
	}
	file, err := first.File()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return net.FileListener(file)
}

// keep closes all addresses but some.
func (l *listeners) keep(addresses ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept, errs := map[string]*net.TCPListener{}, []error(nil)
	for _, a := range addresses {
		if l.open[a] != nil {
			kept[a] = l.open[a]
		}
	}
	for a, first := range l.open {
		if kept[a] == nil {
			errs = append(errs, first.Close())
		}
	}
	l.open = kept
	return errors.Join(errs...)
}

// addresses are those that the daemon listens at.
func (c *daemonConfig) addresses() (out []string) {
	if c.Metrics.Listen != "" {
		out = append(out, c.Metrics.Listen)
	}
	if c.Webhook != nil {
		out = append(out, c.Webhook.Listen)
	}
	return out
}

// bind opens what listens, before anybody is answered.
func (a *app) bind(ctx context.Context, c *daemonConfig, l *listeners) (err error) {
	if a.hook, err = a.openHook(ctx, c.Webhook, c.log, l); err != nil {
		return err
	}
	if c.Metrics.Listen == "" {
		return nil
	}
	if a.metrics, err = l.listen(ctx, c.Metrics.Listen); err != nil {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	a.onClose(func() error { return closeListener(a.metrics) })
	return nil
}

// closeListener closes a listener, which a server may have closed already.
func closeListener(l net.Listener) error {
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
