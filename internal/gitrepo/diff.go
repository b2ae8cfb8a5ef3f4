package gitrepo

// Diff lists the files at which two trees differ, by path. A nil tree is the empty one. What has the
// same id on both sides is not read, so the cost follows the difference.
func (r *Repo) Diff(a, b *Tree) ([]Change, error) {
	d := differ{repo: r}
	left, err := d.root(a)
	if err != nil {
		return nil, err
	}
	right, err := d.root(b)
	if err != nil {
		return nil, err
	}
	if err := d.folders("", 0, left, right); err != nil {
		return nil, err
	}
	return d.changes, nil
}

// differ collects changes. Git orders the entries of a tree by whole path, so that the changes come
// out sorted.
type differ struct {
	repo    *Repo
	changes []Change
	seen    int // entries looked at
}

// root makes a folder entry of a tree; the zero entry is absence.
func (d *differ) root(t *Tree) (treeEntry, error) {
	if t == nil {
		return treeEntry{}, nil
	}
	id, err := parseID(t.root)
	return treeEntry{mode: ModeFolder, id: id}, err
}

func (d *differ) entries(e treeEntry) ([]treeEntry, error) {
	if e.mode == 0 {
		return nil, nil
	}
	t, err := d.repo.tree(e.id)
	if err != nil {
		return nil, err
	}
	d.seen += len(t.entries)
	if d.seen > 2*d.repo.limits.MaxTreeEntries {
		return nil, d.repo.tooMany()
	}
	return t.entries, nil
}

// folders compares two folders, of which one may be absent.
func (d *differ) folders(prefix string, depth int, a, b treeEntry) error {
	if a.mode == b.mode && a.id == b.id {
		return nil
	}
	if depth > d.repo.limits.MaxDepth {
		return d.repo.tooDeep()
	}
	left, err := d.entries(a)
	if err != nil {
		return err
	}
	right, err := d.entries(b)
	if err != nil {
		return err
	}
	for len(left) > 0 || len(right) > 0 {
		var l, r treeEntry
		switch order := first(left, right); {
		case order < 0:
			l, left = left[0], left[1:]
		case order > 0:
			r, right = right[0], right[1:]
		default:
			l, r, left, right = left[0], right[0], left[1:], right[1:]
		}
		if err := d.pair(prefix, depth, l, r); err != nil {
			return err
		}
	}
	return nil
}

// first says which list holds the next entry: the left (<0), the right (>0) or both.
func first(left, right []treeEntry) int {
	switch {
	case len(right) == 0:
		return -1
	case len(left) == 0:
		return 1
	}
	return compareEntries(left[0], right[0])
}

// pair compares two entries of one name, either both folders or both not; one may be absent.
func (d *differ) pair(prefix string, depth int, a, b treeEntry) error {
	if a.mode == b.mode && a.id == b.id {
		return nil
	}
	name := a.name
	if a.mode == 0 {
		name = b.name
	}
	if a.folder() || b.folder() {
		return d.folders(prefix+name+"/", depth+1, a, b)
	}
	d.changes = append(d.changes, Change{Path: prefix + name, Old: a.blob(), New: b.blob()})
	return nil
}

// blob is the zero Blob for the zero entry.
func (e treeEntry) blob() Blob {
	if e.mode == 0 {
		return Blob{}
	}
	return Blob{ID: e.id.String(), Mode: e.mode}
}
