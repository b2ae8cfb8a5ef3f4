package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/state"
)

// served is one of the repositories of a daemon. One that can't be opened leaves the others alone: it is tried again.
type served struct {
	repositoryConfig
	open     func() (reconcile.Config, *reconcile.Reconciler, error)
	reloaded func() *reconcile.StatusReload // how the last reload of the configuration went; nil: no daemon runs

	mu     sync.Mutex // guards what follows
	config reconcile.Config
	opened *reconcile.Reconciler
	err    error // why it is not opened
}

// reopenEvery is how long a repository that could not be opened is left alone.
const reopenEvery = 30 * time.Second

// reopen opens the repository unless it is.
func (s *served) reopen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened != nil {
		return
	}
	if s.config, s.opened, s.err = s.open(); s.err != nil {
		s.err = fmt.Errorf("opening the repository %s: %w", s.Name, s.err)
	}
}

// reconciler is the repository's, or why there is none.
func (s *served) reconciler() (*reconcile.Reconciler, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened, s.err
}

// control is the repository for what an operator decides, for which it need not be opened, and its state; nil if that can't
// be read.
func (s *served) control() (*reconcile.Reconciler, *state.DB) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened == nil && s.config.State != nil {
		return reconcile.Closed(s.config), s.config.State
	}
	return s.opened, s.config.State
}

// Status is where the repository stands. Of one that can't be opened it is what the state knows, if at least that can be read.
func (s *served) Status() (*reconcile.Status, error) {
	return s.status((*reconcile.Reconciler).Status)
}

// StatusOf is Status with the namespaces one by one.
func (s *served) StatusOf(w reconcile.Which) (*reconcile.Status, error) {
	return s.status(func(r *reconcile.Reconciler) (*reconcile.Status, error) { return r.StatusOf(w) })
}

func (s *served) status(of func(*reconcile.Reconciler) (*reconcile.Status, error)) (*reconcile.Status, error) {
	s.mu.Lock()
	r, config, why := s.opened, s.config, s.err
	s.mu.Unlock()
	if r != nil {
		st, err := of(r)
		return s.withReload(st), err
	}
	if config.State == nil {
		return nil, why
	}
	st, err := of(reconcile.Closed(config))
	if err != nil {
		return nil, err
	}
	s.withReload(st).Ready, st.NotReady = false, append([]string{strings.ReplaceAll(why.Error(), "\n", "; ")}, st.NotReady...)
	return st, nil
}

// Active counts the entries in force; of a repository that can't be opened none are known.
func (s *served) Active() (map[reconcile.Area]int, error) {
	r, err := s.reconciler()
	if err != nil {
		return nil, err
	}
	return r.Active()
}

// Passing is for how long a pass is being made.
func (s *served) Passing() time.Duration {
	r, err := s.reconciler()
	if err != nil {
		return 0
	}
	return r.Passing()
}

// withReload adds how the configuration was last read.
func (s *served) withReload(st *reconcile.Status) *reconcile.Status {
	if st != nil && s.reloaded != nil {
		st.Reload = s.reloaded()
	}
	return st
}

// run makes passes by the schedule until ctx ends, from when the repository can be opened. Each, or that it can't be, is handed to done.
func (s *served) run(ctx context.Context, schedule reconcile.Schedule, done func(*reconcile.Report, error)) error {
	for {
		r, err := s.reconciler()
		if err == nil {
			return r.Run(ctx, schedule, done)
		}
		done(nil, err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(reopenEvery):
			s.reopen()
		}
	}
}

// pass makes one pass.
func (s *served) pass(ctx context.Context, o reconcile.Options) (*reconcile.Report, error) {
	r, err := s.reconciler()
	if err != nil {
		return nil, err
	}
	return r.Pass(ctx, o)
}

// any says why no repository can be opened, if none can: then there is nothing to run for.
func (a *app) any() error {
	var errs []error
	for _, s := range a.repositories {
		_, err := s.reconciler()
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// named finds a repository of the daemon; "" is the one of a daemon that serves no other.
func (a *app) named(name string) (*served, error) {
	if name == "" && len(a.repositories) == 1 {
		return a.repositories[0], nil
	}
	var names []string
	for _, s := range a.repositories {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return nil, configErrorf("%q is no repository of this daemon, which serves %s", name, strings.Join(names, ", "))
}

// chosen are the repositories that a request is about: the one of a name, or all.
func (a *app) chosen(name string) ([]*served, error) {
	if name == "" {
		return a.repositories, nil
	}
	s, err := a.named(name)
	return []*served{s}, err
}
