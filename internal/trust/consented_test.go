package trust

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConsented(t *testing.T) {
	judged := func(basis Basis, count int, consents []string, paths ...string) Judged {
		return Judged{Basis: basis, Count: count, Consents: consents, Paths: paths}
	}
	both, one := []string{"alice", "bob"}, []string{"alice"}
	for _, c := range []struct {
		name   string
		judged []Judged
		want   []Consented
	}{
		{"nothing changed", nil, nil},
		{"all by the same", []Judged{judged(ByApprovals, 2, both, "a", "b → c")}, []Consented{{both, nil}}},
		{"by path", []Judged{judged(ByApprovals, 1, both, "a"), judged(ByApprovals, 1, one, "b")}, []Consented{{both, []string{"a"}}, {one, []string{"b"}}}},
		{"each rule counts some", []Judged{judged(ByApprovals, 1, one, "a"), judged(ByApprovals, 1, []string{"bob"}, "a")}, []Consented{{both, nil}}},
		{"a bot's rotation", []Judged{judged(ByRotation, 1, []string{"rotator"}, "a")}, []Consented{{[]string{}, nil}}},
		{"more than are named", []Judged{judged(ByApprovals, 3, both, "a", "b")}, []Consented{{both, []string{"a", "b"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, Step{Judged: c.judged}.Consented()); d != "" {
				t.Error(d)
			}
		})
	}
}
