package leader_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/etcd/etcdtest"
)

// BenchmarkHundredThousand has the state of 100,000 documents in 1,000 namespaces: how long it takes to be written the first
// time and to be loaded by the next leader, and how large it is.
func BenchmarkHundredThousand(b *testing.B) {
	c := etcdtest.Start(b, etcdtest.Options{Fsync: true})
	r := replica(b, "a", "/lcm-state/", c.Endpoints()...)
	if _, err := r.Take(b.Context()); err != nil {
		b.Fatal(err)
	}
	db, err := state.Open(state.Config{Path: b.TempDir(), Repository: "repo", Key: []byte("0123456789abcdef"), Keeper: r})
	if err == nil {
		err = db.Load(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	for i := 0; i < 1000; i += 250 {
		fill(b, db, i, i+250)
	}
	wrote := time.Since(begun)
	bytes := 0
	keys, err := c.Keys(b.Context(), "/lcm-state/")
	for _, space := range []string{"history", "inventory", "namespaces", "versions"} { // the size of one, as they are alike
		for _, key := range keys {
			if strings.Contains(key, "/records/"+space+"/") {
				value, getErr := c.Get(b.Context(), key)
				n := 0
				for _, k := range keys {
					if strings.Contains(k, "/records/"+space+"/") {
						n++
					}
				}
				bytes, err = bytes+n*(len(key)+len(value)), errors.Join(err, getErr)
				break
			}
		}
	}
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := db.Load(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(wrote.Seconds(), "s/write")
	b.ReportMetric(float64(len(keys)), "keys")
	b.ReportMetric(float64(bytes)/(1<<20), "MiB")
}

func fill(b *testing.B, db *state.DB, from, to int) {
	intents, outcomes, made := map[lcm.Namespace]state.Intent{}, map[lcm.Namespace]state.Outcome{}, []state.Making{}
	rev := lcm.Revision(strings.Repeat("1", 40))
	for i := from; i < to; i++ {
		ns := lcm.Service{Org: "acme-corp", Project: fmt.Sprintf("project-%d", i/100), Name: fmt.Sprintf("service-%d", i%100)}.In("production")
		owned := map[string]state.Owned{}
		for k := range 100 {
			key := fmt.Sprintf("document-%d", k)
			owned[key] = state.Owned{Fields: map[string]string{"temperature": strings.Repeat("f", 22), "top_p": strings.Repeat("f", 22)}, Meta: store.Meta{
				ID: "6ba7b812-9dad-51d1-80b4-00c04fd430c8", Version: 1, Revision: rev, Kind: lcm.KindConfig, Origin: "namespaces/" + ns.String() + "/" + key + ".yaml",
				Classification: lcm.Internal, Repository: "acme-config", Digest: "sha256:" + strings.Repeat("0", 64)}}
			made = append(made, state.Making{Address: ns.Key(key), Made: state.Made{Revision: rev, Commits: 1, Change: strings.Repeat("c", 22)}, First: true})
		}
		inv := state.Inventory{"runtime": owned}
		intents[ns] = state.Intent{Revision: rev, Inventory: inv}
		outcomes[ns] = state.Outcome{State: state.Namespace{Revision: rev}, Inventory: inv, Ended: true}
	}
	for _, err := range []error{db.Index(state.Indexed{Revision: rev}, made, false), db.Begin(intents), db.End(outcomes, time.Now())} {
		if err != nil {
			b.Fatal(err)
		}
	}
}
