package leader

import (
	"context"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Poke lets whoever is in office know that a pass is wanted for a repository: a webhook comes to any replica.
func (r *Replica) Poke(ctx context.Context, repository string) error {
	err := r.etcd.Do(ctx, func(ctx context.Context, api *clientv3.Client) error {
		_, err := api.Put(ctx, r.keys.pokes()+repository, time.Now().UTC().Format(time.RFC3339Nano))
		return err
	})
	if err != nil {
		return fmt.Errorf("telling the leader that a pass of %s is wanted: %w", repository, err)
	}
	return nil
}

// Poked calls tell for each repository that a replica pokes, until ctx ends. What was poked before is not told: who takes
// office makes a pass at once.
func (r *Replica) Poked(ctx context.Context, tell func(repository string)) {
	for ctx.Err() == nil {
		err := r.etcd.Watch(ctx, r.keys.pokes(), func(key string) { tell(strings.TrimPrefix(key, r.keys.pokes())) })
		r.log.Debug("listening to followers", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pollEvery):
		}
	}
}
