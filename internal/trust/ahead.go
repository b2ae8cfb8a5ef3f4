package trust

import (
	"bytes"
	"slices"
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

// unproven is a commit that a key of ours is said to have signed.
type unproven struct {
	commit             *gitrepo.Commit
	key                *Key
	ed                 *edKey
	message, signature []byte
}

// unproven adds a commit of whose signature only the equation is still to be looked at: all else that verify demands
// was seen to.
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
	return append(to, unproven{c, key, ed, message, sig.signature.Blob})
}

// proven returns the commits whose signatures hold, and the keys that made them, where these sign so much that they
// have tables. Key by key, the tables in use are in a cache that is near.
func proven(all []unproven) map[*gitrepo.Commit]*Key {
	slices.SortStableFunc(all, func(a, b unproven) int { return bytes.Compare(a.ed.public, b.ed.public) })
	points := make([]*extended, len(all))
	var z []field.Element
	for i, u := range all {
		if r, ok := u.ed.commitment(u.message, u.signature); ok {
			points[i], z = r, append(z, r.z)
		}
	}
	z = inverses(z)
	keys := make(map[*gitrepo.Commit]*Key, len(z))
	for i, u := range all {
		if points[i] == nil {
			continue
		}
		if encoded := points[i].bytes(&z[0]); bytes.HasPrefix(u.signature, encoded[:]) {
			keys[u.commit] = u.key
		}
		z = z[1:]
	}
	return keys
}
