package vault_test

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/vault"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

const secrets = 1000

// BenchmarkChanged changes all of 1,000 secrets of a namespace, then, by HashiCorp's client alone, 1,000 others: the
// value and the mark beside it, as many at a time, without looking what stands there. What the listing before takes,
// which that client does without, is told apart.
func BenchmarkChanged(b *testing.B) {
	s := vaulttest.Start(b)
	target, err := vault.New(b.Context(), vault.Config{Address: s.Address, Token: s.RootToken})
	if err != nil {
		b.Fatal(err)
	}
	defer target.Close()
	bare := client(b, s)
	var all []store.Change
	for i := range secrets {
		all = append(all, secret(fmt.Sprintf("k%d", i), `{"key":"first"}`))
	}
	if err := target.Apply(b.Context(), batch(all...)); err != nil {
		b.Fatal(err)
	}
	if err := put(b.Context(), bare, all, 0); err != nil {
		b.Fatal(err)
	}
	var listing, ours, theirs time.Duration
	round := 0
	for b.Loop() {
		round++
		measure(b, &listing, func() error { return update(b.Context(), target, all, round) })
		measure(b, &ours, func() error { return target.Apply(b.Context(), batch(all...)) })
		measure(b, &theirs, func() error { return put(b.Context(), bare, all, round) })
	}
	n := float64(round)
	b.ReportMetric(float64(ours)/float64(theirs), "x-bare")
	b.ReportMetric(secrets*n/ours.Seconds(), "entries/s")
	b.ReportMetric(float64(ours.Milliseconds())/n, "target-ms")
	b.ReportMetric(float64(theirs.Milliseconds())/n, "bare-ms")
	b.ReportMetric(float64(listing.Milliseconds())/n, "list-ms")
}

func measure(b *testing.B, to *time.Duration, do func() error) {
	b.Helper()
	start := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	*to += time.Since(start)
}

func client(b *testing.B, s *vaulttest.Server) *api.Client {
	config := api.DefaultConfig()
	config.Address, config.MaxRetries = s.Address, 0
	c, err := api.NewClient(config)
	if err != nil {
		b.Fatal(err)
	}
	c.SetToken(s.RootToken)
	return c
}

// update makes changes of what is listed.
func update(ctx context.Context, target *vault.Target, all []store.Change, round int) error {
	listing, err := target.List(ctx, production)
	if err != nil || len(listing.Items) != len(all) {
		return fmt.Errorf("%d listed: %w", len(listing.Items), err)
	}
	for i, item := range listing.Items {
		all[i].Action, all[i].Key, all[i].If = store.Update, item.Key, item.Token
		all[i].Value = fmt.Appendf(nil, `{"key":"value %d of round %d"}`, i, round)
	}
	return nil
}

// put writes values and marks by the bare client.
func put(ctx context.Context, c *api.Client, all []store.Change, round int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8) // as the target does unless it is told otherwise
	kv := c.KVv2("secret")
	for i, change := range all {
		g.Go(func() error {
			path := "bare/" + change.Key
			if _, err := kv.Put(ctx, path, map[string]any{"key": fmt.Sprintf("value %d of round %d", i, round)}); err != nil {
				return err
			}
			return kv.PutMetadata(ctx, path, api.KVMetadataPutInput{CustomMetadata: marks(change.Meta)})
		})
	}
	return g.Wait()
}

func marks(m store.Meta) map[string]any {
	fields := map[string]any{"id": m.ID, "version": strconv.FormatUint(m.Version, 10), "revision": string(m.Revision), "kind": string(m.Kind), "origin": m.Origin,
		"classification": string(m.Classification), "repository": m.Repository, "digest": m.Digest}
	maps.DeleteFunc(fields, func(_ string, v any) bool { return v == "" })
	return fields
}
