package reconcile

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"

	"github.com/llm-config-manager/lcm/internal/canonjson"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// entry makes what is pushed of a resolved document: a Config's value, a Secret's data, else its spec.
func (r *Reconciler) entry(e *tree.Entry, s lcm.Secret, o origin) (plan.Entry, error) {
	value := any(e.Spec)
	switch e.Kind {
	case lcm.KindConfig:
		value = e.Spec["value"]
	case lcm.KindSecret:
		value = s.Reveal()
	}
	canonical, err := canonjson.Marshal(value)
	if err != nil {
		return plan.Entry{}, fmt.Errorf("%s: %w", e.Address, err)
	}
	fields, err := r.fields(e.Address, value)
	if err != nil {
		return plan.Entry{}, fmt.Errorf("%s: %w", e.Address, err)
	}
	return plan.Entry{Address: e.Address, Target: e.Target, Value: canonical, Fields: fields, Secret: e.Kind == lcm.KindSecret,
		Version: o.version, Commit: o.commit,
		Meta: store.Meta{ID: ID(r.Repository, e.Address), Kind: e.Kind, Origin: e.Origin.File, Classification: e.Metadata.Classification,
			Repository: r.Repository, Digest: r.digest(e, canonical)}}, nil
}

// ID names an entry for good: a UUIDv5 (RFC 9562) in the URL namespace, of lcm:<repository>/<address>.
func ID(repository string, a lcm.Address) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("lcm:"+repository+"/"+a.String())).String()
}

// digest is over the canonical JSON of {kind, value}. A secret's is keyed and bound to its address, so
// that nobody can guess its value or see that two addresses hold the same one.
func (r *Reconciler) digest(e *tree.Entry, canonical []byte) string {
	if e.Kind != lcm.KindSecret {
		return plainDigest(e.Kind, canonical)
	}
	return "hmac-sha256:" + hex.EncodeToString(r.keyed("digest", e.Address, "", digested(e.Kind, canonical)))
}

func plainDigest(kind lcm.Kind, canonical []byte) string {
	sum := sha256.Sum256(digested(kind, canonical))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func digested(kind lcm.Kind, canonical []byte) []byte {
	return fmt.Appendf(nil, `{"kind":%q,"value":%s}`, kind, canonical)
}

// fields fingerprints the top-level fields of a value, to tell later which of them changed.
func (r *Reconciler) fields(a lcm.Address, value any) (map[string]string, error) {
	m, ok := value.(map[string]any)
	if !ok {
		m = map[string]any{"value": value}
	}
	out := make(map[string]string, len(m))
	for name, v := range m {
		b, err := canonjson.Marshal(v)
		if err != nil {
			return nil, err
		}
		out[name] = base64.RawStdEncoding.EncodeToString(r.keyed("field", a, name, b)[:9])
	}
	return out, nil
}

func (r *Reconciler) keyed(use string, a lcm.Address, field string, body []byte) []byte {
	m := hmac.New(sha256.New, r.fingerprint)
	fmt.Fprintf(m, "%s\x00%s\x00%s\x00%d\x00", use, a, field, len(body))
	m.Write(body)
	return m.Sum(nil)
}
