package gitrepo

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxPacks is how many packs a mirror has before the small ones are merged: every fetch adds one, and
// every lookup goes through all.
const maxPacks = 32

// mergePacks makes one pack of the small ones when there are many.
func (r *Repo) mergePacks(ctx context.Context) error {
	small := smallPacks(r.objects.list())
	if len(small) < 2 {
		return nil
	}
	ids := map[plumbing.Hash]bool{}
	var list []plumbing.Hash
	for _, p := range small {
		for i := range p.count {
			if id := p.id(i); !ids[id] {
				ids[id], list = true, append(list, id)
			}
		}
	}
	pr, pw := io.Pipe()
	go func() {
		pw.CloseWithError(r.writePack(ctx, pw, list))
	}()
	err := r.ingest(ctx, pr, math.MaxInt64-1, small...)
	return errors.Join(err, pr.Close())
}

// smallPacks picks the packs to merge: as many as are needed to leave each of the others more than
// twice as large as all smaller ones together. So an object is copied few times in its life, and the
// number of packs grows with the logarithm of their size.
func smallPacks(packs []*pack) []*pack {
	if len(packs) <= maxPacks {
		return nil
	}
	slices.SortFunc(packs, func(a, b *pack) int { return cmp.Compare(a.size, b.size) })
	merge, sum := 0, int64(0)
	for i, p := range packs {
		if p.size < 2*sum {
			merge = i + 1
		}
		sum += p.size
	}
	return packs[:merge]
}
