package tree

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const (
	metadataRule = "document/metadata"
	mergeReplace = "replace"
	mergeDeep    = "deep"
)

func index(i int) string { return strconv.Itoa(i) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// defaultMetadata is what holds where a document says nothing.
func defaultMetadata(kind lcm.Kind) Metadata {
	m := Metadata{Classification: lcm.Internal, Merge: mergeReplace, Inheritable: true}
	if kind == lcm.KindSecret {
		m.Classification, m.Inheritable = lcm.Restricted, false
	}
	return m
}

// metadata reads the metadata of a document. The kind is empty if it has a finding of its own.
func (f *form) metadata(doc map[string]any, kind lcm.Kind) Metadata {
	out := defaultMetadata(kind)
	v, ok := doc["metadata"]
	if !ok {
		return out
	}
	path := []string{"metadata"}
	m, ok := v.(map[string]any)
	if !ok {
		f.at(path, metadataRule, "metadata must be a mapping")
		return out
	}
	f.only(m, path, "document/unknown-field", "description", "classification", "owner", "labels", "merge", "inheritable",
		"address", "sharedWith", "audience")
	for _, name := range sortedKeys(m) {
		f.metadataField(&out, name, m[name], join(path, name), kind)
	}
	return out
}

func (f *form) metadataField(out *Metadata, name string, v any, at []string, kind lcm.Kind) {
	switch name {
	case "description":
		out.Description = f.text(v, at)
	case "owner":
		out.Owner = f.text(v, at)
	case "classification":
		out.Classification = f.classification(v, at, out.Classification)
	case "labels":
		out.Labels = f.labels(v, at)
	case "merge":
		out.Merge = f.merge(v, at, kind)
	case "inheritable":
		b, ok := v.(bool)
		if out.Inheritable = b; !ok {
			f.at(at, metadataRule, "%s must be true or false", name)
		}
	case "address", "sharedWith", "audience":
		if kind != lcm.KindSecret && kind != "" {
			f.atKey(at, metadataRule, "only a Secret has %s", name)
			return
		}
		f.secretField(out, name, v, at)
	}
}

func (f *form) secretField(out *Metadata, name string, v any, at []string) {
	switch name {
	case "address":
		out.Address = f.text(v, at)
	case "sharedWith":
		out.SharedWith = f.texts(v, at, func(s string) string {
			if _, ok := parseService(s); !ok {
				return "sharedWith names services as org/project/service"
			}
			return ""
		})
	case "audience":
		out.Audience = f.texts(v, at, func(s string) string {
			if s == "" {
				return "audience names hosts"
			}
			return ""
		})
	}
}

func (f *form) text(v any, at []string) string {
	s, ok := v.(string)
	if !ok {
		f.at(at, metadataRule, "%s must be a string", at[len(at)-1])
	}
	return s
}

func (f *form) classification(v any, at []string, otherwise lcm.Classification) lcm.Classification {
	s, _ := v.(string)
	if c := lcm.Classification(s); c.Valid() {
		return c
	}
	f.at(at, metadataRule, "the classification must be public, internal, confidential or restricted")
	return otherwise
}

func (f *form) labels(v any, at []string) map[string]string {
	m, ok := v.(map[string]any)
	if !ok {
		f.at(at, metadataRule, "labels must be a mapping of strings")
		return nil
	}
	out := map[string]string{}
	for _, k := range sortedKeys(m) {
		s, ok := m[k].(string)
		if !ok {
			f.at(join(at, k), metadataRule, "a label must be a string: quote it")
		}
		out[k] = s
	}
	return out
}

// merge refuses what no environment could make sense of, so that it is found at the document.
func (f *form) merge(v any, at []string, kind lcm.Kind) string {
	switch {
	case v == mergeDeep && (kind == lcm.KindSecret || kind == lcm.KindTombstone):
		f.at(at, "merge/forbidden", "a %s is never merged: remove merge, or write replace", kind)
	case v == mergeDeep:
		return mergeDeep
	case v != mergeReplace:
		f.at(at, metadataRule, "merge must be replace or deep")
	}
	return mergeReplace
}

// texts reads a list of strings; wrong says what is wrong with one of them, or nothing.
func (f *form) texts(v any, at []string, wrong func(string) string) []string {
	list, ok := v.([]any)
	if !ok {
		f.at(at, metadataRule, "%s must be a list of strings", at[len(at)-1])
		return nil
	}
	var out []string
	for i, e := range list {
		s, ok := e.(string)
		if !ok {
			f.at(join(at, index(i)), metadataRule, "%s must hold strings only", at[len(at)-1])
		} else if msg := wrong(s); msg != "" {
			f.at(join(at, index(i)), metadataRule, "%s", msg)
		}
		out = append(out, s)
	}
	return out
}

func parseService(s string) (lcm.Service, bool) {
	p := strings.Split(s, "/")
	if len(p) != 3 || !lcm.ValidName(p[0]) || !lcm.ValidName(p[1]) || !lcm.ValidName(p[2]) || lcm.Reserved(p[0]) {
		return lcm.Service{}, false
	}
	return lcm.Service{Org: p[0], Project: p[1], Name: p[2]}, true
}
