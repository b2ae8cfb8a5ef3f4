package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"time"
)

const (
	lockWait = 10 * time.Second
	lockPoll = 5 * time.Millisecond
)

// lock keeps other writers out of a namespace, those of other processes included.
func (s *Store) lock(ctx context.Context, p place) (unlock func(), err error) {
	name := path.Join(p.generations, "lock")
	var f *os.File
	err = s.change("lock "+name, func() (err error) {
		f, err = s.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		return err
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, errors.New("another process is writing there: see that only one does"))
	defer cancel()
	for {
		got, err := tryLock(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", s.full(name), err), f.Close())
		}
		if got {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("locking %s: %w", s.full(name), context.Cause(ctx)), f.Close())
		case <-time.After(lockPoll):
		}
	}
}
