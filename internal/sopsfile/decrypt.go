package sopsfile

import (
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"

	"github.com/getsops/sops/v3"
	"go.yaml.in/yaml/v3"
)

// decrypt opens all sealed values of a file whose shape was checked, and holds the MAC over the whole
// against the one in the envelope. It returns what was sealed, by name: data, and previous if there
// is one.
func decrypt(file string, data []byte, env *envelope, key []byte) (map[string]any, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil || len(doc.Content) != 1 {
		return nil, refuse(file, "sops/malformed", "SOPS cannot read this file: seal it anew")
	}
	w := &walk{key: key, cipher: newCipher(), mac: sha512.New(), opened: map[string]any{}}
	if err := w.plain(doc.Content[0], nil); err != nil {
		return nil, refuse(file, "sops/value", "%s: restore the file, or seal it anew", w.reason())
	}
	mac, err := w.cipher.Decrypt(env.mac, key, env.lastModified)
	want, ok := mac.(string)
	have := fmt.Sprintf("%X", w.mac.Sum(nil))
	if err != nil || !ok || subtle.ConstantTimeCompare([]byte(want), []byte(have)) != 1 {
		return nil, refuse(file, "sops/mac", "the MAC does not fit: the file was changed after it was sealed; restore it, or change it with sops edit")
	}
	if _, ok := w.opened["data"].(map[string]any); !ok {
		return nil, refuse(file, "sops/no-data", "spec.data must be a mapping of sealed fields")
	}
	return w.opened, nil
}

// walk goes through a document as the tree of SOPS does: every value in the order of the file,
// opened, goes into the hash; comments and keys do not. SOPS itself would compile encrypted_regex
// anew at each level of each value, log comments that it cannot open, and parse the file twice.
type walk struct {
	key    []byte
	cipher *cipher
	mac    hash.Hash
	opened map[string]any // by name: data, previous
}

func (w *walk) reason() string {
	if w.cipher.deny == "" {
		return "it holds something that SOPS does not"
	}
	return w.cipher.deny
}

var errUnknownNode = errors.New("not a mapping, a sequence or a scalar")

// plain walks what is not sealed, down to what is.
func (w *walk) plain(n *yaml.Node, path []string) (err error) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content) && err == nil; i += 2 {
			key := n.Content[i].Value
			at := append(path[:len(path):len(path)], key)
			switch {
			case len(path) == 0 && key == envelopeKey:
			case isSealed(at):
				w.opened[key], err = w.sealed(n.Content[i+1], "spec:"+key+":")
			default:
				err = w.plain(n.Content[i+1], at)
			}
		}
		return err
	case yaml.SequenceNode:
		for i := 0; i < len(n.Content) && err == nil; i++ {
			err = w.plain(n.Content[i], path)
		}
		return err
	case yaml.ScalarNode:
		var v any
		if err := n.Decode(&v); err != nil || v == nil {
			return err
		}
		return w.authenticate(v)
	}
	return errUnknownNode
}

// sealed opens what stands under data or previous. The path, as SOPS joins it, authenticates each value.
func (w *walk) sealed(n *yaml.Node, path string) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			v, err := w.sealed(n.Content[i+1], path+key+":")
			if err != nil {
				return nil, err
			}
			m[key] = v
		}
		return m, nil
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, e := range n.Content {
			v, err := w.sealed(e, path)
			if err != nil {
				return nil, err
			}
			if _, comment := v.(sops.Comment); !comment {
				list = append(list, v)
			}
		}
		return list, nil
	case yaml.ScalarNode:
		return w.value(n.Value, path)
	}
	return nil, errUnknownNode
}

func (w *walk) value(ciphertext, path string) (any, error) {
	v, err := w.cipher.Decrypt(ciphertext, w.key, path)
	if err != nil {
		return nil, err
	}
	if i, ok := v.(int); ok {
		return int64(i), w.authenticate(i)
	}
	return v, w.authenticate(v)
}

// authenticate adds a value to the hash, as SOPS writes it.
func (w *walk) authenticate(v any) error {
	if _, comment := v.(sops.Comment); comment {
		return nil
	}
	b, err := sops.ToBytes(v)
	w.mac.Write(b)
	return err
}
