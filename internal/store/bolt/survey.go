package bolt

import (
	"context"
	"fmt"

	bbolt "go.etcd.io/bbolt"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Namespaces implements store.Writer.
func (s *Store) Namespaces(ctx context.Context, orgs []string) (all []lcm.Namespace, err error) {
	err = s.view(ctx, func(root *bbolt.Bucket) error {
		return root.ForEachBucket(func(name []byte) error {
			ns, err := lcm.ParseNamespace(string(name))
			if err == nil && store.Of(orgs, ns.Org) {
				all = append(all, ns)
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("looking for namespaces in %s: %w", s.path, err)
	}
	return all, nil
}
