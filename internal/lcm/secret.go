package lcm

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret holds the opened data fields of one Secret document. It shows itself under fmt, slog and
// encoding only as [redacted]; Reveal is the one way to the values.
type Secret struct{ data map[string]any }

// NewSecret takes the data fields; the caller must not change the map afterwards.
func NewSecret(data map[string]any) Secret { return Secret{data} }

// Reveal returns the values. Whoever calls it answers for where they go.
func (s Secret) Reveal() map[string]any { return s.data }

// IsZero reports whether there is no secret at all.
func (s Secret) IsZero() bool { return s.data == nil }

func (Secret) String() string                { return redacted }
func (Secret) GoString() string              { return redacted }
func (Secret) LogValue() slog.Value          { return slog.StringValue(redacted) }
func (Secret) MarshalJSON() ([]byte, error)  { return []byte(`"` + redacted + `"`), nil }
func (Secret) MarshalText() ([]byte, error)  { return []byte(redacted), nil }
func (Secret) MarshalYAML() (any, error)     { return redacted, nil }
func (Secret) Format(f fmt.State, verb rune) { _, _ = io.WriteString(f, redacted) }
