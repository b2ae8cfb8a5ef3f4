package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// tempPrefix marks files of a fetch that is under way or was interrupted.
const tempPrefix = "tmp_fetch_"

func (r *Repo) packDir() string { return filepath.Join(r.objects.dirs[0], "pack") }

// sweep removes what an interrupted fetch, or merge of packs, left behind. What is young may belong to another process.
func (r *Repo) sweep() error {
	left, err := filepath.Glob(filepath.Join(escapeGlob(r.packDir()), tempPrefix+"*"))
	if err != nil {
		return err
	}
	packs, err := filepath.Glob(filepath.Join(escapeGlob(r.packDir()), "pack-*.pack"))
	if err != nil {
		return err
	}
	for _, name := range packs { // without its index a pack counts for nothing: its own was not written yet, or removed already
		if _, err := os.Stat(strings.TrimSuffix(name, ".pack") + ".idx"); errors.Is(err, os.ErrNotExist) {
			left = append(left, name)
		}
	}
	for _, name := range left {
		fi, err := os.Stat(name)
		if err == nil && time.Since(fi.ModTime()) > time.Hour {
			err = os.Remove(name)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// ingest takes a pack into the mirror. It becomes visible only when it is whole: within the limits,
// every object hashed, and everything that a commit or tree in it names either in it or in the mirror
// already. So whatever is in the mirror has all that it needs, and the next fetch may rely on that.
// Packs whose objects are all in the new one may be replaced by it.
func (r *Repo) ingest(ctx context.Context, stream io.Reader, limit int64, replaced ...*pack) error {
	f, err := os.CreateTemp(r.packDir(), tempPrefix+"*.pack")
	if err != nil {
		return err
	}
	defer f.Close()
	base := f.Name()[:len(f.Name())-len(".pack")]
	defer os.Remove(base + ".pack") // no-ops once renamed
	defer os.Remove(base + ".idx")
	in := &incoming{repo: r, file: f, budget: r.limits.inflatedBytes(), hasher: newObjectHasher()}
	err = in.receive(&boundedReader{ctx: ctx, r: stream, left: limit, limit: limit})
	if errors.Is(err, packfile.ErrEmptyPackfile) || errors.Is(err, errNoObjects) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("receiving a pack: %w", err)
	}
	if err := in.resolve(ctx); err != nil {
		return fmt.Errorf("unpacking what was fetched: %w", err)
	}
	if err := in.writeIndex(base + ".idx"); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o444), f.Sync()); err != nil {
		return err
	}
	p, err := openPack(base + ".idx")
	if err != nil {
		return err
	}
	if err := r.checkComplete(ctx, p); err != nil {
		return errors.Join(err, p.file.Close())
	}
	return r.publish(p, base, in.sum, replaced)
}

// boundedReader reads within a limit and until the context ends.
type boundedReader struct {
	ctx         context.Context
	r           io.Reader
	left, limit int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return 0, &LimitError{What: "what was fetched", Limit: b.limit, Unit: "bytes"}
	}
	return n, err
}

// publish gives the pack its name and makes it readable. The index goes last: with it, the pack counts.
func (r *Repo) publish(p *pack, base string, id plumbing.Hash, replaced []*pack) error {
	name := filepath.Join(r.packDir(), "pack-"+id.String())
	for _, suffix := range []string{".pack", ".idx"} {
		if err := os.Rename(base+suffix, name+suffix); err != nil {
			return errors.Join(err, p.file.Close())
		}
	}
	p.index = name + ".idx"
	r.objects.add(p, replaced)
	for _, old := range replaced {
		if old.index == p.index {
			continue
		}
		// Only now, and the index first: whatever happens in between, each object is in a whole pack.
		if err := errors.Join(os.Remove(old.index), os.Remove(old.packName())); err != nil {
			return err
		}
	}
	return nil
}
