package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Namespaces implements store.Writer. It lists the folders of the mount, four deep: those of the orgs
// only, unless all are asked for, so that a login for one tenant's paths is enough for one tenant.
func (t *Target) Namespaces(ctx context.Context, orgs []string) ([]lcm.Namespace, error) {
	if err := t.ready(ctx); err != nil {
		return nil, fmt.Errorf("looking for namespaces: %w", err)
	}
	folders, depth := orgs, 1
	if slices.Contains(orgs, "*") {
		folders, depth = []string{""}, 0
	}
	for ; depth < 4; depth++ {
		below, err := t.foldersIn(ctx, folders)
		if err != nil {
			return nil, fmt.Errorf("looking for namespaces: %w", err)
		}
		folders = below
	}
	var all []lcm.Namespace
	for _, f := range folders {
		ns, err := lcm.ParseNamespace(f)
		if err == nil { // what is of another form holds nothing that could be addressed
			all = append(all, ns)
		}
	}
	return all, nil
}

// foldersIn lists the folders directly below some folders.
func (t *Target) foldersIn(ctx context.Context, folders []string) ([]string, error) {
	found := make([][]string, len(folders))
	err := t.each(ctx, len(folders), func(i int) error {
		names, err := t.vault.list(ctx, strings.TrimSuffix(t.metadataPath(folders[i]), "/"))
		if errors.Is(err, errAbsent) {
			return t.absent(ctx)
		}
		for _, name := range names {
			if folder, ok := strings.CutSuffix(name, "/"); ok && lcm.ValidName(folder) {
				found[i] = append(found[i], strings.TrimPrefix(folders[i]+"/"+folder, "/"))
			}
		}
		return err
	})
	return slices.Concat(found...), err
}
