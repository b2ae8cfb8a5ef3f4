package etcd

import (
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// keys is the prefix. It knows where everything is. No key of an address begins with a dot or holds a slash,
// so what is below .lcm/ is never an address, and sorts before all that are.
type keys string

const (
	ownFolder  = ".lcm/"
	metaFolder = ownFolder + "meta/"
	markerName = ownFolder + "revision"
)

func (k keys) namespace(ns lcm.Namespace) string         { return string(k) + ns.String() + "/" }
func (k keys) value(ns lcm.Namespace, key string) string { return k.namespace(ns) + key }
func (k keys) mark(ns lcm.Namespace, key string) string  { return k.namespace(ns) + metaFolder + key }
func (k keys) marker(ns lcm.Namespace) string            { return k.namespace(ns) + markerName }

// span is all keys from the first up to, and without, the end.
type span struct{ from, end string }

// below is all keys that begin with a folder, which ends with a slash: 0 is what follows it.
func below(folder string) span { return span{folder, strings.TrimSuffix(folder, "/") + "0"} }

// values is where the values of a namespace are: names begin with a letter or a digit.
func (k keys) values(ns lcm.Namespace) span {
	return span{k.namespace(ns) + "0", k.namespace(ns) + "{"}
}

func (k keys) marks(ns lcm.Namespace) span { return below(k.namespace(ns) + metaFolder) }

// after is the rest of a span behind one key.
func (s span) after(key string) span { return span{key + "\x00", s.end} }
