package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/leader"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store/etcd"
)

// stateConfig says where the state is: in a file, which one daemon has alone, or in etcd, with which several replicas
// agree on the one that makes passes.
type stateConfig struct {
	Type string `json:"type"`
	Path string `json:"path"` // of a file
	Dir  string `json:"dir"`  // with etcd: where this replica keeps what is its own
	etcdConfig
	Login   targetLogin `json:"login"`
	TLS     *targetTLS  `json:"tls"`
	Timeout string      `json:"timeout"`
}

// replicaConfig tells replicas apart.
type replicaConfig struct {
	Name string `json:"name"`
}

// defaultStatePrefix is what the keys of a state begin with: apart from those of targets.
const defaultStatePrefix = "/lcm-state/"

// stateTimeout is shorter than that of targets: one member of the etcd that does not answer must not take the office away.
const stateTimeout = 2 * time.Second

// shared reports whether the state is one that several replicas share.
func (s *stateConfig) shared() bool { return s.Type == "etcd" }

// folder is where the daemon keeps what is its own.
func (s *stateConfig) folder() string {
	if s.shared() {
		return s.Dir
	}
	return filepath.Dir(s.Path)
}

func (s *stateConfig) complete(dir string) error {
	paths := []*string{&s.Path, &s.Dir, &s.Login.Password.File}
	if s.TLS != nil {
		paths = append(paths, &s.TLS.CACertFile, &s.TLS.ClientCertFile, &s.TLS.ClientKeyFile)
	}
	for _, p := range paths {
		*p = absolute(dir, *p)
	}
	if s.shared() && s.Prefix == "" {
		s.Prefix = defaultStatePrefix
	}
	return expandIn(&s.Login.Username, "login", "username")
}

// completeReplica names this replica, and sees to it that all of them have the same key and the same targets.
func (c *daemonConfig) completeReplica() (err error) {
	if !c.State.shared() {
		if c.Replica.Name != "" {
			err = wrong("replica", "there are replicas only where the state is in etcd: remove this, or set state.type to etcd")
		}
		return err
	}
	if c.Key.File == "" {
		err = wrong("key", "replicas need the same key: make it once, by reconciler keygen FILE, and give each a copy, as key: {file: FILE}")
	}
	if c.Replica.Name == "" {
		if c.Replica.Name, _ = os.Hostname(); c.Replica.Name == "" {
			err = errors.Join(err, wrong("replica", "this host has no name: give the replica one, as replica: {name: NAME}"))
		}
	}
	for name, t := range c.Targets {
		switch {
		case t.Type == "bolt" || t.Type == "file":
			err = errors.Join(err, below(wrong("type", "a target of type %s is on one host, and the state in etcd is for several: use vault, redis or etcd, or state.type bolt", t.Type), "targets", name))
		case t.Type == "etcd" && c.State.overlaps(t.etcdConfig):
			err = errors.Join(err, below(wrong("prefix", "the keys of the target and those of the state, below %s, would mix: give one another prefix", c.State.Prefix), "targets", name))
		}
	}
	return err
}

// overlaps reports whether keys of a target are where the state is.
func (s *stateConfig) overlaps(t etcdConfig) bool {
	prefix := t.Prefix
	if prefix == "" {
		prefix = "/lcm/"
	}
	same := slices.ContainsFunc(t.Endpoints, func(e string) bool { return slices.Contains(s.Endpoints, e) })
	return same && (strings.HasPrefix(prefix, s.Prefix) || strings.HasPrefix(s.Prefix, prefix))
}

// connection is how the etcd is reached that the state is in.
func (s *stateConfig) connection() (etcd.Config, error) {
	c, err := etcdConnection(targetConfig{etcdConfig: s.etcdConfig, Login: s.Login, TLS: s.TLS, Timeout: s.Timeout})
	c.Timeout = cmp.Or(c.Timeout, stateTimeout)
	return c, err
}

// openReplica opens a state that replicas share. The daemon waits for the office when it runs; a command that writes takes
// it now, if it is free; one that only reads needs none.
func (a *app) openReplica(c *daemonConfig, readOnly bool) error {
	connection, err := c.State.connection()
	if err != nil {
		return err
	}
	a.replica, err = leader.New(leader.Config{Etcd: connection, Name: c.Replica.Name, Log: c.log})
	if err != nil {
		return configError{err.Error()}
	}
	a.onClose(a.replica.Close)
	a.states = map[string]*state.DB{}
	for _, r := range c.Repositories {
		db, err := state.Open(state.Config{Path: c.State.folder(), Repository: r.Name, Key: a.key.Derive(masterkey.State), ReadOnly: readOnly, Keeper: a.replica})
		if err != nil {
			return err
		}
		a.onClose(db.Close)
		a.states[r.Name] = db
	}
	if !readOnly {
		a.office = officeOf(a.replica)
	}
	if c.log != nil {
		return nil
	}
	ctx := context.Background() // each request has its own time
	if !readOnly {
		if _, err := a.replica.Take(ctx); err != nil {
			return err
		}
	}
	return a.loadStates(ctx)
}

func (a *app) loadStates(ctx context.Context) (err error) {
	for name, db := range a.states {
		if loading := db.Load(ctx); loading != nil {
			err = errors.Join(err, fmt.Errorf("repository %s: %w", name, loading))
		}
	}
	return err
}

func (a *app) dropStates() (err error) {
	for _, db := range a.states {
		err = errors.Join(err, db.Drop())
	}
	return err
}

// inOffice calls work, or, if there are several replicas, whenever this one leads, until ctx ends.
func (a *app) inOffice(ctx context.Context, log *slog.Logger, work func(context.Context) error) error {
	if a.replica == nil {
		return work(ctx)
	}
	return a.replica.Run(ctx, func(t *leader.Term) error {
		ctx, cancel := t.Within(ctx)
		defer cancel()
		if err := a.loadStates(ctx); err != nil {
			log.Error("the state can't be loaded: the office is left to another replica", "term", t.Number(), "error", err)
			return a.dropStates()
		}
		go a.poked(ctx)
		err := work(ctx)
		return errors.Join(err, a.dropStates())
	})
}

// officeOf is what a reconciler must know of the replicas.
func officeOf(r *leader.Replica) *reconcile.Office {
	return &reconcile.Office{Enter: r.Enter, Exceeded: r.Exceeded, Role: func() reconcile.StatusReplica {
		role := r.Role()
		s := reconcile.StatusReplica{Name: role.Name, Role: reconcile.Follower, Leader: role.Leader.Name, Term: role.Leader.Term, Error: role.Problem}
		if role.Leads {
			s.Role = reconcile.Leader
		}
		if !role.Leader.Since.IsZero() {
			s.Since = &role.Leader.Since
		}
		return s
	}}
}

// leading answers what only the leader can, where this replica does not lead, with who does.
func (a *app) leading(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.replica != nil && r.URL.Path != "/status" && r.URL.Path != "/reload" {
			_, leave, _, err := a.replica.Enter(r.Context())
			if err != nil {
				writeAnswer(w, answer{exitFailed, "", fmt.Sprintf("reconciler: %v\n", err)})
				return
			}
			leave()
		}
		next.ServeHTTP(w, r)
	})
}

// completeStatus adds to what a replica says that does not lead what the state says, which it can read all the same.
func completeStatus(cfg *daemonConfig, r *repositoryConfig, t telling, told *reconcile.Status, stderr io.Writer) *reconcile.Status {
	if told.Replica == nil || told.Replica.Role == reconcile.Leader {
		return told
	}
	s, err := readStatus(cfg, r, t, stderr)
	if err != nil {
		return told
	}
	s.Replica, s.Ready, s.NotReady = told.Replica, told.Ready, told.NotReady
	return s
}

func replicaText(r *reconcile.StatusReplica) string {
	since := ""
	if r.Since != nil {
		since = fmt.Sprintf(", in term %d since %s", r.Term, stampText(*r.Since))
	}
	switch {
	case r.Role == reconcile.Leader:
		return r.Name + " leads" + since
	case r.Leader != "":
		return fmt.Sprintf("%s follows %s, which leads%s", r.Name, r.Leader, since)
	}
	return r.Name + " follows, and nobody leads"
}
