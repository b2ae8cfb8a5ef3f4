package trust

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// A commit that an earlier merge brought in does not consent again when its branch is merged anew.
func TestBranchMergedTwice(t *testing.T) {
	w := newWorld(t)
	p := design()
	p.rules[2] = `{paths: ["namespaces/*/*/*/production/**"], roles: [global-admin, operator], approvals: 2}`
	root := w.introduce(p, nil)
	s1 := w.commit("bob", files{prod: config("old")}, root)
	m1 := w.commit("alice", files{prod: config("old")}, root, s1)
	s2 := w.commit("carol", files{prod: config("new")}, m1)
	m2 := w.commit("alice", files{prod: config("new")}, m1, s2)
	w.accepts(root, m2)

	s3 := w.commit("dave", files{dev: config("1")}, s1)
	r := w.refuses(m2, w.commit("dave", files{dev: config("1"), prod: config("old")}, m2, s3), "trust/approvals")
	if r.Path != prod || !strings.Contains(r.Reason, "dave's counts") {
		t.Error(r)
	}
	// The branch itself goes on, and what is new on it counts.
	s4 := w.commit("bob", files{prod: config("newer")}, w.commit("bob", files{prod: config("new")}, s3, m2))
	w.accepts(root, w.commit("dave", files{dev: config("1"), prod: config("newer")}, m2, s4))
}

// The same where the earlier merge lies before the last accepted revision, and far back.
func TestForkFarBack(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	old := w.commit("bob", files{prod: config("old")}, root)
	head := w.commit("alice", files{prod: config("old")}, root, old)
	for range 70 {
		head = w.commit("dev", files{dev: config(strings.Repeat("1", 1+w.n%9))}, head)
	}
	w.accepts(root, head)
	fresh := w.commit("dave", files{dev2: config("1")}, root)
	v := w.accepts(head, w.commit("alice", files{dev2: config("1")}, head, fresh))
	if got := v.Steps()[0].Approvers; strings.Join(got, " ") != "alice" {
		t.Errorf("%v consent: root was not accepted lately, as far as is known", got)
	}
	walk := newWalk(w.repo, w.cfg, head)
	merge, err := walk.commit(w.commit("alice", files{dev2: config("1")}, head, w.commit("dave", files{dev2: config("1")}, old)))
	if err != nil {
		t.Fatal(err)
	}
	side, err := walk.brought(t.Context(), merge.ID, merge.Parents[1:])
	if err != nil || len(side) != 1 {
		t.Errorf("%d commits, %v: want one, that of an earlier merge being known", len(side), err)
	}
}

func TestBroughtIsTheSetDifference(t *testing.T) {
	w := newWorld(t)
	a := w.commit("alice", files{"f": "1"})
	b := w.commit("alice", files{"f": "2"}, a)
	x := w.commit("alice", files{"g": "1"}, a)
	y := w.commit("alice", files{"g": "2"}, x)
	m := w.commit("alice", files{"g": "1"}, b, x)
	z := w.commit("alice", files{"h": "1"}, y, m)
	island := w.commit("alice", files{"i": "1"})
	landed := w.commit("alice", files{"k": "1"}, w.commit("alice", files{"i": "1"}, m, island))
	island2 := w.commit("alice", files{"i": "2"}, island)
	for name, c := range map[string]struct {
		p       lcm.Revision
		parents []lcm.Revision
		want    []lcm.Revision
	}{
		"linear":                {m, nil, nil},
		"a branch, partly seen": {m, []lcm.Revision{y}, []lcm.Revision{y}},
		"it took main in":       {m, []lcm.Revision{z}, []lcm.Revision{z, y}},
		"nothing new":           {m, []lcm.Revision{x, a}, nil},
		"from the first commit": {b, []lcm.Revision{y}, []lcm.Revision{y, x}},
		"an island, once more":  {landed, []lcm.Revision{island2}, []lcm.Revision{island2}},
		"an island":             {m, []lcm.Revision{island, y}, []lcm.Revision{island, y}},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			c0 := w.commit("alice", files{"z": name}, append([]lcm.Revision{c.p}, c.parents...)...)
			walk := newWalk(w.repo, w.cfg, c.p)
			commit, err := walk.commit(c0)
			if err != nil {
				t.Fatal(err)
			}
			side, err := walk.brought(t.Context(), commit.ID, commit.Parents[min(1, len(commit.Parents)):])
			if err != nil {
				t.Fatal(err)
			}
			got := map[lcm.Revision]bool{}
			for _, s := range side {
				got[s.ID] = true
			}
			for _, want := range c.want {
				if !got[want] {
					t.Errorf("%s is missing", want)
				}
			}
			if len(got) != len(c.want) || len(side) != len(got) {
				t.Errorf("%d commits, want %d", len(side), len(c.want))
			}
		})
	}
}

// Who merges on a side branch consents to what is the merge's own, not to what others wrote.
func TestSideMerge(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	bobs := w.commit("bob", files{dev: config("1")}, root)
	devs := w.commit("dev", files{prod: config("2")}, root)
	joined := w.commit("bob", files{prod: config("2")}, bobs, devs)
	w.refuses(root, w.commit("dave", files{dev: config("1"), prod: config("2")}, root, joined), "trust/approvals")
	own := w.commit("bob", files{prod: config("3")}, bobs, devs)
	w.accepts(root, w.commit("dave", files{dev: config("1"), prod: config("3")}, root, own))
}

// Without a record of acceptances, last counts whatever its age, and the walk's commits by theirs.
func TestWithoutAcceptedAt(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	w.seen[root] = now.Add(-40 * 24 * time.Hour)
	merge := func(main, fork lcm.Revision) lcm.Revision {
		return w.commit("alice", files{prod: config("2")}, main, w.commit("bob", files{prod: config("2")}, fork))
	}
	w.accepts(root, merge(root, root))
	next := w.commit("dev", files{dev: config("1")}, root)
	w.seen[next] = now.Add(-31 * 24 * time.Hour)
	w.refuses(root, merge(next, next), "trust/approvals")
	w.seen[next] = now.Add(-29 * 24 * time.Hour)
	w.accepts(root, merge(next, next))
	w.refuses(next, merge(next, root), "trust/approvals")
}

// A step that was refused for long and then adopted is accepted only now: a branch that forks from it is as recent in the
// same pass as it would be in the next one.
func TestAcceptedLate(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	accepted := map[lcm.Revision]time.Time{root: now.Add(-40 * 24 * time.Hour)}
	w.cfg.AcceptedAt = func(r lcm.Revision) (time.Time, bool) { at, ok := accepted[r]; return at, ok }
	stray := w.commit("", files{dev: config("1")}, root)
	w.seen[stray] = now.Add(-35 * 24 * time.Hour)
	merge := w.commit("alice", files{prod: config("2")}, stray, w.commit("bob", files{prod: config("2")}, stray))
	w.refuses(root, merge, "trust/unsigned")
	w.adopt("alice", root, stray)
	w.adopt("carol", root, stray)
	w.accepts(root, merge)
	accepted[stray] = now
	w.accepts(stray, merge)
	accepted[stray] = now.Add(-31 * 24 * time.Hour)
	w.refuses(stray, merge, "trust/approvals")
}

// Going on with a branch that was merged before is as good as a new one, for 30 days from the revision that it forked from.
func TestMergedBranchGoesOn(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	first := w.commit("bob", files{dev: config("1")}, root)
	main := w.commit("alice", files{dev: config("1")}, root, first)
	more := w.commit("bob", files{prod: config("2")}, first)
	merge := w.commit("alice", files{prod: config("2")}, main, more)
	w.accepts(root, merge)
	w.cfg.AcceptedAt = func(r lcm.Revision) (time.Time, bool) { return now.Add(-29 * 24 * time.Hour), r == root || r == main }
	w.accepts(main, merge)
	w.cfg.AcceptedAt = func(r lcm.Revision) (time.Time, bool) {
		return now.Add(-map[lcm.Revision]time.Duration{root: 31 * 24 * time.Hour}[r]), r == root || r == main
	}
	w.refuses(main, merge, "trust/approvals")
}

// Where lcm.yaml cannot be used, documents are judged as settings, and it can be repaired.
func TestUnusableSettings(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	both := func(f files, parent lcm.Revision) lcm.Revision {
		return w.commit("alice", f, parent, w.commit("carol", f, parent))
	}
	// Breaking it takes the approvals of settings, and takes no document along on fewer.
	broken := files{"lcm.yaml": "kind: Nothing\n", base: config("1")}
	w.refuses(root, w.commit("alice", broken, root), "trust/approvals")
	side := w.commit("carol", files{"lcm.yaml": "kind: Nothing\n"}, root)
	if r := w.refuses(root, w.commit("alice", broken, root, side), "trust/approvals"); r.Path != base || !strings.Contains(r.Reason, "lcm.yaml") {
		t.Error(r)
	}
	head := both(broken, root)
	w.accepts(root, head)
	w.refuses(head, w.commit("dev", files{dev: config("1")}, head), "trust/approvals")
	w.accepts(head, both(files{dev: config("1")}, head))
	repaired := both(files{"lcm.yaml": settingsText}, head)
	w.accepts(head, repaired)
	w.accepts(repaired, w.commit("dev", files{dev: config("1")}, repaired))
}

// Restoring one layer by fewer approvals does not give an environment what it never had.
func TestRollbackOfALayer(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), files{base: config("1"), prod: config("p")})
	two := func(f files, parent lcm.Revision) lcm.Revision {
		return w.commit("alice", f, parent, w.commit("bob", f, parent))
	}
	a := two(files{base: config("2")}, root) // production is not concerned: it has its own
	b := two(files{prod: ""}, a)             // now production resolves to base's 2
	w.accepts(root, b)
	w.refuses(b, w.commit("bob", files{base: config("1")}, b), "trust/approvals")
	c := two(files{base: config("3")}, b)
	w.accepts(b, c)
	w.accepts(c, w.commit("bob", files{base: config("2")}, c)) // the service is as it was at b
}

// A change of the inheritance is judged by what it changes too.
func TestEffectsOfSettings(t *testing.T) {
	w := newWorld(t)
	p := design()
	p.rules[2] = `{paths: ["namespaces/*/*/*/production/**"], roles: [operator], approvals: 1}`
	root := w.introduce(p, files{base: config("1"), service + "staging/model.yaml": config("2"), service + "production/own.yaml": config("1")})
	f := files{"lcm.yaml": strings.Replace(settingsText, "production: {inherits: staging}", "production: {inherits: base}", 1)}
	side := w.commit("carol", f, root)
	w.refuses(root, w.commit("alice", f, root, side), "trust/approvals")
	w.accepts(root, w.commit("alice", f, root, side, w.commit("bob", f, root)))
}

// What a repository that was fetched anew does not have was rewritten away; nothing is taken for an accident.
func TestStartIsMissing(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	gone := lcm.Revision(strings.Repeat("12", 20))
	v, err := w.verify(gone, root)
	if r, ok := isRefusal(err); !ok || r.Rule != "trust/rewritten" || !v.IsZero() {
		t.Errorf("%v", err)
	}
	w.cfg.Introduction = gone
	if r, ok := isRefusal(errOf(w.verify("", root))); !ok || r.Rule != "trust/introduction" {
		t.Errorf("%v", r)
	}
}

func errOf(_ Verified, err error) error { return err }

// A merge that brings in more than can be verified is refused before anything is (trust/too-many-commits).
func TestTooManyCommits(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), nil)
	side := root
	for i := range 5 {
		side = w.commit("bob", files{base: config(strconv.Itoa(i))}, side)
	}
	for most, want := range map[int]string{5: "", 4: "trust/too-many-commits"} {
		walk := newWalk(w.repo, w.cfg, root)
		set, err := walk.beside(t.Context(), side, []lcm.Revision{side}, most)
		switch r, refused := isRefusal(err); {
		case want == "" && (err != nil || len(set.commits) != 5):
			t.Errorf("of %d: %d, %v", most, len(set.commits), err)
		case want != "" && (!refused || r.Rule != want):
			t.Errorf("of %d: %v", most, err)
		}
	}
}
