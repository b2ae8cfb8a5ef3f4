package redis_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/redis"
	"github.com/llm-config-manager/lcm/internal/store/redis/redistest"
)

// Each benchmark of a target stands beside the bare client, which does the same writes, or reads the same,
// and compares nothing.

func benchServer(b *testing.B) *redistest.Server {
	return redistest.Start(b, redistest.Options{Plain: true, Config: []string{"appendonly no"}})
}

func bare(b *testing.B, s *redistest.Server) rueidis.Client {
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Address}, ForceSingleClient: true, DisableCache: true,
		Username: redistest.Username, Password: redistest.Password})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

func value(round, i int) string {
	return fmt.Sprintf(`{"n":%d,"round":%d,"text":"%s"}`, i, round, strings.Repeat("x", 300))
}

// filled is a target with n entries in the production of a service.
func filled(b *testing.B, s *redistest.Server, n int) *redis.Target {
	target := open(b, redis.Config{Address: s.Address, Login: login()})
	apply(b, target, changes(store.Create, 0, n)...)
	return target
}

func changes(action store.Action, round, n int) []store.Change {
	var all []store.Change
	for i := range n {
		c := create(fmt.Sprint("k", i), value(round, i))
		c.Action = action
		all = append(all, c)
	}
	return all
}

// BenchmarkChanged changes some of the 1,000 entries of a namespace: list, compare, write.
func BenchmarkChanged(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("target/%d", n), func(b *testing.B) {
			s := benchServer(b)
			target := filled(b, s, 1000)
			b.ReportAllocs()
			for round := 1; b.Loop(); round++ {
				tokens := map[string]store.Token{}
				for _, i := range list(b, target).Items {
					tokens[i.Key] = i.Token
				}
				all := changes(store.Update, round, n)
				for i := range all {
					all[i].If = tokens[all[i].Key]
				}
				apply(b, target, all...)
			}
			perSecond(b, n)
			b.ReportMetric(used(b, s)/1000, "server-B/entry")
		})
		b.Run(fmt.Sprintf("bare/%d", n), func(b *testing.B) {
			s := benchServer(b)
			c := bare(b, s)
			put(b, c, 0, 1000)
			b.ReportAllocs()
			for round := 1; b.Loop(); round++ {
				put(b, c, round, n)
			}
			perSecond(b, n)
			b.ReportMetric(used(b, s)/1000, "server-B/entry")
		})
	}
}

// put writes the fields of some entries, the marker and the message, in one pipeline.
func put(b *testing.B, c rueidis.Client, round, n int) {
	const prefix = "lcm:{acme-corp/platform/chat/production}/"
	var all rueidis.Commands
	for i := range n {
		key := fmt.Sprint("k", i)
		m := meta(key)
		all = append(all, c.B().Hset().Key(prefix+key).FieldValue().
			FieldValue("value", value(round, i)).FieldValue("id", m.ID).FieldValue("version", strconv.FormatUint(m.Version, 10)).
			FieldValue("revision", string(m.Revision)).FieldValue("kind", string(m.Kind)).FieldValue("origin", m.Origin).
			FieldValue("classification", string(m.Classification)).FieldValue("repository", m.Repository).FieldValue("digest", m.Digest).Build())
	}
	all = append(all, c.B().Set().Key(prefix+".lcm/revision").Value(`{"repository":"acme-config","revision":"1","phase":"whole"}`).Build(),
		c.B().Publish().Channel(redis.Channel).Message("{}").Build())
	for _, r := range c.DoMulti(b.Context(), all...) {
		if err := r.Error(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWhole reads a namespace of 1,000 entries.
func BenchmarkWhole(b *testing.B) {
	s := benchServer(b)
	target := filled(b, s, 1000)
	b.Run("target", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if whole, err := store.ReadWhole(b.Context(), target, production); err != nil || len(whole.Entries) != 1000 {
				b.Fatal(len(whole.Entries), err)
			}
		}
	})
	c := bare(b, s)
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var all rueidis.Commands
			for i := range 1000 {
				all = append(all, c.B().Hmget().Key(fmt.Sprint("lcm:{acme-corp/platform/chat/production}/k", i)).
					Field("value", "id", "version", "revision", "kind", "origin", "classification", "repository", "digest").Build())
			}
			for _, r := range c.DoMulti(b.Context(), all...) {
				if m, err := r.AsStrSlice(); err != nil || m[0] == "" {
					b.Fatal(m, err)
				}
			}
		}
	})
}

// BenchmarkListAll lists 200 namespaces of 500 entries, as the search for drift does: 100,000 entries.
func BenchmarkListAll(b *testing.B) {
	s := benchServer(b)
	target := open(b, redis.Config{Address: s.Address, Login: login()})
	var all []lcm.Namespace
	for i := range 200 {
		batch := batch(changes(store.Create, 0, 500)...)
		batch.Namespace = lcm.Service{Org: "acme-corp", Project: "platform", Name: fmt.Sprint("s", i)}.In("production")
		if err := target.Apply(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		all = append(all, batch.Namespace)
	}
	b.ReportAllocs()
	for b.Loop() {
		var g errgroup.Group
		g.SetLimit(64)
		for _, ns := range all {
			g.Go(func() error {
				l, err := target.List(b.Context(), ns)
				if err == nil && len(l.Items) != 500 {
					err = fmt.Errorf("%d entries", len(l.Items))
				}
				return err
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, 100_000)
	b.ReportMetric(used(b, s)/100_000, "server-B/entry")
}

func perSecond(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// used is how many bytes the server uses for its data.
func used(b *testing.B, s *redistest.Server) float64 {
	_, rest, _ := strings.Cut(s.Do(b, "INFO", "memory"), "used_memory_dataset:")
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
