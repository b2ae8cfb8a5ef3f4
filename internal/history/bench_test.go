package history

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// BenchmarkRead reads the history of 2,000 files anew: 300 commits, each of which changes one that two environments inherit.
func BenchmarkRead(b *testing.B) {
	repo, err := gitrepo.Init(filepath.Join(b.TempDir(), "r.git"))
	if err != nil {
		b.Fatal(err)
	}
	defer repo.Close()
	e := gitrepo.Edit{Files: map[string][]byte{"lcm.yaml": []byte(settings[0])}, Message: "m", Author: gitrepo.Ident{Name: "n", Email: "e"}}
	file := func(i int) string { return fmt.Sprintf("namespaces/o/p/s%d/base/k%d.yaml", i%200, i) }
	for i := range 2_000 {
		e.Files[file(i)] = []byte(doc(fmt.Sprint("{value: ", i, "}"), ""))
	}
	var chain []lcm.Revision
	for i := range 301 {
		rev, err := repo.Write(e)
		if err != nil {
			b.Fatal(err)
		}
		chain = append(chain, rev)
		e.Parents, e.Files = []lcm.Revision{rev}, map[string][]byte{file(i * 7919 % 2_000): []byte(doc(fmt.Sprint("{value: ", -i-1, "}"), ""))}
	}
	for b.Loop() {
		at, err := Begin(repo, chain[0])
		if err != nil {
			b.Fatal(err)
		}
		events := 0
		err = Read(b.Context(), repo, at, chain[1:], func(_ Position, some []Event) error { events += len(some); return nil })
		if err != nil || events != 600 {
			b.Fatal(events, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*300), "µs/commit")
}
