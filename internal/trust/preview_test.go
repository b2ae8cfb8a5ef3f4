package trust

import (
	"errors"
	"slices"
	"testing"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// What Check says of who could merge is what Verify says once they did.
func TestCheckAgreesWithVerify(t *testing.T) {
	type change struct {
		files  files
		signer string
		by     []string // signed approvals
		after  files    // a second commit
	}
	for name, c := range map[string]change{
		"development":           {files: files{dev: config("2")}, signer: "dev"},
		"production, by dev":    {files: files{prod: config("2")}, signer: "dev"},
		"production, by bob":    {files: files{prod: config("2")}, signer: "bob"},
		"approved by alice":     {files: files{prod: config("2")}, signer: "dev", by: []string{"alice"}},
		"approved by two":       {files: files{prod: config("2")}, signer: "dev", by: []string{"alice", "bob"}},
		"then changed":          {files: files{prod: config("2")}, signer: "bob", by: []string{"alice"}, after: files{prod: config("3")}},
		"then added to":         {files: files{prod: config("2")}, signer: "dev", by: []string{"alice"}, after: files{base: config("7")}},
		"settings":              {files: files{"lcm.yaml": "# x\n" + settingsText}, signer: "alice"},
		"settings, by bob":      {files: files{"lcm.yaml": "# x\n" + settingsText}, signer: "bob"},
		"a lower layer":         {files: files{base: config("2")}, signer: "dev"},
		"unsigned":              {files: files{dev: config("2")}},
		"by nobody known":       {files: files{dev: config("2")}, signer: "mallory"},
		"another tenant's":      {files: files{"namespaces/globex/a/b/development/k.yaml": config("1")}, signer: "gus"},
		"of no configured":      {files: files{"namespaces/initech/a/b/development/k.yaml": config("1")}, signer: "alice"},
		"a policy nobody meets": {files: files{policyFile: design().next().with("carol", "").String()}, signer: "alice"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			root := w.introduce(design(), files{base: config("1"), dev: config("1")})
			side := w.commit(c.signer, c.files, root)
			for _, who := range c.by {
				w.approve(who, root, side)
			}
			if c.after != nil {
				side = w.commit("dev", c.after, side)
			}
			all := files{}
			for _, f := range []files{c.files, c.after} {
				for path, text := range f {
					all[path] = text
				}
			}
			p, err := Check(t.Context(), w.repo, w.cfg, root, w.commit("", all, root, side))
			var refusal *Refusal
			if err != nil && !errors.As(err, &refusal) {
				t.Fatal(err)
			}
			for _, who := range []string{"alice", "carol", "bob", "dave", "gus", "dev"} {
				_, verr := Verify(t.Context(), w.repo, w.cfg, root, w.commit(who, all, root, side))
				can := err == nil && slices.Contains(p.Mergers, who)
				if can != (verr == nil) {
					t.Errorf("%s: Check says %v, Verify %v", who, can, verr)
				}
			}
		})
	}
}

func TestCheckTellsWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	root := w.introduce(design(), files{base: config("1")})
	side := w.commit("dev", files{base: config("2")}, root)
	w.approve("bob", root, side)
	merge, err := w.repo.Write(gitrepo.Edit{Parents: []lcm.Revision{root, side}, Files: map[string][]byte{base: []byte(config("2"))}, Message: "m\n", Author: gitrepo.Ident{Name: "a", Email: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Check(t.Context(), w.repo, w.cfg, root, merge)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Wants) != 1 || p.Wants[0].Missing() != 1 || !slices.Equal(p.Wants[0].Consents, []string{"bob"}) ||
		!slices.Equal(p.Wants[0].Able, []string{"alice", "carol", "dave"}) || !slices.Equal(p.Wants[0].Paths, []string{base + " → " + prod}) {
		t.Errorf("%+v", p.Wants)
	}
	if len(p.Approvals) != 1 || !slices.Equal(p.Mergers, []string{"alice", "carol", "dave"}) {
		t.Errorf("%d approvals, mergers %v", len(p.Approvals), p.Mergers)
	}
}
