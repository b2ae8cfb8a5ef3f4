package vault

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/llm-config-manager/lcm/internal/store"
)

// The paths of the KV engine. What follows the mount was checked to be an address or a namespace.
func (t *Target) dataPath(p string) string     { return t.mount + "/data/" + p }
func (t *Target) metadataPath(p string) string { return t.mount + "/metadata/" + p }
func (t *Target) deletePath(p string) string   { return t.mount + "/delete/" + p }

// version is what KV says of one version of an entry.
type version struct {
	Created   string `json:"created_time"`
	Deletion  string `json:"deletion_time"` // may lie ahead, where versions run out
	Destroyed bool   `json:"destroyed"`
	// By is not relied on: see actor.
	By json.RawMessage `json:"created_by"`
}

// gone reports whether the version's value cannot be read any more.
func (v version) gone() bool {
	if v.Destroyed || v.Deletion == "" {
		return v.Destroyed
	}
	at, err := time.Parse(time.RFC3339Nano, v.Deletion)
	return err != nil || !at.After(time.Now())
}

// entry is what KV says of one entry, without its value.
type entry struct {
	exists  bool            // there is metadata, though perhaps no value that can be read
	current uint64          // the newest version, soft-deleted ones included: what check-and-set compares; 0: none yet
	live    bool            // the newest version can be read
	created string          // of the newest version
	by      json.RawMessage // who made it, in Vault's own form
	mark    mark
	marked  bool
}

// token stands for the entry's state. A version's number alone would not do: once metadata are
// deleted it counts from 1 again. An entry that is soft-deleted does not exist, so it has none.
func (e entry) token() store.Token {
	if !e.live {
		return ""
	}
	return store.Token(strconv.FormatUint(e.current, 10) + "@" + e.created)
}

func (e entry) stale() bool { return e.marked && e.mark.kvVersion != e.current }

// metadata is KV's answer on an entry.
type metadata struct {
	Current  *uint64            `json:"current_version"`
	Versions map[string]version `json:"versions"`
	Custom   map[string]string  `json:"custom_metadata"`
}

// inspect reads an entry's metadata. One that Vault does not know is the zero entry; the caller
// has made sure that the mount is the right one.
func (t *Target) inspect(ctx context.Context, path string) (entry, error) {
	var m metadata
	err := t.vault.read(ctx, t.metadataPath(path), &m)
	switch {
	case errors.Is(err, errAbsent):
		return entry{}, nil
	case err != nil:
		return entry{}, err
	case m.Current == nil:
		return entry{}, errAnswer
	}
	e := entry{exists: true, current: *m.Current}
	if newest, ok := m.Versions[strconv.FormatUint(e.current, 10)]; ok {
		e.live, e.created, e.by = !newest.gone(), newest.Created, newest.By
	}
	if e.mark, e.marked = parseMark(m.Custom); e.marked && m.outlived(e.mark) {
		e.mark, e.marked = mark{}, false
	}
	return e, nil
}

// outlived reports whether the mark speaks of a version that was deleted, while a later one stands.
// A delete of ours that was cut off leaves such a mark, and the later value is somebody else's: one
// of ours would have been claimed anew.
func (m metadata) outlived(k mark) bool {
	v, known := m.Versions[strconv.FormatUint(k.kvVersion, 10)]
	return known && v.gone() && k.kvVersion < *m.Current
}

// content is KV's answer on the newest version of an entry.
type content struct {
	Data     json.RawMessage `json:"data"` // null if it is deleted
	Metadata struct {
		Version uint64            `json:"version"`
		Custom  map[string]string `json:"custom_metadata"`
	} `json:"metadata"`
}

// content reads an entry with its value. errAbsent: there is no value; the version is then that of
// the deleted one, or 0. It is returned only if the mount is the right one.
func (t *Target) content(ctx context.Context, path string) (content, error) {
	var c content
	err := t.vault.read(ctx, t.dataPath(path), &c)
	switch {
	case errors.Is(err, errAbsent):
		if err := t.absent(ctx); err != nil {
			return content{}, err
		}
		return c, errAbsent
	case err != nil:
		return content{}, err
	case !isObject(c.Data) || c.Metadata.Version == 0:
		return content{}, errAnswer
	}
	return c, nil
}

// put writes a value as the next version, if the newest one is still cas, and returns its number.
func (t *Target) put(ctx context.Context, path string, data any, cas uint64) (uint64, error) {
	body := map[string]any{"options": map[string]any{"cas": cas}, "data": data}
	var written struct {
		Version uint64 `json:"version"`
	}
	if err := t.vault.write(ctx, http.MethodPost, t.dataPath(path), body, &written); err != nil {
		return 0, err
	}
	if written.Version != cas+1 {
		return 0, errAnswer
	}
	return written.Version, nil
}

// remark sets or takes away fields of an entry's custom metadata; it makes no new version.
func (t *Target) remark(ctx context.Context, path string, fields map[string]any) error {
	return t.vault.write(ctx, http.MethodPatch, t.metadataPath(path), custom(fields), nil)
}

// announce makes an entry that has a mark and no value yet.
func (t *Target) announce(ctx context.Context, path string, m mark) error {
	fields := m.fields()
	for name, value := range fields {
		if value == nil {
			delete(fields, name)
		}
	}
	return t.vault.write(ctx, http.MethodPost, t.metadataPath(path), custom(fields), nil)
}

// softDelete deletes one version by its number, so that one written meanwhile is spared.
func (t *Target) softDelete(ctx context.Context, path string, version uint64) error {
	body := map[string]any{"versions": []uint64{version}}
	return t.vault.write(ctx, http.MethodPost, t.deletePath(path), body, nil)
}

func custom(fields map[string]any) map[string]any {
	return map[string]any{"custom_metadata": fields}
}
