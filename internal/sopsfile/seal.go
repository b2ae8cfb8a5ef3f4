package sopsfile

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/getsops/sops/v3"
	sopsage "github.com/getsops/sops/v3/age"
	"github.com/getsops/sops/v3/config"
	"github.com/getsops/sops/v3/stores/yaml"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// formatVersion is the version of SOPS that the format follows.
const formatVersion = "3.13.3"

// Seal makes the sealed file of a Secret to stand at the path file: plain is the whole document, its
// values string, bool, int, int64, float64, []any and map[string]any. metadata.address is filled in.
// Everything but spec.data and spec.previous stays readable; the layout depends on plain alone. What
// Seal returns opens with Open, and with SOPS itself.
func Seal(file string, plain map[string]any, recipients []string) ([]byte, error) {
	key := make([]byte, dataKeyBytes)
	rand.Read(key) // never fails, since Go 1.24
	group, err := wrap(file, key, recipients)
	if err != nil {
		return nil, err
	}
	return seal(file, plain, group, key, time.Now())
}

// wrap makes a key group with the data key wrapped for each recipient.
func wrap(file string, key []byte, recipients []string) (sops.KeyGroup, error) {
	if len(recipients) == 0 || len(recipients) > maxRecipients {
		return nil, refuse(file, "sops/recipients", "a Secret is sealed to 1 to %d recipients", maxRecipients)
	}
	recipients = slices.Sorted(slices.Values(recipients))
	if len(slices.Compact(slices.Clone(recipients))) != len(recipients) {
		return nil, refuse(file, "sops/recipients", "a recipient is named twice")
	}
	var group sops.KeyGroup
	for _, r := range recipients {
		if err := checkRecipient(r); err != nil {
			return nil, refuse(file, "sops/recipients", "%v", err)
		}
		k := &sopsage.MasterKey{Recipient: r}
		if err := k.Encrypt(key); err != nil {
			return nil, refuse(file, "sops/recipients", "the data key cannot be wrapped for %s", r)
		}
		group = append(group, k)
	}
	return group, nil
}

// seal seals with a given data key, and opens the outcome again before it is given away.
func seal(file string, plain map[string]any, group sops.KeyGroup, key []byte, now time.Time) ([]byte, error) {
	branch, err := layout(file, plain)
	if err != nil {
		return nil, err
	}
	t := sops.Tree{Branches: sops.TreeBranches{branch}, Metadata: sops.Metadata{
		KeyGroups: []sops.KeyGroup{group}, EncryptedRegex: encryptedRegex, Version: formatVersion,
		LastModified: now.UTC().Truncate(time.Second),
	}}
	c := newCipher()
	sum, err := t.Encrypt(key, c)
	if err != nil {
		return nil, refuse(file, "sops/value", "a value cannot be sealed: use strings, numbers, booleans, lists and mappings")
	}
	t.Metadata.MessageAuthenticationCode, err = c.Encrypt(sum, key, t.Metadata.LastModified.Format(time.RFC3339))
	if err != nil {
		return nil, refuse(file, "sops/mac", "the MAC cannot be sealed")
	}
	out, err := newStore().EmitEncryptedFile(t)
	if err != nil {
		return nil, refuse(file, "sops/malformed", "the sealed file cannot be written")
	}
	check := &Opener{newKeyring("")}
	for _, k := range group {
		check.keys.put(sha256.Sum256(k.EncryptedDataKey()), key)
	}
	if _, err := check.open(file, out); err != nil {
		return nil, err
	}
	return out, nil
}

func newStore() *yaml.Store { return yaml.NewStore(&config.YAMLStoreConfig{Indent: 2}) }

// layout orders a document: the usual fields in their usual order, then all others by name.
func layout(file string, plain map[string]any) (sops.TreeBranch, error) {
	address, err := addressOf(file)
	if err != nil {
		return nil, err
	}
	doc := maps.Clone(plain)
	if _, ok := doc[envelopeKey]; ok {
		return nil, refuse(file, "sops/structure", "it is sealed already")
	}
	meta, ok := doc["metadata"].(map[string]any)
	if !ok && doc["metadata"] != nil {
		return nil, refuse(file, "sops/address", "metadata must be a mapping")
	}
	meta = maps.Clone(meta)
	if meta == nil {
		meta = map[string]any{}
	}
	if given, ok := meta["address"]; ok && given != address.String() {
		return nil, refuse(file, "sops/address", "metadata.address must be %s, the file's own", address)
	}
	meta["address"] = address.String()
	doc["metadata"] = meta
	if doc["apiVersion"] == nil {
		doc["apiVersion"] = lcm.APIVersion
	}
	b, err := ordered(doc, 0)
	if err != nil {
		return nil, refuse(file, "sops/value", "%v", err)
	}
	return b, nil
}

// usual is the order in which people read a document.
var usual = [...]string{"apiVersion", "kind", "metadata", "address", "description", "spec", "type", "rotation", "expires_at", "data", "previous"}

func rank(key string) int {
	if i := slices.Index(usual[:], key); i >= 0 {
		return i
	}
	return slices.Index(usual[:], "spec")
}

func ordered(m map[string]any, depth int) (sops.TreeBranch, error) {
	if depth > maxLevels {
		return nil, errors.New("it is nested too deep")
	}
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	b := make(sops.TreeBranch, 0, len(m))
	for _, k := range keys {
		v, err := node(m[k], depth)
		if err != nil {
			return nil, err
		}
		b = append(b, sops.TreeItem{Key: k, Value: v})
	}
	return b, nil
}

// node turns a value into what SOPS knows. Errors name the type, never the value.
func node(v any, depth int) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		return ordered(v, depth+1)
	case []any:
		list := make([]any, 0, len(v))
		for _, e := range v {
			n, err := node(e, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, n)
		}
		return list, nil
	case int64:
		return int(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("a number must be finite")
		}
		return v, nil
	case string, bool, int:
		return v, nil
	}
	return nil, errors.New("values must be strings, numbers, booleans, lists and mappings")
}
