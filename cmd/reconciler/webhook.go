package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/webhook"
)

// webhookConfig says who is heard that something was pushed.
type webhookConfig struct {
	Listen string `json:"listen"`
	Path   string `json:"path"`
	TLS    *struct {
		CertFile string `json:"certFile"`
		KeyFile  string `json:"keyFile"`
	} `json:"tls"`
	GitHub struct {
		SecretFile   string            `json:"secretFile"`
		Repositories map[string]string `json:"repositories"`
	} `json:"github"`
	Generic struct {
		TokenFile string `json:"tokenFile"`
	} `json:"generic"`
	MaxBodyBytes  string `json:"maxBodyBytes"`
	RatePerMinute int    `json:"ratePerMinute"`

	maxBodyBytes int64
}

// complete makes paths absolute, and reads what the schema leaves as text.
func (w *webhookConfig) complete(dir string, repositories []repositoryConfig) (err error) {
	if w == nil {
		return nil
	}
	paths := []*string{&w.GitHub.SecretFile, &w.Generic.TokenFile}
	if w.TLS != nil {
		paths = append(paths, &w.TLS.CertFile, &w.TLS.KeyFile)
	}
	for _, p := range paths {
		*p = absolute(dir, *p)
	}
	if w.MaxBodyBytes != "" {
		var sizeErr error
		if w.maxBodyBytes, sizeErr = parseSize(w.MaxBodyBytes); sizeErr == nil && w.maxBodyBytes > maxWebhookBody {
			sizeErr = fmt.Errorf("GitHub sends at most 25MiB: give that, or less")
		}
		err = below(sizeErr, "maxBodyBytes")
	}
	for name := range w.GitHub.Repositories {
		if !slices.ContainsFunc(repositories, func(r repositoryConfig) bool { return r.Name == name }) {
			err = errors.Join(err, below(fmt.Errorf("there is no repository %q in the configuration: give the name of one that there is", name), "github", "repositories", name))
		}
	}
	return err
}

// maxWebhookBody is how large a payload GitHub sends at most, in bytes.
const maxWebhookBody = 25 << 20

// hook is the daemon's webhook, which listens.
type hook struct {
	*webhook.Server
	listener net.Listener
}

func (h *hook) serve(ctx context.Context) error { return h.Serve(ctx, h.listener) }

// openHook opens the webhook; nil if none is configured.
func (a *app) openHook(ctx context.Context, w *webhookConfig, log *slog.Logger, ls *listeners) (*hook, error) {
	if w == nil {
		return nil, nil
	}
	cfg := webhook.Config{Path: w.Path, GitHub: w.GitHub.SecretFile, Generic: w.Generic.TokenFile, MaxBody: w.maxBodyBytes, RatePerMinute: w.RatePerMinute, Log: log}
	if w.TLS != nil {
		cfg.TLS = &webhook.TLS{CertFile: w.TLS.CertFile, KeyFile: w.TLS.KeyFile}
	}
	for _, s := range a.repositories {
		cfg.Repositories = append(cfg.Repositories, webhook.Repository{Name: s.Name, Forge: s.forgeNames(w.GitHub.Repositories[s.Name]), Branch: s.Branch, Poke: func() { a.poke(ctx, s, log) }})
	}
	server, err := webhook.New(cfg)
	if err != nil {
		return nil, configErrorf("webhook: %v", err)
	}
	l, err := ls.listen(ctx, w.Listen)
	if err != nil {
		return nil, fmt.Errorf("webhook.listen: %w", err)
	}
	a.onClose(func() error { return closeListener(l) })
	log.Info("listening", "for", "webhooks", "address", l.Addr().String())
	return &hook{server, l}, nil
}

// pokeTimeout bounds how long a follower tries to tell the leader of a webhook. Should it fail, the schedule finds what is new.
const pokeTimeout = 10 * time.Second

// poke has a pass made soon: here, or by the replica that leads.
func (a *app) poke(ctx context.Context, s *served, log *slog.Logger) {
	if a.replica == nil || a.replica.Role().Leads {
		s.poke()
		return
	}
	go func() {
		ctx, cancel := context.WithTimeout(ctx, pokeTimeout)
		defer cancel()
		if err := a.replica.Poke(ctx, s.Name); err != nil {
			log.Warn("a webhook came to a follower", "repository", s.Name, "error", err)
		}
	}()
}

// poked makes passes that followers heard of, until ctx ends.
func (a *app) poked(ctx context.Context) {
	a.replica.Poked(ctx, func(repository string) {
		for _, s := range a.repositories {
			if s.Name == repository {
				s.poke()
			}
		}
	})
}

// poke has passes made soon. One that can't be opened yet makes one as soon as it is.
func (s *served) poke() {
	if r, err := s.reconciler(); err == nil {
		r.Poke()
	}
}

// forgeNames are the names that forges may have for a repository, as owner/name: that of its URL, those that its reviews are
// asked for by, and one that is configured.
func (r *repositoryConfig) forgeNames(configured string) (names []string) {
	parts := strings.FieldsFunc(strings.TrimSuffix(strings.TrimRight(r.URL, "/"), ".git"), func(c rune) bool { return c == '/' || c == ':' })
	if n := len(parts); n >= 2 {
		names = append(names, parts[n-2]+"/"+parts[n-1])
	}
	for _, f := range r.Forges {
		names = append(names, f.Repository)
	}
	if configured != "" {
		names = append(names, configured)
	}
	return names
}
