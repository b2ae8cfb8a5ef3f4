package sopsfile

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Limits on one Secret. SOPS compiles a regular expression per leaf and level.
const (
	maxLeaves = 1000
	maxLevels = 16
)

// shape checks the structure of a sealed document: what the MAC of SOPS, a hash over the values one
// after the other, does not see.
type shape struct {
	file   string
	leaves int
}

func checkShape(file string, address lcm.Address, doc map[string]any) error {
	if doc["apiVersion"] != lcm.APIVersion || doc["kind"] != string(lcm.KindSecret) {
		return refuse(file, "sops/not-a-secret", "a sealed file holds a Secret of %s", lcm.APIVersion)
	}
	meta, _ := doc["metadata"].(map[string]any)
	if meta["address"] != address.String() {
		return refuse(file, "sops/address", "metadata.address must be %s, the file's own: a sealed file does not open where it was copied to, seal the value anew", address)
	}
	spec, _ := doc["spec"].(map[string]any)
	if _, ok := spec["data"].(map[string]any); !ok {
		return refuse(file, "sops/no-data", "spec.data must be a mapping of sealed fields")
	}
	s := &shape{file: file}
	return s.plain(without(doc, envelopeKey), nil)
}

func without(m map[string]any, key string) map[string]any {
	m = maps.Clone(m)
	delete(m, key)
	return m
}

// isSealed reports whether path is where sealed fields stand. The one regular expression of SOPS
// would match the name at any level.
func isSealed(path []string) bool {
	return len(path) == 2 && path[0] == "spec" && sealedName(path[1])
}

func sealedName(key string) bool { return key == "data" || key == "previous" }

// plain walks what is not sealed.
func (s *shape) plain(v any, path []string) error {
	switch v := v.(type) {
	case map[string]any:
		return s.mapping(v, path)
	case []any:
		for _, e := range v {
			if err := s.plain(e, path); err != nil {
				return err
			}
		}
		return nil
	case string:
		if err := s.text(v, path); err != nil {
			return err
		}
	}
	return s.leaf()
}

func (s *shape) mapping(m map[string]any, path []string) error {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if err := s.key(key, path); err != nil {
			return err
		}
		at := append(slices.Clip(path), key)
		var err error
		switch {
		case isSealed(at):
			err = s.sealed(m[key], at)
		case sealedName(key):
			err = refuse(s.file, "sops/structure", "%s: data and previous stand directly under spec only", where(at))
		default:
			err = s.plain(m[key], at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// key refuses keys by which two different paths would be one to SOPS, which joins them with colons.
func (s *shape) key(key string, path []string) error {
	switch {
	case len(path) >= maxLevels:
		return refuse(s.file, "sops/too-large", "it is nested deeper than %d levels", maxLevels)
	case key == "" || strings.Contains(key, ":"):
		return refuse(s.file, "sops/key", "a key below %s is empty or holds a colon: SOPS could not tell it from another path, rename it", where(path))
	}
	return nil
}

func (s *shape) leaf() error {
	if s.leaves++; s.leaves > maxLeaves {
		return refuse(s.file, "sops/too-large", "it holds more than %d values: split it", maxLeaves)
	}
	return nil
}

var addressLike = regexp.MustCompile(`[a-z0-9-]+(/[a-z0-9-]+){4}`)

// text looks at a value in the clear. The MAC does not tell where one value ends and the next
// begins: a text that held another address could be cut so that it becomes the file's.
func (s *shape) text(v string, path []string) error {
	switch {
	case strings.HasPrefix(v, "ENC["):
		return refuse(s.file, "sops/structure", "%s is sealed, but only data and previous may be", where(path))
	case slices.Equal(path, []string{"metadata", "address"}):
		return nil
	case strings.Count(v, "/") >= 4 && addressLike.MatchString(v):
		return refuse(s.file, "sops/structure", "%s holds an address: in a sealed file none but metadata.address may, say it otherwise", where(path))
	}
	return nil
}

// sealed walks what must be sealed: every leaf a ciphertext, and no list or mapping without one, since
// the MAC could not vouch for it.
func (s *shape) sealed(v any, path []string) error {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			return refuse(s.file, "sops/unsealed", "%s is empty, which SOPS cannot authenticate: leave it out", where(path))
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if err := s.key(key, path); err != nil {
				return err
			}
			if err := s.sealed(v[key], append(slices.Clip(path), key)); err != nil {
				return err
			}
		}
		return nil
	case []any:
		return s.list(v, path)
	}
	text, _ := v.(string)
	switch sealedType(text) {
	case "str", "int", "float", "bool":
		return s.leaf()
	case "":
		return refuse(s.file, "sops/unsealed", "%s is not sealed (an empty value never is): give it a value, seal it, and treat what stood there as disclosed", where(path))
	}
	return refuse(s.file, "sops/type", "%s is sealed as another type than str, int, float or bool: write it as a string and seal it again", where(path))
}

// list lets pass, besides values, the comments that SOPS leaves as elements of a sealed list.
func (s *shape) list(list []any, path []string) error {
	if len(path) >= maxLevels {
		return refuse(s.file, "sops/too-large", "it is nested deeper than %d levels", maxLevels)
	}
	values := 0
	for _, e := range list {
		if text, ok := e.(string); ok && sealedType(text) == "comment" {
			if err := s.leaf(); err != nil {
				return err
			}
			continue
		}
		values++
		// The level counts, although SOPS leaves no trace of it in the path.
		if inner, ok := e.([]any); ok {
			return refuse(s.file, "sops/structure", "%s holds a list of lists with %d elements: SOPS cannot tell it from a flat one", where(path), len(inner))
		}
		if err := s.sealed(e, path); err != nil {
			return err
		}
	}
	if values == 0 {
		return refuse(s.file, "sops/unsealed", "%s is empty, which SOPS cannot authenticate: leave it out", where(path))
	}
	return nil
}

// where names a path for people. Keys are not secret, but an odd one is not repeated at length.
func where(path []string) string {
	if len(path) == 0 {
		return "the document"
	}
	s := strings.Join(path, ".")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return s
}
