package trust

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// webFlow is a forge's key as GitHub has one: RSA, made once for all tests since that takes long.
var webFlow = sync.OnceValues(func() (*openpgp.Entity, error) {
	return openpgp.NewEntity("GitHub", "", "noreply@github.com", pgpConfig(born, func(c *packet.Config) { c.Algorithm, c.RSABits = packet.PubKeyAlgoRSA, 3072 }))
})

// forgeSigner signs as GitHub does: with SHA-256, and of the key nothing but its id of 64 bits (RFC 9580,
// section 5.2.3).
func forgeSigner(t *testing.T) gitrepo.Signer {
	t.Helper()
	return shortSigner(t, must(webFlow()))
}

func shortSigner(t *testing.T, e *openpgp.Entity) gitrepo.Signer {
	return func(payload []byte) ([]byte, error) {
		hashed := []byte{4, byte(packet.SigTypeBinary), byte(packet.PubKeyAlgoRSA), 8 /* SHA-256 */, 0, 16, 5, 2}
		hashed = binary.BigEndian.AppendUint32(hashed, uint32(now.Unix()))
		hashed = binary.BigEndian.AppendUint64(append(hashed, 9, 16), e.PrimaryKey.KeyId)
		h := sha256.New()
		h.Write(payload)
		h.Write(hashed)
		h.Write(binary.BigEndian.AppendUint32([]byte{4, 0xff}, uint32(len(hashed))))
		digest := h.Sum(nil)
		signature, err := rsa.SignPKCS1v15(nil, e.PrivateKey.PrivateKey.(*rsa.PrivateKey), crypto.SHA256, digest)
		if err != nil {
			return nil, err
		}
		body := append(hashed, 0, 0, digest[0], digest[1])
		number := new(big.Int).SetBytes(signature)
		body = append(binary.BigEndian.AppendUint16(body, uint16(number.BitLen())), number.Bytes()...)
		header := binary.BigEndian.AppendUint32([]byte{0xc2, 0xff}, uint32(len(body)))
		return []byte(armored(t, "PGP SIGNATURE", func(b *bytes.Buffer) error { b.Write(header); b.Write(body); return nil })), nil
	}
}

// hosted is the design's policy on a forge: dev and dave have accounts there, carol too.
func hosted(t *testing.T) policy {
	t.Helper()
	p := design()
	p.tail = fmt.Sprintf("forges: {github: {key: %q, merges: recomputed, reviews: counted}}\n", publicBlock(t, must(webFlow())))
	for _, who := range []string{"alice", "carol", "dave", "bob"} {
		p.people[who] += fmt.Sprintf(", logins: {github: %s-at-acme}", strings.ToUpper(who))
	}
	return p
}

// forge commits as the forge would when somebody presses a button there.
func (w *world) forge(f files, parents ...lcm.Revision) lcm.Revision {
	w.t.Helper()
	return w.commitBy(forgeSigner(w.t), f, parents...)
}

// pullRequest makes known which heads of pull requests a commit may squash.
func (w *world) pullRequest(heads ...lcm.Revision) {
	w.cfg.Squashed = func(context.Context, *gitrepo.Commit) ([]lcm.Revision, error) { return heads, nil }
}

func (w *world) reviews(all ...Review) {
	w.cfg.Reviews = func(context.Context, *gitrepo.Commit) ([]Review, error) { return all, nil }
}

func TestForgeMerge(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(hosted(t), files{dev: config("1"), prod: config("1")})
	branch := w.commit("dev", files{dev: config("2")}, root)
	main := w.commit("bob", files{dev2: config("1")}, root)
	merge := w.forge(files{dev: config("2")}, main, branch)
	s := w.accepts(root, merge).Steps()[1]
	if s.Forge != "github" || s.Signer != "" || s.Adopted || !slices.Equal(s.Approvers, []string{"dev"}) {
		t.Errorf("%+v", s)
	}
	if s.Accepts(dev) {
		t.Error("nobody signed what the forge wrote into the message")
	}
	// The forge consents to nothing, so production lacks one.
	one := w.commit("bob", files{prod: config("2")}, merge)
	made := w.forge(files{prod: config("2")}, merge, one)
	r := w.refuses(merge, made, "trust/approvals")
	if !strings.Contains(r.Reason, "bob's counts") {
		t.Error(r)
	}
	w.approve("alice", merge, one)
	if s := w.accepts(merge, made).Steps()[0]; !slices.Equal(s.Approvers, []string{"alice", "bob"}) {
		t.Errorf("%+v", s)
	}
}

// A branch that was brought up to date by the forge ('Update branch') carries a merge of the forge's.
func TestForgeUpdatesBranch(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(hosted(t), files{dev: config("1")})
	branch := w.commit("dev", files{dev: config("2")}, root)
	main := w.commit("bob", files{dev2: config("1")}, root)
	updated := w.forge(files{dev2: config("1")}, branch, main)
	more := w.commit("dev", files{dev: config("3")}, updated)
	w.accepts(root, w.commit("bob", files{dev: config("3")}, main, more))
	w.accepts(root, w.forge(files{dev: config("3")}, main, more))
	smuggled := w.forge(files{dev2: config("1"), dev: config("evil")}, branch, main)
	r := w.refuses(root, w.forge(files{dev: config("evil")}, main, smuggled), "trust/forge-merge")
	if r.Commit != smuggled || !strings.Contains(r.Reason, dev) {
		t.Error(r)
	}
}

func TestForgeSquash(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(hosted(t), files{prod: config("1"), dev: config("1")})
	first := w.commit("bob", files{prod: config("2")}, root)
	head := w.commit("dev", files{dev: config("2")}, first)
	squash := w.forge(files{prod: config("2"), dev: config("2")}, root)
	w.refuses(root, squash, "trust/forge-commit") // nobody knows of a pull request
	w.pullRequest(first)
	w.refuses(root, squash, "trust/forge-commit") // that one gives another tree
	w.pullRequest(first, head)
	r := w.refuses(root, squash, "trust/approvals")
	if r.Path != prod || !strings.Contains(r.Reason, "bob's counts") {
		t.Error(r)
	}
	w.approve("alice", root, head)
	s := w.accepts(root, squash).Steps()[0]
	if s.Squashed != head || s.Forge != "github" || !slices.Equal(s.Approvers, []string{"alice", "bob", "dev"}) {
		t.Errorf("%+v", s)
	}
	// Main moved on meanwhile: the squash is that of the merge into what main is.
	main := w.commit("bob", files{dev2: config("1")}, root)
	moved := w.forge(files{prod: config("2"), dev: config("2")}, main)
	w.accepts(root, moved)
}

func TestForgeSquashOfStrangers(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(hosted(t), nil)
	unsigned := w.commit("", files{dev: config("2")}, root)
	squash := w.forge(files{dev: config("2")}, root)
	w.pullRequest(unsigned)
	if r := w.refuses(root, squash, "trust/unsigned"); r.Commit != unsigned {
		t.Error(r)
	}
	w.pullRequest(w.commit("mallory", files{dev: config("2")}, root))
	w.refuses(root, squash, "trust/unknown-key")
	// One that was merged long ago brings in nothing that anybody signed.
	w.pullRequest(root)
	w.refuses(root, w.forge(nil, root), "trust/forge-commit")
}

func TestForgeRefused(t *testing.T) {
	suggestion := func(w *world) (root, head lcm.Revision) {
		root = w.introduce(hosted(w.t), nil)
		side := w.forge(files{dev: config("2")}, w.commit("dev", files{dev: config("1")}, root))
		return root, w.commit("bob", files{dev: config("2")}, root, side)
	}
	for name, c := range map[string]struct {
		rule string
		make func(*world) (root, head lcm.Revision)
	}{
		"a suggestion committed in the browser": {"trust/forge-commit", suggestion},
		"an edit of main in the browser": {"trust/forge-commit", func(w *world) (root, head lcm.Revision) {
			root = w.introduce(hosted(w.t), nil)
			return root, w.forge(files{dev: config("1")}, root)
		}},
		"a conflict resolved in the browser": {"trust/forge-merge", func(w *world) (root, head lcm.Revision) {
			root = w.introduce(hosted(w.t), files{dev: config("1")})
			main, side := w.commit("dev", files{dev: config("2")}, root), w.commit("bob", files{dev: config("3")}, root)
			return root, w.forge(files{dev: config("3")}, main, side)
		}},
		"a merge with something of its own": {"trust/forge-merge", func(w *world) (root, head lcm.Revision) {
			root = w.introduce(hosted(w.t), nil)
			return root, w.forge(files{dev: config("1"), dev2: config("2")}, root, w.commit("dev", files{dev: config("1")}, root))
		}},
		"a merge that leaves something out": {"trust/forge-merge", func(w *world) (root, head lcm.Revision) {
			root = w.introduce(hosted(w.t), nil)
			return root, w.forge(files{dev: config("1")}, root, w.commit("dev", files{dev: config("1"), dev2: config("2")}, root))
		}},
		"several merge bases": {"trust/forge-merge", func(w *world) (root, head lcm.Revision) {
			root = w.introduce(hosted(w.t), nil)
			a, b := w.commit("dev", files{dev: config("1")}, root), w.commit("bob", files{dev2: config("1")}, root)
			one := w.commit("dev", files{dev2: config("1")}, a, b)
			two := w.commit("bob", files{dev: config("1")}, b, a)
			return root, w.forge(files{}, one, w.commit("bob", files{dev2: config("1")}, two))
		}},
		"an octopus": {"trust/forge-commit", func(w *world) (root, head lcm.Revision) {
			root = w.introduce(hosted(w.t), nil)
			a, b := w.commit("dev", files{dev: config("1")}, root), w.commit("bob", files{dev2: config("1")}, root)
			return root, w.forge(files{dev: config("1"), dev2: config("1")}, root, a, b)
		}},
		"a forge that the policy lets count for nothing": {"trust/forge-commit", func(w *world) (root, head lcm.Revision) {
			p := hosted(w.t)
			p.tail = strings.Replace(p.tail, "merges: recomputed, ", "", 1)
			root = w.introduce(p, nil)
			return root, w.forge(files{dev: config("1")}, root, w.commit("dev", files{dev: config("1")}, root))
		}},
		"a forge that the policy does not know": {"trust/unknown-key", func(w *world) (root, head lcm.Revision) {
			root = w.introduce(design(), nil)
			return root, w.forge(files{dev: config("1")}, root, w.commit("dev", files{dev: config("1")}, root))
		}},
		"a rebase, which bears no signature": {"trust/unsigned", func(w *world) (root, head lcm.Revision) {
			root = w.introduce(hosted(w.t), nil)
			return root, w.commit("", files{dev: config("1")}, w.commit("bob", files{dev2: config("1")}, root))
		}},
		"parents whose order the forge changed": {"trust/rewritten", func(w *world) (root, head lcm.Revision) {
			root = w.introduce(hosted(w.t), nil)
			w.cfg.Introduction = root
			main := w.commit("bob", files{dev2: config("1")}, root)
			side := w.commit("dev", files{dev: config("1")}, root)
			return main, w.forge(files{dev2: config("1")}, side, main)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			root, head := c.make(w)
			r := w.refuses(root, head, c.rule)
			if !adoptable(c.rule) {
				return
			}
			first := root
			for chain := []lcm.Revision{head}; ; { // the step that is refused: the first of the chain
				commit := must(w.repo.Commit(chain[0]))
				if first = commit.Parents[0]; first == root || r.Commit == chain[0] || slices.Contains(commit.Parents[1:], r.Commit) {
					head = chain[0]
					break
				}
				chain[0] = first
			}
			w.adopt("alice", first, head)
			w.refuses(root, head, c.rule)
			w.adopt("carol", first, head)
			if s := lastStep(w.accepts(root, head)); !s.Adopted {
				t.Errorf("%+v", s)
			}
		})
	}
}

func lastStep(v Verified) Step { return v.Steps()[len(v.Steps())-1] }

// The forge is nobody: it approves nothing, adopts nothing, and no principal can have its key.
func TestForgeIsNobody(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(hosted(t), files{prod: config("1")})
	side := w.commit("bob", files{prod: config("2")}, root)
	merge := w.commit("dave", files{prod: config("2")}, root, w.commit("", files{dev: config("1")}, root))
	a := w.approval(root, side)
	for _, adopt := range []bool{false, true} {
		a.Adopt = adopt
		document := w.signs(forgeSigner(t), a)
		if _, who, err := must(w.repoPolicy(root)).Approver(document, now); err == nil || who != nil {
			t.Errorf("the forge approves as %v", who)
		}
		w.pushes("github", side, document)
	}
	w.refuses(root, merge, "trust/unsigned")
	w.refuses(root, w.forge(files{prod: config("2")}, root, side), "trust/approvals")

	p := hosted(t)
	p.people["mallory"] = person("global-admin", pgpEntry(publicBlock(t, must(webFlow()))))
	if policy, findings := ParsePolicy(policyFile, []byte(p.String())); policy != nil || findings[0].Rule != "trust/duplicate-key" {
		t.Errorf("%v", findings)
	}
	p = hosted(t)
	p.people["mallory"] = person("global-admin", sshEntry("mallory")) + ", logins: {github: alice-at-ACME}"
	if policy, findings := ParsePolicy(policyFile, []byte(p.String())); policy != nil || findings[0].Rule != "trust/duplicate-login" {
		t.Errorf("%v", findings)
	}
}

func (w *world) repoPolicy(r lcm.Revision) (*Policy, error) {
	p, _ := LoadPolicy(must(w.repo.Tree(r)))
	if p == nil {
		return nil, errors.New("no policy")
	}
	return p, nil
}

func TestReviews(t *testing.T) {
	review := func(who string, of lcm.Revision) Review { return Review{"github", who + "-at-acme", of, now} }
	for name, c := range map[string]struct {
		make func(w *world, root, side, merge lcm.Revision)
		want string
	}{
		"beside a signature": {func(w *world, _, side, _ lcm.Revision) { w.reviews(review("dave", side)) }, ""},
		"an account's case":  {func(w *world, _, side, _ lcm.Revision) { w.reviews(Review{"github", "DAVE-at-Acme", side, now}) }, ""},
		"none":               {func(w *world, _, side, _ lcm.Revision) { w.reviews() }, "trust/approvals"},
		"an author's own":    {func(w *world, _, side, _ lcm.Revision) { w.reviews(review("bob", side)) }, "trust/approvals"},
		"a stranger's":       {func(w *world, _, side, _ lcm.Revision) { w.reviews(review("mallory", side)) }, "trust/approvals"},
		"without the role":   {func(w *world, _, side, _ lcm.Revision) { w.reviews(Review{"github", "dev", side, now}) }, "trust/approvals"},
		"at another forge":   {func(w *world, _, side, _ lcm.Revision) { w.reviews(Review{"gitlab", "dave-at-acme", side, now}) }, "trust/approvals"},
		"of another commit": {func(w *world, root, _, _ lcm.Revision) {
			w.reviews(review("dave", w.commit("bob", files{prod: config("2")}, root)))
		}, "trust/approvals"},
		"of the merge itself": {func(w *world, _, _, merge lcm.Revision) { w.reviews(review("dave", merge)) }, "trust/approvals"},
		"of an earlier commit of the branch": {func(w *world, _, side, _ lcm.Revision) {
			w.reviews(review("dave", must(w.repo.Commit(side)).Parents[0]))
		}, "trust/approvals"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			root := w.introduce(hosted(t), files{prod: config("1")})
			side := w.commit("bob", files{prod: config("2")}, w.commit("bob", files{prod: config("3")}, root))
			merge := w.forge(files{prod: config("2")}, root, side)
			c.make(w, root, side, merge)
			if c.want != "" {
				w.refuses(root, merge, c.want)
				return
			}
			s := w.accepts(root, merge).Steps()[0]
			if !slices.Equal(s.Approvers, []string{"bob", "dave"}) || !slices.Equal(s.Reviewers, []string{"dave"}) || s.Accepts(prod) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// A review never counts alone, nor for settings, nor where signed consent is asked for, nor once the branch
// went on.
func TestReviewsAreTheForgesWord(t *testing.T) {
	review := func(who string, of lcm.Revision) Review { return Review{"github", who + "-at-acme", of, now} }
	t.Run("never alone", func(t *testing.T) {
		w := newWorld(t)
		root := w.introduce(hosted(t), files{prod: config("1")})
		side := w.commit("dev", files{prod: config("2")}, root) // dev has no say in production
		merge := w.forge(files{prod: config("2")}, root, side)
		w.reviews(review("dave", side), review("alice", side), review("carol", side))
		w.refuses(root, merge, "trust/approvals")
	})
	t.Run("never for settings", func(t *testing.T) {
		w := newWorld(t)
		root := w.introduce(hosted(t), nil)
		side := w.commit("alice", files{".lcm/trust.yaml": hosted(t).next().String()}, root)
		w.reviews(review("carol", side))
		w.refuses(root, w.forge(files{".lcm/trust.yaml": hosted(t).next().String()}, root, side), "trust/approvals")
	})
	t.Run("not as signed consent", func(t *testing.T) {
		w := newWorld(t)
		p := hosted(t)
		p.rules[2] = strings.Replace(p.rules[2], "approvals: 2,", "approvals: 2, consent: signed,", 1)
		root := w.introduce(p, files{prod: config("1")})
		side := w.commit("dev", files{prod: config("2")}, root)
		w.reviews(review("dave", side))
		w.refuses(root, w.commit("bob", files{prod: config("2")}, root, side), "trust/approvals")
	})
	t.Run("not where the policy does not say so", func(t *testing.T) {
		w := newWorld(t)
		p := hosted(t)
		p.tail = strings.Replace(p.tail, ", reviews: counted", "", 1)
		root := w.introduce(p, files{prod: config("1")})
		side := w.commit("bob", files{prod: config("2")}, root)
		w.reviews(review("dave", side))
		w.refuses(root, w.forge(files{prod: config("2")}, root, side), "trust/approvals")
	})
	t.Run("spent once the branch changed the path", func(t *testing.T) {
		w := newWorld(t)
		p := hosted(t)
		p.rules[2] = strings.Replace(p.rules[2], "rollbackApprovals: 1, ", "", 1)
		root := w.introduce(p, files{prod: config("1")})
		side := w.commit("bob", files{prod: config("2")}, root)
		w.reviews(review("dave", side))
		merge := w.forge(files{prod: config("2")}, root, side)
		back := w.commit("dave", files{dev: config("0")}, w.forge(files{prod: config("1")}, merge, w.commit("alice", files{prod: config("1")}, merge)))
		w.reviews(review("dave", side), review("dave", must(w.repo.Commit(must(w.repo.Commit(back)).Parents[0])).Parents[1]))
		w.accepts(root, back)
		again := w.commit("bob", files{dev: config("1")}, side)
		w.reviews(review("dave", side), review("dave", again))
		w.refuses(back, w.commit("bob", files{prod: config("2"), dev: config("1")}, back, again), "trust/approvals")
	})
	t.Run("of a stale branch", func(t *testing.T) {
		w := newWorld(t)
		root := w.introduce(hosted(t), files{prod: config("1")})
		w.cfg.AcceptedAt = func(lcm.Revision) (time.Time, bool) { return now.Add(-31 * 24 * time.Hour), true }
		side := w.commit("dev", files{prod: config("2")}, root)
		w.reviews(review("dave", side))
		w.refuses(root, w.commit("bob", files{prod: config("2")}, root, side), "trust/approvals")
		w.cfg.AcceptedAt = func(lcm.Revision) (time.Time, bool) { return now.Add(-29 * 24 * time.Hour), true }
		w.accepts(root, w.commit("bob", files{prod: config("2")}, root, side))
	})
	t.Run("the forge that can't be asked stops what hangs on it", func(t *testing.T) {
		w := newWorld(t)
		root := w.introduce(hosted(t), files{prod: config("1")})
		w.cfg.Reviews = func(context.Context, *gitrepo.Commit) ([]Review, error) { return nil, errors.New("down") }
		side := w.commit("bob", files{prod: config("2")}, root)
		if v, err := w.verify(root, w.forge(files{prod: config("2")}, root, side)); err == nil || !v.IsZero() {
			t.Errorf("%v, %v", v, err)
		}
		w.accepts(root, w.commit("alice", files{prod: config("2")}, root, side))
	})
}

// The merge base along the chain is that of the whole graph.
func TestMergeBaseAlongTheChain(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t)
			r := rand.New(rand.NewPCG(seed, 1))
			all := []lcm.Revision{w.commit("", files{"f": "0"})}
			main := all[0]
			for range 14 {
				parents := []lcm.Revision{main}
				side := r.IntN(3) > 0
				if side {
					parents[0] = all[r.IntN(len(all))]
				}
				if other := all[r.IntN(len(all))]; r.IntN(2) == 0 && other != parents[0] {
					parents = append(parents, other)
				}
				c := w.commit("", files{"f": fmt.Sprint(len(all))}, parents...)
				if all = append(all, c); !side {
					main = c
				}
			}
			walk := newWalk(w.repo, w.cfg, main)
			for range 30 {
				a, b := all[r.IntN(len(all))], all[r.IntN(len(all))]
				if r.IntN(2) == 0 {
					a = main
				}
				got, err := walk.mergeBase(t.Context(), main, a, b)
				want, wantErr := w.repo.MergeBase(t.Context(), a, b)
				if got != want || errors.Is(err, gitrepo.ErrMergeBase) != errors.Is(wantErr, gitrepo.ErrMergeBase) {
					t.Errorf("merge base of %s and %s: %s, %v; want %s, %v", a.Short(), b.Short(), got, err, want, wantErr)
				}
			}
		})
	}
}
