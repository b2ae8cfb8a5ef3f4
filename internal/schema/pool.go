package schema

import (
	"errors"
	"runtime"
	"sync"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// renewAfter is how many documents one CUE context judges. A context keeps a little of each, so it
// is thrown away now and then.
const renewAfter = 2000

// worker is one CUE context with the definitions compiled in it. A context is not safe for
// concurrent use, so each goroutine borrows a worker of its own.
type worker struct {
	ctx  *cue.Context
	base *definitions
	own  *definitions // base and the repository's own, unified; nil if it has none
	used int
}

func newWorker(o *own) (*worker, []diag.Finding) {
	w := &worker{ctx: cuecontext.New()}
	sources, err := embedded()
	if err != nil {
		return nil, []diag.Finding{broken(err)}
	}
	if w.base, err = compile(w.ctx, sources); err != nil {
		return nil, []diag.Finding{broken(err)}
	}
	if o == nil {
		return w, nil
	}
	if w.own, err = compile(w.ctx, append(sources, o.sources...)); err != nil {
		return nil, o.findings(err)
	}
	return w, nil
}

// pool lends at most as many workers as there are processors: more would only cost memory.
type pool struct {
	own   *own
	slots chan struct{}

	mu   sync.Mutex
	free []*worker
}

func newPool(o *own, first *worker) *pool {
	return &pool{own: o, slots: make(chan struct{}, runtime.GOMAXPROCS(0)), free: []*worker{first}}
}

// take lends a worker; each take needs one give.
func (p *pool) take() (*worker, error) {
	p.slots <- struct{}{}
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		w := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return w, nil
	}
	p.mu.Unlock()
	w, findings := newWorker(p.own)
	if len(findings) > 0 {
		<-p.slots
		return nil, errors.New("the definitions no longer compile")
	}
	return w, nil
}

// give takes a worker back; nil says that it broke.
func (p *pool) give(w *worker) {
	if w != nil {
		if w.used++; w.used < renewAfter {
			p.mu.Lock()
			p.free = append(p.free, w)
			p.mu.Unlock()
		}
	}
	<-p.slots
}
