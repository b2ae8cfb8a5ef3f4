package etcd

import (
	"context"
	"fmt"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// maxPages bounds a search for namespaces: each page is at least one namespace, or thousands of keys of nobody's.
const maxPages = 1_000_000

// Namespaces implements store.Writer. It looks at keys below the orgs only, unless all are asked for, so that a
// user for one tenant's keys is enough for one tenant.
func (t *Target) Namespaces(ctx context.Context, orgs []string) (all []lcm.Namespace, err error) {
	spans := make([]span, 0, len(orgs))
	for _, org := range orgs {
		spans = append(spans, below(string(t.keys)+org+"/"))
	}
	if slices.Contains(orgs, "*") {
		spans = []span{below(string(t.keys))}
	}
	for _, s := range spans {
		if all, err = t.namespaces(ctx, s, all); err != nil {
			return nil, fmt.Errorf("looking for namespaces: %w", err)
		}
	}
	return all, nil
}

// namespaces adds those in a span. After each page it goes on behind the namespace that the page ends in, so
// that one with many keys costs one page.
func (t *Target) namespaces(ctx context.Context, s span, all []lcm.Namespace) ([]lcm.Namespace, error) {
	for range maxPages {
		answer, err := t.together(ctx, clientv3.OpGet(s.from, clientv3.WithRange(s.end), clientv3.WithLimit(namesPage), clientv3.WithKeysOnly()))
		if err != nil {
			return nil, err
		}
		for _, kv := range answer[0].Kvs {
			ns, ok := t.keys.namespaceOf(string(kv.Key))
			s = s.after(string(kv.Key))
			if !ok {
				continue // holds nothing that could be addressed
			}
			if s.from = below(t.keys.namespace(ns)).end; len(all) == 0 || all[len(all)-1] != ns {
				all = append(all, ns)
			}
		}
		if !answer[0].More {
			return all, nil
		}
	}
	return nil, fmt.Errorf("etcd: there are too many keys below %s", s.from)
}

// namespaceOf reports false for a key that is in none.
func (k keys) namespaceOf(key string) (lcm.Namespace, bool) {
	segments := strings.SplitN(strings.TrimPrefix(key, string(k)), "/", 5)
	if len(segments) < 5 {
		return lcm.Namespace{}, false
	}
	ns, err := lcm.ParseNamespace(strings.Join(segments[:4], "/"))
	return ns, err == nil
}
