package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// incoming is a pack being received: first it is stored while each object's announced size is checked,
// so that one that would unpack to something enormous is refused before anything is unpacked into
// memory; then what came as deltas is unpacked and hashed. go-git's own parser would do both, but
// without limits, at twice the cost, and in a goroutine of its own, where no panic can be contained.
type incoming struct {
	repo    *Repo
	file    *os.File
	hasher  *objectHasher
	budget  int64 // bytes that the objects may still unpack to
	entries []incomingEntry
	refs    map[int]plumbing.Hash // base of those deltas that name it by id
	sum     plumbing.Hash         // the pack's own hash, which becomes its name
}

type incomingEntry struct {
	offset int64
	id     plumbing.Hash // zero: a delta yet to be unpacked
	crc    uint32
}

var errNoObjects = errors.New("the pack is empty")

// receive stores the stream.
func (in *incoming) receive(stream io.Reader) error {
	w := bufio.NewWriterSize(in.file, 1<<16)
	scanner := packfile.NewScanner(io.TeeReader(stream, w))
	_, count, err := scanner.Header()
	if err != nil {
		return err
	}
	if count == 0 {
		return errNoObjects
	}
	if most := in.repo.limits.fetchObjects(); int64(count) > most {
		return &LimitError{What: "what was fetched", Limit: most, Unit: "objects"}
	}
	for range count {
		if err := in.object(scanner); err != nil {
			return err
		}
	}
	if in.sum, err = scanner.Checksum(); err != nil {
		return err
	}
	// A transport may have something to say after the pack; it must not be more of it.
	if _, err := io.Copy(w, stream); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return in.checkEnd()
}

// object passes over one object.
func (in *incoming) object(scanner *packfile.Scanner) error {
	h, err := scanner.NextObjectHeader()
	if err != nil {
		return err
	}
	e := incomingEntry{offset: h.Offset}
	most := in.repo.limits.objectBytes()
	if h.Length > most || h.Length < 0 {
		return &LimitError{What: "an object that was fetched", Limit: most, Unit: "bytes"}
	}
	if !h.Type.IsDelta() {
		in.hasher.start(h.Type, h.Length)
		if err := in.body(scanner, h, in.hasher, &e); err != nil {
			return err
		}
		var ok bool
		if e.id, ok = in.hasher.end(); !ok {
			return errCollision
		}
		in.entries = append(in.entries, e)
		return in.spend(h.Length)
	}
	head := prefixWriter{max: 20}
	if err := in.body(scanner, h, &head, &e); err != nil {
		return err
	}
	size, err := deltaSize(head.kept)
	if err != nil {
		return err
	}
	if size > most {
		return &LimitError{What: "an object that was fetched", Limit: most, Unit: "bytes"}
	}
	if h.Type == plumbing.REFDeltaObject {
		if in.refs == nil {
			in.refs = map[int]plumbing.Hash{}
		}
		in.refs[len(in.entries)] = h.Reference
	}
	in.entries = append(in.entries, e)
	return in.spend(size)
}

func (in *incoming) body(scanner *packfile.Scanner, h *packfile.ObjectHeader, w io.Writer, e *incomingEntry) error {
	length := h.Length
	n, crc, err := scanner.NextObject(w)
	if err == nil && n != length {
		err = errDamaged
	}
	e.crc = crc
	return err
}

func (in *incoming) spend(size int64) error {
	if in.budget -= size; in.budget < 0 {
		return &LimitError{What: "what was fetched, unpacked,", Limit: in.repo.limits.inflatedBytes(), Unit: "bytes"}
	}
	return nil
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

// checkEnd makes sure that nothing follows the pack's own hash.
func (in *incoming) checkEnd() error {
	var last plumbing.Hash
	size, err := in.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := in.file.ReadAt(last[:], size-int64(idSize)); err != nil {
		return err
	}
	if last != in.sum {
		return errors.New("bytes follow the pack")
	}
	return nil
}

// resolve unpacks the deltas to find their ids. Where they build on objects of the mirror, as in a
// bundle, those are put into the pack first.
func (in *incoming) resolve(ctx context.Context) error {
	left, err := in.unpackDeltas(ctx)
	if err != nil || len(left) == 0 {
		return err
	}
	if err := in.thicken(left); err != nil {
		return err
	}
	if left, err = in.unpackDeltas(ctx); err == nil && len(left) > 0 {
		err = errNoBase
	}
	return err
}

// unpackDeltas finds the ids of the deltas, and returns the bases that are not in the pack. Those that
// name their base by id may have to wait for another delta to be unpacked first.
func (in *incoming) unpackDeltas(ctx context.Context) ([]plumbing.Hash, error) {
	size, err := in.file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	p := &pack{file: in.file, size: size, early: in.known()}
	rd := newReader()
	for before := -1; ; {
		var left []plumbing.Hash
		for i := range in.entries {
			e := &in.entries[i]
			if !e.id.IsZero() {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			t, data, err := in.repo.objects.unpack(rd, p, e.offset, in.repo.limits.objectBytes())
			if errors.Is(err, errNoBase) {
				left = append(left, in.refs[i])
				continue
			}
			if err != nil {
				return nil, err
			}
			var ok bool
			if e.id, ok = rd.hasher.sum(t, data); !ok {
				return nil, errCollision
			}
			if p.early != nil {
				p.early[e.id] = e.offset
			}
		}
		if len(left) == 0 || len(left) == before {
			return left, nil
		}
		before = len(left)
	}
}

// known gives the places of the objects whose ids are known, if a delta may ask for them.
func (in *incoming) known() map[plumbing.Hash]int64 {
	if len(in.refs) == 0 {
		return nil
	}
	places := make(map[plumbing.Hash]int64, len(in.entries))
	for _, e := range in.entries {
		if !e.id.IsZero() {
			places[e.id] = e.offset
		}
	}
	return places
}

// writeIndex writes the index of the pack.
func (in *incoming) writeIndex(file string) error {
	w := new(idxfile.Writer)
	if err := w.OnHeader(uint32(len(in.entries))); err != nil {
		return err
	}
	for _, e := range in.entries {
		w.Add(e.id, uint64(e.offset), e.crc)
	}
	if err := w.OnFooter(in.sum); err != nil {
		return err
	}
	idx, err := w.Index()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	buf := bufio.NewWriterSize(out, 1<<16)
	_, err = idxfile.NewEncoder(buf).Encode(idx)
	return errors.Join(err, buf.Flush(), out.Sync(), out.Close())
}
