package file

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

const (
	maxValue = 16 << 20 // a longer file is not read: whoever put it there, it is no value of ours
	maxOwn   = 64 << 10 // the same for marks and markers
	suffix   = ".json"
)

// mark is the content of .lcm/<key>.json: the Meta, and what the value's file held when both were written.
type mark struct {
	store.Meta
	Content string `json:"content"`
}

// entry is one value as it stands in a generation.
type entry struct {
	item   store.Item
	marked bool
	plain  bool // it is a file
}

// holdings are the entries of a generation by key.
type holdings map[string]entry

func (h holdings) items() []store.Item {
	items := make([]store.Item, 0, len(h))
	for _, e := range h {
		items = append(items, e.item)
	}
	slices.SortFunc(items, func(a, b store.Item) int { return strings.Compare(a.Key, b.Key) })
	return items
}

// scan reads a generation. Files whose names are no keys are nobody's entries; they are only carried along.
func (g generation) scan(ctx context.Context) (holdings, error) {
	held := holdings{}
	if !g.exists() {
		return held, nil
	}
	files, err := g.store.dir(g.dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		key, ok := strings.CutSuffix(f.Name(), suffix)
		if !ok || !lcm.ValidName(key) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if held[key], err = g.entry(key, f); err != nil {
			return nil, err
		}
	}
	return held, nil
}

// entry reads one entry. Its token covers value and mark; of something that is not a file, or is
// too long to be read, only what the directory says.
func (g generation) entry(key string, f fs.DirEntry) (entry, error) {
	m, marked, err := g.mark(key)
	if err != nil {
		return entry{}, err
	}
	content := ""
	info, err := f.Info()
	if err != nil {
		return entry{}, err
	}
	plain := info.Mode().IsRegular()
	if plain && info.Size() <= maxValue {
		value, _, err := g.store.file(path.Join(g.dir, f.Name()), maxValue)
		if err != nil {
			return entry{}, err
		}
		content = contentOf(value)
	} else {
		content = fmt.Sprintf("%v of %d bytes, %d", info.Mode().Type(), info.Size(), info.ModTime().UnixNano())
	}
	item := store.Item{Key: key, Meta: m.Meta, Token: tokenOf(m, marked, content), Stale: marked && m.Content != content}
	return entry{item, marked, plain}, nil
}

func contentOf(value []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(value)) }

func tokenOf(m mark, marked bool, content string) store.Token {
	if !marked {
		return store.Token("unmarked-" + contentOf([]byte(content)))
	}
	raw, _ := json.Marshal(m) // strings and a number: cannot fail
	return store.Token(contentOf(append(raw, content...)))
}

// get reads a value and its mark out of one generation.
func (g generation) get(key string) (value []byte, m mark, found bool, err error) {
	if value, found, err = g.store.file(path.Join(g.dir, key+suffix), maxValue); err != nil || !found {
		return nil, mark{}, false, err
	}
	m, _, err = g.mark(key)
	return value, m, err == nil, err
}

func (g generation) mark(key string) (m mark, marked bool, err error) {
	marked, err = g.store.ownFile(path.Join(g.dir, own, key+suffix), &m)
	return m, marked, err
}

func (g generation) marker() (m store.Marker, err error) {
	if g.exists() {
		_, err = g.store.ownFile(path.Join(g.dir, own, "revision"), &m)
	}
	return m, err
}

// ownFile decodes a file that only the store writes.
func (s *Store) ownFile(name string, into any) (found bool, err error) {
	raw, found, err := s.file(name, maxOwn)
	if err != nil || !found {
		return false, err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fmt.Errorf("%s is damaged: remove it; a value without its mark then counts as somebody else's, so remove that too if the next pass is to write it", s.full(name))
	}
	return true, nil
}

// file reads a regular file of at most limit bytes. Anything else of that name is an error.
func (s *Store) file(name string, limit int64) (data []byte, found bool, err error) {
	info, err := s.root.Lstat(name) // before opening: to open a pipe could wait for ever
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, fmt.Errorf("%s is not a regular file: move it away", s.full(name))
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes: move it away", s.full(name), limit)
	}
	return data, err == nil, err
}
