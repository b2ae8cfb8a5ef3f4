package file

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

var _ store.Witness = (*Store)(nil)

// LastChange tells when the file of an entry was last written, and whose file it is. Whoever writes into a file
// does not become its owner; who puts another one in its place does.
func (s *Store) LastChange(ctx context.Context, addr lcm.Address) (who string, at time.Time, err error) {
	if err := store.CheckAddress(addr); err != nil {
		return "", time.Time{}, err
	}
	var info fs.FileInfo
	err = s.read(ctx, addr.Namespace, func(g generation) (err error) {
		info, err = s.root.Lstat(path.Join(g.dir, addr.Key+suffix))
		return err
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("looking at %s in %s: %w", addr, s.path, err)
	}
	return ownerOf(info), info.ModTime(), nil
}
