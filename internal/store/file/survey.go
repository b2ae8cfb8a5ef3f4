package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Namespaces implements store.Writer. A namespace is a link in the folder of its service; whatever else
// people keep there is not ours.
func (s *Store) Namespaces(ctx context.Context, orgs []string) ([]lcm.Namespace, error) {
	folders := []string{"."}
	for depth := range 3 {
		var below []string
		for _, folder := range folders {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			entries, err := s.entries(folder)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if e.IsDir() && lcm.ValidName(e.Name()) && (depth > 0 || store.Of(orgs, e.Name())) {
					below = append(below, path.Join(folder, e.Name()))
				}
			}
		}
		folders = below
	}
	var all []lcm.Namespace
	for _, service := range folders {
		entries, err := s.entries(service)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			ns, err := lcm.ParseNamespace(path.Join(service, e.Name()))
			if err == nil && e.Type() == fs.ModeSymlink && !strings.HasPrefix(e.Name(), ".") {
				all = append(all, ns)
			}
		}
	}
	return all, nil
}

// entries lists a folder; one that was just removed is empty.
func (s *Store) entries(folder string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.root.FS(), folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking for namespaces in %s: %w", s.full(folder), err)
	}
	return entries, nil
}
