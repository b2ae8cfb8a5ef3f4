package storetest

import (
	"context"
	"sync"
	"syscall"
)

// Seam is an Intercept for a target whose write steps are calls in this process, such as changes of the disk.
type Seam struct {
	mu     sync.Mutex
	ctx    context.Context
	before func() Outcome
}

// Intercept is that of a Rig.
func (s *Seam) Intercept(ctx context.Context, before func() Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx, s.before = ctx, before
}

// Do makes one step, or has it fail.
func (s *Seam) Do(step func() error) error {
	s.mu.Lock()
	ctx, before := s.ctx, s.before
	s.mu.Unlock()
	outcome := Through
	if before != nil {
		outcome = before()
	}
	switch outcome {
	case NotDone:
		return syscall.EIO
	case Lost:
		_ = step()
		return syscall.EIO
	case Hung:
		_ = step()
		<-ctx.Done()
		return ctx.Err()
	case Twice: // a network file system may send a request again whose answer was lost
		_ = step()
	}
	return step()
}
