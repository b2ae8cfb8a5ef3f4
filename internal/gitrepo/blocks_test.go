package gitrepo

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// Objects are read whole wherever they lie, across the blocks of a pack of which a reader keeps a few.
func TestObjectsAcrossBlocks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r.git")
	repo, err := Init(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	random := rand.New(rand.NewPCG(1, 1))
	var ids []plumbing.Hash
	var list strings.Builder
	for n := range 1500 {
		data := make([]byte, 200+random.IntN(1800)) // which do not compress
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		id, err := repo.objects.write(plumbing.BlobObject, data)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		fmt.Fprintf(&list, "%s n%d\n", id, n)
	}
	pack := exec.Command("git", "-C", dir, "pack-objects", "-q", filepath.Join(dir, "objects/pack/pack"))
	pack.Stdin = strings.NewReader(list.String())
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	packed, err := Open(dir, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	heads := 0
	for _, id := range ids {
		p, offset, ok := packed.objects.find(id)
		if !ok {
			t.Fatalf("%s is not in the pack", id)
		}
		rd := newReader()
		block := offset / blockSize
		if left := blockSize - offset%blockSize; left < maxHead { // its block is to be the one given up next
			heads++
			for n := range int64(maxBlocks) {
				rd.src.seekPack(p, (block+2*n)%(p.size/blockSize)*blockSize)
				if _, err := rd.src.ReadByte(); err != nil {
					t.Fatal(err)
				}
			}
		}
		typ, data, err := packed.objects.unpack(rd, p, offset, 1<<20)
		if err != nil || !rd.hasher.matches(id, typ, data) {
			t.Fatalf("%s at %d, %d before a block's end: %v", id, offset, blockSize-offset%blockSize, err)
		}
	}
	if heads == 0 {
		t.Error("no head of an object lies at a block's end")
	}
}
