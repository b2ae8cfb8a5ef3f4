package gitrepo

// Diff lists the files at which two trees differ, by path. A nil tree is the empty one. What has the
// same id on both sides is not read, so the cost follows the difference.
func (r *Repo) Diff(a, b *Tree) ([]Change, error) {
	d := differ{repo: r}
	left, right := rootOf(a), rootOf(b)
	if err := d.folders("", 0, left, right); err != nil {
		return nil, err
	}
	if a != nil && b != nil {
		r.sized(left.id, right.id, d.left, d.right)
	}
	return d.changes, nil
}

// differ collects changes. Git orders the entries of a tree by whole path, so that the changes come
// out sorted.
type differ struct {
	repo        *Repo
	changes     []Change
	left, right treeSize // of what differs
}

// rootOf makes a folder entry of a tree; the zero entry is absence.
func rootOf(t *Tree) treeEntry {
	if t == nil {
		return treeEntry{}
	}
	return treeEntry{mode: ModeFolder, id: t.root}
}

// entries reads a folder, of which seen counts the entries; absent ones have none. It may be much like another.
func (d *differ) entries(e treeEntry, depth int, seen *treeSize, like *treeObject) (*treeObject, error) {
	if e.mode == 0 {
		return &treeObject{}, nil
	}
	t, err := d.repo.treeLike(e.id, like)
	if err != nil {
		return nil, err
	}
	seen.entries += len(t.lines)
	seen.depth = max(seen.depth, depth+1)
	if d.left.entries+d.right.entries > 2*d.repo.limits.MaxTreeEntries {
		return nil, d.repo.tooMany()
	}
	return t, nil
}

// folders compares two folders, of which one may be absent.
func (d *differ) folders(prefix string, depth int, a, b treeEntry) error {
	if a.mode == b.mode && a.id == b.id {
		return nil
	}
	if depth > d.repo.limits.MaxDepth {
		return d.repo.tooDeep()
	}
	left, err := d.entries(a, depth, &d.left, nil)
	if err != nil {
		return err
	}
	right, err := d.entries(b, depth, &d.right, left)
	if err != nil {
		return err
	}
	if left.sameLines(right) {
		return d.sameEntries(prefix, depth, left, right)
	}
	for i, j := 0, 0; i < len(left.lines) || j < len(right.lines); {
		var l, r treeEntry
		if i < len(left.lines) {
			l = left.at(i)
		}
		if j < len(right.lines) {
			r = right.at(j)
		}
		if order := first(l, r); order < 0 {
			r = treeEntry{}
			i++
		} else if order > 0 {
			l = treeEntry{}
			j++
		} else {
			i++
			j++
		}
		if err := d.pair(prefix, depth, l, r); err != nil {
			return err
		}
	}
	return nil
}

// sameEntries compares two folders whose entries differ in their ids alone.
func (d *differ) sameEntries(prefix string, depth int, left, right *treeObject) error {
	for i := range left.lines {
		if left.idAt(i) == right.idAt(i) {
			continue
		}
		if err := d.pair(prefix, depth, left.at(i), right.at(i)); err != nil {
			return err
		}
	}
	return nil
}

// first says which entry comes first: the left (<0), the right (>0) or both. One may be absent.
func first(left, right treeEntry) int {
	switch {
	case right.mode == 0:
		return -1
	case left.mode == 0:
		return 1
	}
	return compareEntries(left, right)
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
