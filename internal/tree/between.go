package tree

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/llm-config-manager/lcm/internal/diag"
)

// Between finds what Effects finds, where lcm.yaml is the same on both sides. It reads only documents that
// the changed ones resolve with, and of those only the ones that k has not: for a walk over many revisions,
// of which each changes little.
func (s *Settings) Between(old, new fs.FS, changed []string, k *Kept) ([]Effect, error) {
	changed = slices.DeleteFunc(slices.Clone(changed), func(p string) bool {
		if !s.inherited(path.Base(path.Dir(p))) { // where a layer's name stands; most are inherited by none
			return true
		}
		_, _, ok := layerPath(p)
		return !ok
	})
	if len(changed) == 0 {
		return nil, nil
	}
	some := newPart(changed, k)
	before, after := s.over(old), s.over(new)
	before.partly, after.partly, after.beside = some, some, before
	return Effects(before, after, changed)
}

// sameFolder reports whether a file or folder is known to hold the same on both sides.
func sameFolder(a, b fs.FS, path string) bool {
	id := folderID(a, path)
	return id != "" && id == folderID(b, path)
}

func folderID(fsys fs.FS, path string) string {
	if info, err := fs.Stat(fsys, path); err == nil {
		if held, ok := info.(content); ok {
			return held.ContentID()
		}
	}
	return ""
}

// inherited reports whether a published environment has the layer in its chain, and is another.
func (s *Settings) inherited(layer string) bool {
	for name, e := range s.Environments {
		for up := e.Inherits; up != "" && !e.Abstract; up = s.Environments[up].Inherits {
			if up == layer && name != layer {
				return true
			}
		}
	}
	return false
}

// part is the documents that changed ones resolve with: those of the same keys and, since prompts may
// use them, all partials; where a partial changed, whose users are not known, all. So is a nil part.
type part struct {
	keys map[string]bool
	all  bool
	kept *Kept
}

func newPart(changed []string, k *Kept) *part {
	p := &part{keys: map[string]bool{}, kept: k}
	for _, c := range changed {
		if _, base, ok := layerPath(c); ok {
			n, _, _ := parseName(base)
			p.keys[n.key] = true
			p.all = p.all || n.partial
		}
	}
	return p
}

// shows reports whether a file belongs to the part. No key holds a dot.
func (p *part) shows(base string) bool {
	if p == nil || p.all || strings.HasPrefix(base, "_") {
		return true
	}
	key, _, _ := strings.Cut(base, ".")
	return p.keys[key]
}

// document returns a parsed file, from what is kept if its entry tells what it holds.
func (p *part) document(path string, e fs.DirEntry, parse func() (*Document, []diag.Finding, int)) (*Document, []diag.Finding) {
	held := contentOf(e)
	if p == nil || held == nil {
		d, findings, _ := parse()
		return d, findings
	}
	return p.kept.get(keptFile{path, held.ContentID()}, parse)
}

// contentOf asks an entry, or else what it tells of its file; nil if neither knows.
func contentOf(e fs.DirEntry) content {
	held, ok := e.(content)
	if ok {
		return held
	}
	if info, err := e.Info(); err == nil {
		held, _ = info.(content)
	}
	return held
}

// content is a file of which it is known what it holds, without reading it: files with the same id
// hold the same.
type content interface{ ContentID() string }

// Kept holds documents that were parsed, by path and content, so that trees which share them parse them
// once. The zero Kept is ready, and may be shared.
type Kept struct {
	mu         sync.Mutex
	size       int
	young, old map[keptFile]keptDocument
}

type keptFile struct{ path, id string }

type keptDocument struct {
	document *Document
	findings []diag.Finding
	size     int
}

// maxKept bounds the bytes of the files that are kept; parsed, they take ten times as much.
const maxKept = 768 << 10

func (k *Kept) get(f keptFile, parse func() (*Document, []diag.Finding, int)) (*Document, []diag.Finding) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d, ok := k.young[f]; ok {
		return d.document, d.findings
	}
	d, ok := k.old[f]
	if !ok {
		d.document, d.findings, d.size = parse()
		if d.document != nil && d.document.YAML != nil {
			d.document.YAML = d.document.YAML.Placeless() // for what resolves to what, no place matters
		}
	}
	k.put(f, d)
	return d.document, d.findings
}

// put forgets what was not asked for since half of the room was filled. What could not be read is tried
// again.
func (k *Kept) put(f keptFile, d keptDocument) {
	if d.size == 0 {
		return
	}
	if k.size += d.size; k.young == nil || k.size > maxKept/2 {
		k.old, k.young, k.size = k.young, map[keptFile]keptDocument{}, d.size
	}
	k.young[f] = d
}
