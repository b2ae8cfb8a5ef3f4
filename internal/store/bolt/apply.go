package bolt

import (
	"context"
	"errors"
	"fmt"

	bbolt "go.etcd.io/bbolt"

	"github.com/llm-config-manager/lcm/internal/store"
)

// request is a batch that waits for its transaction.
type request struct {
	ctx   context.Context
	batch store.Batch
	done  chan error // receives exactly once; buffered
}

// Apply implements store.Writer. A commit costs two syncs of the disk whatever it holds, so batches
// that arrive while another one commits share the next transaction. Each is still all or nothing:
// all its tokens are compared before its first write.
func (s *Store) Apply(ctx context.Context, b store.Batch) error {
	if err := b.Check(s.Capabilities()); err != nil {
		return err
	}
	req := &request{ctx: ctx, batch: b, done: make(chan error, 1)}
	s.queueMu.Lock()
	s.queue = append(s.queue, req)
	s.queueMu.Unlock()
	if err := s.await(req); err != nil {
		return fmt.Errorf("applying %s to %s: %w", b.Namespace, s.path, err)
	}
	return nil
}

// await returns the answer to req, after carrying out the whole queue if nobody did so meanwhile.
func (s *Store) await(req *request) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	select {
	case err := <-req.done:
		return err
	default:
	}
	s.queueMu.Lock()
	group := s.queue
	s.queue = nil
	s.queueMu.Unlock()
	s.carryOut(group)
	return <-req.done
}

// carryOut commits a group in one transaction. If that fails, each batch has one of its own, so
// that a fault of one is not everybody's.
func (s *Store) carryOut(group []*request) {
	answers := make([]error, len(group))
	err := s.update(func(root *bbolt.Bucket) error { return s.writeAll(root, group, answers) })
	if errors.Is(err, errAllRefused) {
		err = nil
	}
	if err != nil && len(group) > 1 {
		for i := range group {
			s.carryOut(group[i : i+1])
		}
		return
	}
	for i, req := range group {
		if answers[i] == nil {
			answers[i] = err
		}
		req.done <- answers[i]
	}
}

var errAllRefused = errors.New("nothing to commit")

// writeAll writes the batches into one transaction. What is refused is left out and answered; an
// error spoils the transaction.
func (s *Store) writeAll(root *bbolt.Bucket, group []*request, refused []error) error {
	written := 0
	for i, req := range group {
		refused[i] = req.ctx.Err()
		if refused[i] == nil {
			refused[i] = open(root, req.batch.Namespace).admits(req.batch)
		}
		if refused[i] != nil {
			continue
		}
		if err := s.write(root, req.batch); err != nil {
			return err
		}
		written++
	}
	if written == 0 {
		return errAllRefused
	}
	return nil
}

func (s *Store) write(root *bbolt.Bucket, b store.Batch) error {
	space, err := create(root, b.Namespace)
	if err != nil {
		return err
	}
	for _, c := range b.Changes {
		if err := space.write(s.seal, c); err != nil {
			return fmt.Errorf("%s: %w", b.Namespace.Key(c.Key), err)
		}
	}
	return space.setMarker(b.Marker)
}
