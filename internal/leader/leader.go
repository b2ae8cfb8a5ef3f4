package leader

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/llm-config-manager/lcm/internal/store/etcd"
)

// Config says where the office is, and who may take it.
type Config struct {
	Etcd etcd.Config   // its Prefix is required
	Name string        // of this replica; required
	TTL  time.Duration // how long a lease lives that nobody renews; 0: 5 s; less than 2 s is what no etcd gives
	Log  *slog.Logger  // nil: no log
}

const (
	defaultTTL = 5 * time.Second
	maxName    = 253 // of a host
)

var (
	// ErrLost ends a term: the lease may have run out, somebody else is in office, or what was written last is not known.
	ErrLost = errors.New("this replica is no longer in office")
	// ErrNotInOffice is returned to who asks something of a replica that only its leader may do.
	ErrNotInOffice = errors.New("this replica is not in office")
	errResigned    = fmt.Errorf("%w: it resigned", ErrLost)
)

// TakenError is that another replica is in office.
type TakenError struct{ Holder }

func (e TakenError) Error() string {
	return fmt.Sprintf("replica %q is in office (term %d): ask it, or stop it first", e.Name, e.Term)
}

// Holder is who is in office.
type Holder struct {
	Name  string    `json:"name"`
	Term  uint64    `json:"term"`
	Since time.Time `json:"since"` // by its own clock
}

// Replica is one of those that may take office. It is safe for concurrent use.
type Replica struct {
	etcd *etcd.Client
	keys keys
	name string
	ttl  time.Duration
	log  *slog.Logger

	mu      sync.Mutex
	term    *Term  // nil: not in office
	holder  Holder // as last seen; zero for nobody
	problem string // why etcd could not be asked; "" if it could
	floor   uint64 // the highest number of a term that was ever met with
}

// New checks the configuration. It does not speak to etcd.
func New(c Config) (*Replica, error) {
	if c.Name == "" || len(c.Name) > maxName || c.Etcd.Prefix == "" {
		return nil, fmt.Errorf("a replica needs a name of at most %d bytes, and a prefix of keys", maxName)
	}
	client, err := etcd.Connect(c.Etcd)
	if err != nil {
		return nil, err
	}
	return &Replica{etcd: client, keys: keys(c.Etcd.Prefix), name: c.Name, ttl: cmp.Or(c.TTL, defaultTTL),
		log: cmp.Or(c.Log, slog.New(slog.DiscardHandler))}, nil
}

// Close resigns and closes the connections.
func (r *Replica) Close() error {
	if t := r.current(); t != nil {
		t.Resign()
	}
	r.etcd.Close()
	return nil
}

// pollEvery is how often a follower looks whether the office is free.
const pollEvery = 500 * time.Millisecond

// Run takes office whenever it is free, and calls serve, with the term, as often. The term ends with serve, if not
// before. It returns when ctx ends, or serve returns an error while the term lasts.
func (r *Replica) Run(ctx context.Context, serve func(*Term) error) error {
	for pause := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		t, err := r.Take(ctx)
		pause = pollEvery/2 + rand.N(pollEvery)
		if r.noted(ctx, err); err != nil {
			continue
		}
		err = serve(t)
		if lost := t.Err(); lost != nil && ctx.Err() == nil {
			r.log.Warn("out of office", "term", t.number, "error", context.Cause(t.life))
			err = nil
		}
		t.Resign()
		if err != nil || ctx.Err() != nil {
			return err
		}
		pause += r.ttl / 5 // let another one try
	}
}

// noted keeps what a try to take office found out, for who asks.
func (r *Replica) noted(ctx context.Context, err error) {
	taken := TakenError{}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	before := r.problem
	if r.problem = ""; errors.As(err, &taken) {
		if r.holder != taken.Holder {
			r.log.Info("following", "leader", taken.Name, "term", taken.Term)
		}
		r.holder = taken.Holder
	} else if err != nil {
		if r.problem = err.Error(); before == "" {
			r.log.Warn("the office can't be asked for", "error", err)
		}
		r.holder = Holder{}
	}
}

// Take takes office if it is free; else the error is a TakenError.
func (r *Replica) Take(ctx context.Context) (*Term, error) {
	held, last, err := r.look(ctx)
	if err != nil {
		return nil, err
	}
	if held != nil {
		return nil, TakenError{*held}
	}
	sent := time.Now()
	var lease *clientv3.LeaseGrantResponse
	err = r.etcd.Do(ctx, func(ctx context.Context, api *clientv3.Client) (err error) {
		lease, err = api.Grant(ctx, int64(r.ttl/time.Second))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("asking for a lease: %w", err)
	}
	return r.enter(ctx, lease.ID, sent, last)
}

// term as it stands.
type counter struct {
	number   uint64
	revision int64 // of its key; 0: there is none
}

// look tells who is in office, nil for nobody, and the number of the last term.
func (r *Replica) look(ctx context.Context) (held *Holder, last counter, err error) {
	var resp *clientv3.TxnResponse
	err = r.etcd.Read(ctx, func(ctx context.Context, api *clientv3.Client) (err error) {
		resp, err = api.Txn(ctx).Then(clientv3.OpGet(r.keys.office()), clientv3.OpGet(r.keys.term())).Commit()
		return err
	})
	if err != nil {
		return nil, last, fmt.Errorf("looking who is in office: %w", err)
	}
	if kvs := resp.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
		held = &Holder{}
		if json.Unmarshal(kvs[0].Value, held) != nil {
			held.Name = "?" // somebody else's key, and still no office for us
		}
	}
	if kvs := resp.Responses[1].GetResponseRange().Kvs; len(kvs) > 0 {
		last.revision = kvs[0].ModRevision
		if last.number, err = strconv.ParseUint(string(kvs[0].Value), 10, 64); err != nil {
			return nil, last, fmt.Errorf("%s is not the number of a term: somebody else writes below %s", r.keys.term(), string(r.keys))
		}
	}
	return held, last, nil
}

// enter makes the key of the office, if nobody else did, and counts the term.
func (r *Replica) enter(ctx context.Context, lease clientv3.LeaseID, sent time.Time, last counter) (*Term, error) {
	number := max(last.number, r.highest()) + 1
	holder := Holder{r.name, number, time.Now().UTC()}
	text, err := json.Marshal(holder)
	if err != nil {
		return nil, err
	}
	var resp *clientv3.TxnResponse
	err = r.etcd.Do(ctx, func(ctx context.Context, api *clientv3.Client) (err error) {
		resp, err = api.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(r.keys.office()), "=", 0), clientv3.Compare(clientv3.ModRevision(r.keys.term()), "=", last.revision)).
			Then(clientv3.OpPut(r.keys.office(), string(text), clientv3.WithLease(lease)), clientv3.OpPut(r.keys.term(), strconv.FormatUint(number, 10))).Commit()
		return err
	})
	if err == nil && !resp.Succeeded {
		err = errors.New("another replica was faster")
	}
	if err != nil {
		r.revoke(lease)
		return nil, fmt.Errorf("taking office: %w", err)
	}
	t := newTerm(r, number, resp.Header.Revision, lease, sent)
	r.mu.Lock()
	r.term, r.holder, r.floor = t, holder, number
	r.mu.Unlock()
	r.log.Info("in office", "term", number)
	go t.keep()
	return t, nil
}

// revoke ends a lease, and the office with it, at once; one that can't be asked for ends by itself.
func (r *Replica) revoke(lease clientv3.LeaseID) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.etcd.Do(ctx, func(ctx context.Context, api *clientv3.Client) error {
		_, err := api.Revoke(ctx, lease)
		return err
	})
}

func (r *Replica) current() *Term {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.term
}

// left notes that a term is over.
func (r *Replica) left(t *Term) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.term == t {
		r.term, r.holder = nil, Holder{}
	}
}

func (r *Replica) highest() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.floor
}

// Exceeded ends the term, if any, since something bears the number of a later one: of a leader after this one, or from
// before etcd was put back from a backup. The next term of this replica has a higher number than that.
func (r *Replica) Exceeded(number uint64) {
	r.mu.Lock()
	t := r.term
	r.floor = max(r.floor, number)
	r.mu.Unlock()
	if t != nil && t.number < number {
		t.end(fmt.Errorf("%w: a target has seen term %d", ErrLost, number))
	}
}

// Role is what a replica is at the moment.
type Role struct {
	Name    string
	Leads   bool
	Leader  Holder // zero: nobody, as far as is known
	Problem string // why etcd could not be asked; "" if it could
}

// Role tells what the replica is at the moment.
func (r *Replica) Role() Role {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Role{r.name, r.term != nil && r.term.Err() == nil, r.holder, r.problem}
}

// Enter returns a context for work that only the leader may do, which ends with the term if not before, and the term's
// number.
func (r *Replica) Enter(ctx context.Context) (context.Context, context.CancelFunc, uint64, error) {
	t := r.current()
	if t == nil || t.Err() != nil {
		role := r.Role()
		if role.Leader.Name != "" && !role.Leads {
			return nil, nil, 0, TakenError{role.Leader}
		}
		return nil, nil, 0, ErrNotInOffice
	}
	both, cancel := t.Within(ctx)
	return both, cancel, t.number, nil
}
