package tree

import (
	"io/fs"
	"slices"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Layout is which services a state has, and which layers these. It spares the look at a later state all folders that hold what they
// held, and keeps no document.
type Layout struct {
	fsys     fs.FS
	settings string // the content of lcm.yaml, by id
	layers   map[lcm.Service]map[string]bool
	services []lcm.Service // sorted
}

// Layout returns the layout of a state in which Load found nothing wrong; nil if it did, or if nobody can tell
// what a folder holds without reading it.
func (t *Tree) Layout() *Layout {
	settings := folderID(t.fsys, SettingsFile)
	if t.unlisted || !t.clean || settings == "" {
		return nil
	}
	return &Layout{fsys: t.fsys, settings: settings, layers: t.layers, services: t.services}
}

// fits reports whether what was found then holds now, where folders hold the same. What an environment is, lcm.yaml says.
func (b *Layout) fits(fsys fs.FS) bool { return b != nil && folderID(fsys, SettingsFile) == b.settings }

// project adds the layers of a project's services as they were.
func (b *Layout) project(found map[lcm.Service]map[string]bool, org, project string) {
	i, _ := slices.BinarySearchFunc(b.services, lcm.Service{Org: org, Project: project}, compareServices)
	for ; i < len(b.services) && b.services[i].Org == org && b.services[i].Project == project; i++ {
		found[b.services[i]] = b.layers[b.services[i]]
	}
}

// same returns the names of what a folder holds as it held it before.
func (l *layout) same(dir string) map[string]bool {
	if l.before == nil {
		return nil
	}
	was, out := contents(l.before.fsys, dir), map[string]bool{}
	for name, id := range contents(l.fsys, dir) {
		if was[name] == id {
			out[name] = true
		}
	}
	return out
}

// contents returns the ids of what a folder holds, as far as they are known.
func contents(fsys fs.FS, dir string) map[string]string {
	entries, _ := listBounded(fsys, dir)
	ids := make(map[string]string, len(entries))
	for _, e := range entries {
		if held := contentOf(e); held != nil && held.ContentID() != "" {
			ids[e.Name()] = held.ContentID()
		}
	}
	return ids
}
