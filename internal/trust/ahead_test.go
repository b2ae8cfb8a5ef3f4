package trust

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// What is known of signatures ahead of their steps changes no verdict: not on one over other bytes, on the branch or
// beside it, by a key that ended, or by one that the policy loses underway. Each stands among many good ones, of keys
// that have tables.
func TestVerdictsAheadOfSteps(t *testing.T) {
	w := newWorld(t)
	w.cfg.Cache = &Cache{}
	people := design().with("dev", person(`"developer:acme-corp"`, sshEntry("dev"), fmt.Sprintf("{ssh: %q, notAfter: 2026-07-01T00:00:00Z}", publicLine(sshKey("laptop")))))
	n := 0
	change := func() files {
		n++
		return files{dev: config(fmt.Sprint(n))}
	}
	grow := func(head lcm.Revision, steps int) lcm.Revision {
		for range steps {
			head = w.commit([]string{"dev", "laptop", "bob"}[n%3], change(), head)
		}
		return head
	}
	warm := grow(w.introduce(people, nil), 3*tableFrom)
	w.accepts("", warm)
	good := grow(warm, 20)
	w.accepts(warm, grow(good, maxAhead))

	altered := func(payload []byte) ([]byte, error) {
		return gitrepo.SSHSigner(sshKey("dev"))(append(payload, 'x'))
	}
	bad := w.commitBy(altered, change(), good)
	beside := w.commit("bob", change(), good, w.commitBy(altered, change(), good))
	late := w.commit("laptop", change(), good)
	w.seen[late] = time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	next := people.with("dev", "").next()
	lost := w.commit("dev", change(), w.commit("bob", change(), w.newPolicy(next, good)))
	for _, tt := range []struct {
		name string
		head lcm.Revision
		rule string
	}{{"altered", bad, "trust/bad-signature"}, {"altered on the side", beside, "trust/bad-signature"}, {"ended", late, "trust/expired-key"}, {"lost", lost, "trust/unknown-key"}} {
		c, err := w.repo.Commit(tt.head)
		if err != nil {
			t.Fatal(err)
		}
		v, err := w.verify(warm, grow(tt.head, 5))
		var r *Refusal
		if !errors.As(err, &r) || r.Rule != tt.rule || v.Revision() != c.Parents[0] {
			t.Errorf("%s: %v after %s, want %s after %s", tt.name, err, v.Revision(), tt.rule, c.Parents[0])
		}
	}
}
