package redis

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Channel is where each batch is told of, as JSON: {"namespace", "repository", "revision"}.
const Channel = "lcm:changes"

// prefix begins the names of all that belongs to a namespace. What stands in braces decides the slot.
func prefix(ns lcm.Namespace) string { return "lcm:{" + ns.String() + "}/" }

const (
	markerName = ".lcm/revision" // no key begins with a dot or holds a slash
	indexName  = ".lcm/keys"
	pattern    = "lcm:{*"
)

func entryName(a lcm.Address) string   { return prefix(a.Namespace) + a.Key }
func markerOf(ns lcm.Namespace) string { return prefix(ns) + markerName }
func indexOf(ns lcm.Namespace) string  { return prefix(ns) + indexName }
func headOf(ns lcm.Namespace) []string { return []string{markerOf(ns), indexOf(ns)} }

// namespaces are those whose names have been parsed, by their text.
type namespaces map[string]lcm.Namespace

// parse takes the name of a Redis key apart. It reports false for what is neither an entry, a marker nor an
// index: it holds nothing that could be addressed.
func (n namespaces) parse(name string) (ns lcm.Namespace, key string, ok bool) {
	rest, ok := strings.CutPrefix(name, "lcm:{")
	if !ok {
		return ns, "", false
	}
	space, key, ok := strings.Cut(rest, "}/")
	if !ok || key != markerName && key != indexName && !lcm.ValidName(key) {
		return ns, "", false
	}
	if ns, ok = n[space]; ok {
		return ns, key, true
	}
	ns, err := lcm.ParseNamespace(space)
	if err != nil {
		return ns, "", false
	}
	n[space] = ns
	return ns, key, true
}

// fields are those of an entry's hash; apply.lua has those of the mark in the same order. Other fields there
// are other people's: they are left as they are.
var fields = [...]string{"value", "token", "content", "id", "version", "revision", "kind", "origin", "classification", "repository", "digest"}

// firstOfMark is where the fields begin that hold a store.Meta.
const firstOfMark = 3

// foreign is the token of what is no hash.
const foreign = store.Token("foreign")

// sum is what names a value. Redis has no other digest to offer.
func sum(value string) string {
	s := sha1.Sum([]byte(value))
	return hex.EncodeToString(s[:])
}

// markFields gives a mark as the fields of a hash, in the order of fields.
func markFields(m store.Meta) []string {
	return []string{m.ID, strconv.FormatUint(m.Version, 10), string(m.Revision), string(m.Kind), m.Origin, string(m.Classification), m.Repository, m.Digest}
}

// parseMark reads a mark from the fields that markFields gives. It reports false for what is none: an entry
// whose mark is not whole is not ours.
func parseMark(f []string) (store.Meta, bool) {
	if len(f) != len(fields)-firstOfMark {
		return store.Meta{}, false
	}
	version, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil || strconv.FormatUint(version, 10) != f[1] {
		return store.Meta{}, false
	}
	m := store.Meta{ID: f[0], Version: version, Revision: lcm.Revision(f[2]), Kind: lcm.Kind(f[3]), Origin: f[4],
		Classification: lcm.Classification(f[5]), Repository: f[6], Digest: f[7]}
	return m, m != (store.Meta{})
}

// parseMarker reads a marker. What stands there and is no marker counts as none: then no reader believes
// the namespace, and the next batch writes it anew.
func parseMarker(text string) store.Marker {
	var m store.Marker
	if json.Unmarshal([]byte(text), &m) != nil || !m.Sound() {
		return store.Marker{}
	}
	return m
}

// change is what is published of a batch.
type change struct {
	Namespace  string       `json:"namespace"`
	Repository string       `json:"repository"`
	Revision   lcm.Revision `json:"revision"`
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("redis: encoding: %w", err)
	}
	return string(b), nil
}
