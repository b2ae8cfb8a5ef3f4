package leader

import (
	"context"
	"fmt"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Term is one time in office.
type Term struct {
	replica *Replica
	number  uint64
	made    int64 // etcd's revision that made the key of the office
	lease   clientv3.LeaseID

	life context.Context // ends with the term, some time after Err tells of it
	over context.CancelCauseFunc

	mu    sync.Mutex
	until time.Time // the lease lives until then, if not longer
	timer *time.Timer

	saving sync.Mutex       // one update at a time
	seals  map[string]int64 // etcd's revision of the seal of each state, as loaded or written last; guarded by saving
}

// A lease is renewed five times in its life. It is taken to be shorter by a tenth, as clocks may run at another pace.
const (
	renewals = 5
	margin   = 10
)

func newTerm(r *Replica, number uint64, made int64, lease clientv3.LeaseID, sent time.Time) *Term {
	t := &Term{replica: r, number: number, made: made, lease: lease, seals: map[string]int64{}}
	t.life, t.over = context.WithCancelCause(context.Background())
	t.mu.Lock() // it may run out at once
	defer t.mu.Unlock()
	t.until = sent.Add(r.ttl - r.ttl/margin)
	t.timer = time.AfterFunc(time.Until(t.until), t.expire)
	return t
}

// Number of the term: higher than that of any term before.
func (t *Term) Number() uint64 { return t.number }

// Done is closed when the term is over.
func (t *Term) Done() <-chan struct{} { return t.life.Done() }

// Err reports whether the term is over, which it is from the moment on at which the lease may have ended: by the clock,
// so also in a process that was stopped and has just woken up.
func (t *Term) Err() error {
	t.mu.Lock()
	late := !time.Now().Before(t.until)
	t.mu.Unlock()
	if late {
		t.expire()
	}
	return context.Cause(t.life)
}

func (t *Term) expire() {
	t.mu.Lock()
	late := !time.Now().Before(t.until)
	t.mu.Unlock()
	if late {
		t.end(fmt.Errorf("%w: its lease could not be renewed in time", ErrLost))
	}
}

func (t *Term) end(why error) {
	t.over(why)
	t.mu.Lock()
	t.timer.Stop()
	t.mu.Unlock()
	t.replica.left(t)
}

// Resign ends the term and leaves the office to the next at once.
func (t *Term) Resign() {
	t.end(errResigned)
	t.replica.revoke(t.lease)
}

// keep renews the lease until the term is over.
func (t *Term) keep() {
	every := t.replica.ttl / renewals
	for {
		select {
		case <-t.life.Done():
			return
		case <-time.After(every):
		}
		sent := time.Now()
		alive, err := t.renew(every)
		switch {
		case alive:
			t.extend(sent)
		case err == nil:
			t.end(fmt.Errorf("%w: its lease has ended", ErrLost))
		}
	}
}

func (t *Term) extend(sent time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Now().Before(t.until) { // what was over stays over
		t.until = sent.Add(t.replica.ttl - t.replica.ttl/margin)
		t.timer.Reset(time.Until(t.until))
	}
}

// renew renews the lease once, and reports false if there is none any more. The client's own way to do so would ask in a
// loop where nobody answers.
func (t *Term) renew(within time.Duration) (alive bool, err error) {
	ctx, cancel := context.WithTimeout(t.life, within)
	defer cancel()
	err = t.replica.etcd.Do(ctx, func(ctx context.Context, api *clientv3.Client) error {
		stream, err := pb.NewLeaseClient(api.ActiveConnection()).LeaseKeepAlive(ctx)
		if err == nil {
			err = stream.Send(&pb.LeaseKeepAliveRequest{ID: int64(t.lease)})
		}
		if err != nil {
			return err
		}
		answer, err := stream.Recv()
		alive = err == nil && answer.TTL > 0
		return err
	})
	return alive, err
}

// Within returns a context that ends with ctx or with the term.
func (t *Term) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	both, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(t.life, func() { cancel(context.Cause(t.life)) })
	return inOffice{both, t}, func() { stop(); cancel(context.Canceled) }
}

// inOffice has ended from the moment on at which the term is over, even before a timer says so.
type inOffice struct {
	context.Context
	term *Term
}

func (c inOffice) Err() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	if c.term.Err() != nil {
		return context.Canceled
	}
	return nil
}
