package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// tempPrefix marks files of a fetch that is under way or was interrupted.
const tempPrefix = "tmp_fetch_"

func (r *Repo) packDir() string { return filepath.Join(r.objects.dirs[0], "pack") }

// sweep removes what an interrupted fetch left behind.
func (r *Repo) sweep() error {
	left, err := filepath.Glob(filepath.Join(escapeGlob(r.packDir()), tempPrefix+"*"))
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// ingest takes a pack into the mirror. It becomes visible only when it is whole: within the limits,
// every object hashed, and everything that a commit or tree in it names either in it or in the mirror
// already. So whatever is in the mirror has all that it needs, and the next fetch may rely on that.
func (r *Repo) ingest(ctx context.Context, stream io.Reader, limit int64) error {
	f, err := os.CreateTemp(r.packDir(), tempPrefix+"*.pack")
	if err != nil {
		return err
	}
	base := f.Name()[:len(f.Name())-len(".pack")]
	defer os.Remove(base + ".pack") // no-ops once renamed
	defer os.Remove(base + ".idx")
	defer f.Close()
	err = r.receive(f, &boundedReader{ctx: ctx, r: stream, left: limit, limit: limit})
	if errors.Is(err, packfile.ErrEmptyPackfile) || errors.Is(err, errNoObjects) {
		return nil
	}
	if err != nil {
		return err
	}
	id, err := indexPack(ctx, f, base+".idx")
	if err != nil {
		return fmt.Errorf("indexing what was fetched: %w", err)
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
	return r.publish(p, base, id)
}

var errNoObjects = errors.New("the pack is empty")

// receive stores the stream while checking each object's announced size, so that a pack that would
// unpack to something enormous is refused before anything is unpacked into memory.
func (r *Repo) receive(f *os.File, stream io.Reader) error {
	w := bufio.NewWriterSize(f, 1<<16)
	scanner := packfile.NewScanner(io.TeeReader(stream, w))
	_, count, err := scanner.Header()
	if err != nil {
		return fmt.Errorf("receiving a pack: %w", err)
	}
	if count == 0 {
		return errNoObjects
	}
	if int64(count) > r.limits.fetchObjects() {
		return &LimitError{What: "what was fetched", Limit: r.limits.fetchObjects(), Unit: "objects"}
	}
	budget := r.limits.inflatedBytes()
	for range count {
		size, err := r.receiveObject(scanner)
		if err != nil {
			return fmt.Errorf("receiving a pack: %w", err)
		}
		if budget -= size; budget < 0 {
			return &LimitError{What: "what was fetched, unpacked,", Limit: r.limits.inflatedBytes(), Unit: "bytes"}
		}
	}
	if _, err := scanner.Checksum(); err != nil {
		return fmt.Errorf("receiving a pack: %w", err)
	}
	// A transport may have something to say after the pack; indexPack sees if it was more pack.
	if _, err := io.Copy(w, stream); err != nil {
		return fmt.Errorf("receiving a pack: %w", err)
	}
	return w.Flush()
}

// receiveObject passes over one object and returns its size when unpacked.
func (r *Repo) receiveObject(scanner *packfile.Scanner) (int64, error) {
	h, err := scanner.NextObjectHeader()
	if err != nil {
		return 0, err
	}
	large := &LimitError{What: "an object that was fetched", Limit: r.limits.objectBytes(), Unit: "bytes"}
	if h.Length > r.limits.objectBytes() || h.Length < 0 {
		return 0, large
	}
	head := prefixWriter{max: 20}
	if n, _, err := scanner.NextObject(&head); err != nil || n != h.Length {
		return 0, errors.Join(err, errDamaged)
	}
	if !h.Type.IsDelta() {
		return h.Length, nil
	}
	size, err := deltaSize(head.kept)
	if err == nil && size > r.limits.objectBytes() {
		err = large
	}
	return size, err
}

// prefixWriter keeps the first bytes written to it.
type prefixWriter struct {
	kept []byte
	max  int
}

func (w *prefixWriter) Write(p []byte) (int, error) {
	if room := w.max - len(w.kept); room > 0 {
		w.kept = append(w.kept, p[:min(room, len(p))]...)
	}
	return len(p), nil
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

// indexPack unpacks and hashes every object of a pack and writes its index.
func indexPack(ctx context.Context, f *os.File, index string) (plumbing.Hash, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return plumbing.ZeroHash, err
	}
	// Here and not through go-git's PackWriter, which would do this in a goroutine of its own, where
	// no panic can be contained.
	w := new(idxfile.Writer)
	parser, err := packfile.NewParser(packfile.NewScanner(&seekReader{ctx, f}), w)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	id, err := parser.Parse()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if err := endsWith(f, id); err != nil {
		return plumbing.ZeroHash, err
	}
	idx, err := w.Index()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	out, err := os.OpenFile(index, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	buf := bufio.NewWriterSize(out, 1<<16)
	_, err = idxfile.NewEncoder(buf).Encode(idx)
	return id, errors.Join(err, buf.Flush(), out.Sync(), out.Close())
}

// endsWith makes sure that nothing follows the pack's own hash.
func endsWith(f *os.File, id plumbing.Hash) error {
	if _, err := f.Seek(-int64(idSize), io.SeekEnd); err != nil {
		return err
	}
	var last plumbing.Hash
	if _, err := io.ReadFull(f, last[:]); err != nil {
		return err
	}
	if last != id {
		return errors.New("bytes follow the pack")
	}
	return nil
}

// seekReader lets the context end a long run over a file.
type seekReader struct {
	ctx context.Context
	f   *os.File
}

func (s *seekReader) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.f.Read(p)
}

func (s *seekReader) Seek(offset int64, whence int) (int64, error) { return s.f.Seek(offset, whence) }

// publish gives the pack its name and makes it readable. The index goes last: with it, the pack counts.
func (r *Repo) publish(p *pack, base string, id plumbing.Hash) error {
	name := filepath.Join(r.packDir(), "pack-"+id.String())
	for _, suffix := range []string{".pack", ".idx"} {
		if err := os.Rename(base+suffix, name+suffix); err != nil {
			return errors.Join(err, p.file.Close())
		}
	}
	p.index = name + ".idx"
	r.objects.add(p)
	return nil
}
