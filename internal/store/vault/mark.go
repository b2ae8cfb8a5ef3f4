package vault

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// The fields of a mark in an entry's custom metadata. Other fields there are other people's: they
// are left as they are.
const (
	fieldID             = "id"
	fieldVersion        = "version"
	fieldRevision       = "revision"
	fieldKind           = "kind"
	fieldOrigin         = "origin"
	fieldClassification = "classification"
	fieldRepository     = "repository"
	fieldDigest         = "digest"
	fieldKVVersion      = "lcm_kv_version" // the version of the value that the mark speaks of
)

// maxField is the longest value that Vault takes in custom metadata, in bytes.
const maxField = 512

// claimed is the KV version of a mark that speaks of no value yet.
const claimed = 0

// mark is what stands in custom metadata: a Meta and the KV version that it speaks of.
type mark struct {
	meta      store.Meta
	kvVersion uint64
}

// fields gives the mark as a merge patch: null for what is empty, which Vault does not take.
func (m mark) fields() map[string]any {
	fields := map[string]any{}
	for name, value := range map[string]string{
		fieldID:             m.meta.ID,
		fieldVersion:        strconv.FormatUint(m.meta.Version, 10),
		fieldRevision:       string(m.meta.Revision),
		fieldKind:           string(m.meta.Kind),
		fieldOrigin:         m.meta.Origin,
		fieldClassification: string(m.meta.Classification),
		fieldRepository:     m.meta.Repository,
		fieldDigest:         m.meta.Digest,
		fieldKVVersion:      strconv.FormatUint(m.kvVersion, 10),
	} {
		fields[name] = nil
		if value != "" {
			fields[name] = value
		}
	}
	return fields
}

// unmarked is the merge patch that takes a mark away.
func unmarked() map[string]any {
	fields := mark{}.fields()
	for name := range fields {
		fields[name] = nil
	}
	return fields
}

// checkMeta refuses what Vault would not take, before anything is written.
func checkMeta(m store.Meta) error {
	if m == (store.Meta{}) {
		return fmt.Errorf("vault: the mark is empty")
	}
	for name, value := range (mark{meta: m}).fields() {
		s, _ := value.(string)
		if len(s) > maxField {
			return fmt.Errorf("vault: %s is %d bytes long: Vault takes at most %d", name, len(s), maxField)
		}
		if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("vault: %s holds what cannot be printed", name)
		}
	}
	return nil
}

// parseMark reads a mark. It reports false for custom metadata that are none: an entry whose mark is
// not whole is not ours.
func parseMark(custom map[string]string) (mark, bool) {
	version, ok := counter(custom[fieldVersion])
	if !ok {
		return mark{}, false
	}
	kvVersion, ok := counter(custom[fieldKVVersion])
	if !ok {
		return mark{}, false
	}
	meta := store.Meta{
		ID:             custom[fieldID],
		Version:        version,
		Revision:       lcm.Revision(custom[fieldRevision]),
		Kind:           lcm.Kind(custom[fieldKind]),
		Origin:         custom[fieldOrigin],
		Classification: lcm.Classification(custom[fieldClassification]),
		Repository:     custom[fieldRepository],
		Digest:         custom[fieldDigest],
	}
	return mark{meta, kvVersion}, meta != (store.Meta{})
}

// counter parses a decimal number as fields writes it, in no other spelling.
func counter(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && strconv.FormatUint(n, 10) == s
}
