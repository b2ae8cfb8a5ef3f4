package trust

import (
	"time"

	"filippo.io/edwards25519/field"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// ahead is whose the signatures of the next commits are, as far as one inversion for all of them told. It says of
// some that they hold; whatever it does not know is looked at when its step is judged.
type ahead struct {
	policy *Policy
	keys   map[*gitrepo.Commit]*Key
}

// maxAhead is how many steps are looked ahead. With a side branch of one commit each, what is read for them stays among
// the commits that are kept.
const maxAhead = 128

// lookAhead verifies the signatures of steps, and of what they merge, by a policy.
func (w *walk) lookAhead(t *Policy, steps []lcm.Revision) {
	var all []unproven
	for _, r := range steps {
		c, err := w.commit(r)
		if err != nil {
			continue
		}
		all = t.keys.unproven(all, c)
		if len(c.Parents) > 1 {
			if side, err := w.commit(c.Parents[1]); err == nil {
				all = t.keys.unproven(all, side)
			}
		}
	}
	w.ahead = ahead{t, proven(all)}
}

// signer returns the key that made the one signature of a commit.
func (w *walk) signer(t *Policy, c *gitrepo.Commit, at time.Time) (*Key, *signatureError) {
	key := w.ahead.keys[c]
	if key == nil || w.ahead.policy != t {
		return t.keys.verify(c.Signature, c.Payload, at)
	}
	t.keys.checked.Add(1)
	if bad := key.validAt(at); bad != nil {
		return nil, bad
	}
	return key, nil
}

// unproven is a commit that a key signed if its signature begins with the encoding of a point.
type unproven struct {
	commit *gitrepo.Commit
	key    *Key
	point  *extended
	begins []byte
}

// unproven adds a commit whose signature only has to be compared, once it is known to be one by a key that signs often:
// all else that verify demands was seen to.
func (r keyring) unproven(to []unproven, c *gitrepo.Commit) []unproven {
	if oneSignature(c.Signature) != nil {
		return to
	}
	sig, bad := readSSHSig(commitNamespace, c.Signature)
	if bad != nil {
		return to
	}
	key := r.ssh[string(sig.publicKey)]
	if key == nil {
		return to
	}
	ed, ok := key.ssh.(*edKey)
	if !ok {
		return to
	}
	message, bad := sig.signed(ed, c.Payload)
	if bad != nil {
		return to
	}
	if point, ok := ed.commitment(message, sig.signature.Blob); ok {
		to = append(to, unproven{c, key, point, sig.signature.Blob[:32]})
	}
	return to
}

// proven returns the commits whose signatures hold, and the keys that made them.
func proven(all []unproven) map[*gitrepo.Commit]*Key {
	z := make([]field.Element, len(all))
	for i, u := range all {
		z[i].Set(&u.point.z)
	}
	keys := make(map[*gitrepo.Commit]*Key, len(all))
	for i, inverse := range inverses(z) {
		if encoded := all[i].point.bytes(&inverse); string(encoded[:]) == string(all[i].begins) {
			keys[all[i].commit] = all[i].key
		}
	}
	return keys
}
