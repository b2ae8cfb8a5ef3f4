package gitrepo

import "slices"

// Changed lists the paths at which the folder differs from a tree, sorted: files, and folders without any file, which
// Git does not know. Of the tree, nil for an empty one, only what differs is read.
func (w *Worktree) Changed(base *Tree) ([]string, error) {
	d := workDiffer{differ: differ{repo: w.repo}}
	was, err := d.entries(rootOf(base), 0, &d.left, nil)
	if err != nil {
		return nil, err
	}
	// Of the root only what was looked at counts.
	top := slices.DeleteFunc(slices.Collect(was.all()), func(e treeEntry) bool { return !slices.Contains(w.names, e.name) })
	if err := d.compare("", 0, top, w.root); err != nil {
		return nil, err
	}
	slices.Sort(d.paths)
	return slices.Compact(d.paths), nil
}

// workDiffer holds a work tree against a tree.
type workDiffer struct {
	differ
	paths []string
}

// compare compares the entries of a folder with those of the folder on disk, which is nil if there is none.
func (d *workDiffer) compare(prefix string, depth int, was []treeEntry, now *workFolder) error {
	if depth > d.repo.limits.MaxDepth {
		return d.repo.tooDeep()
	}
	var is []treeEntry
	folders := map[string]*workFolder{}
	if now != nil {
		is = now.tree()
		for _, e := range now.entries {
			folders[e.name] = e.folder
		}
		if len(is) == 0 {
			d.paths = append(d.paths, prefix[:max(len(prefix)-1, 0)])
		}
	}
	for len(was) > 0 || len(is) > 0 {
		var a, b treeEntry
		if len(was) > 0 {
			a = was[0]
		}
		if len(is) > 0 {
			b = is[0]
		}
		switch order := first(a, b); {
		case order < 0:
			b, was = treeEntry{}, was[1:]
		case order > 0:
			a, is = treeEntry{}, is[1:]
		default:
			was, is = was[1:], is[1:]
		}
		if err := d.both(prefix, depth, a, b, folders[b.name]); err != nil {
			return err
		}
	}
	return nil
}

// both compares two entries of one name, either both folders or both not; one may be absent.
func (d *workDiffer) both(prefix string, depth int, a, b treeEntry, now *workFolder) error {
	if a.mode == b.mode && a.id == b.id && !b.id.IsZero() {
		return nil
	}
	name := a.name
	if a.mode == 0 {
		name = b.name
	}
	if !a.folder() && !b.folder() {
		d.paths = append(d.paths, prefix+name)
		return nil
	}
	was, err := d.entries(a, depth+1, &d.left, nil)
	if err != nil {
		return err
	}
	return d.compare(prefix+name+"/", depth+1, slices.Collect(was.all()), now)
}
