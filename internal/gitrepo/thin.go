package gitrepo

import (
	"bufio"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
)

// thicken puts into the pack what deltas in it build on and the mirror has, as `git index-pack --fix-thin`
// does: each pack of the mirror is whole by itself.
func (in *incoming) thicken(bases []plumbing.Hash) error {
	if _, err := in.file.Seek(-int64(idSize), io.SeekEnd); err != nil {
		return err
	}
	before, done := len(in.entries), map[plumbing.Hash]bool{}
	for _, id := range bases {
		if done[id] {
			continue
		}
		done[id] = true
		there, err := in.repo.objects.has(id)
		if err == nil && there {
			err = in.append(id)
		}
		if err != nil {
			return err
		}
	}
	if len(in.entries) == before {
		return errNoBase
	}
	return in.seal()
}

// append writes an object of the mirror at the end of the file.
func (in *incoming) append(id plumbing.Hash) error {
	limits := in.repo.limits
	if int64(len(in.entries)) >= limits.fetchObjects() {
		return &LimitError{What: "what was fetched", Limit: limits.fetchObjects(), Unit: "objects"}
	}
	t, data, err := in.repo.objects.readWhatever(id, limits.objectBytes())
	if err != nil {
		return err
	}
	at, err := in.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	crc := crc32.NewIEEE()
	w := &packWriter{w: bufio.NewWriter(in.file), sum: crc, zlib: zlib.NewWriter(nil)}
	if err := errors.Join(w.whole(t, data), w.w.Flush()); err != nil {
		return err
	}
	in.entries = append(in.entries, incomingEntry{offset: at, id: id, crc: crc.Sum32()})
	return in.spend(int64(len(data)))
}

// seal writes the number of objects anew, and the hash over the whole.
func (in *incoming) seal() error {
	count := binary.BigEndian.AppendUint32(nil, uint32(len(in.entries)))
	if _, err := in.file.WriteAt(count, 8); err != nil {
		return err
	}
	size, err := in.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	sum := sha1.New() // as in writePack
	if _, err := io.Copy(sum, io.NewSectionReader(in.file, 0, size)); err != nil {
		return err
	}
	copy(in.sum[:], sum.Sum(nil))
	_, err = in.file.Write(in.sum[:])
	return err
}
