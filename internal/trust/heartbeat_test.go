package trust

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// beat is a heartbeat that counts where design() is the policy.
func beat() Heartbeat {
	return Heartbeat{"acme-config", "main", lcm.Revision(strings.Repeat("a", 40)), now}
}

func (h Heartbeat) by(t *testing.T, who string) []byte {
	t.Helper()
	document, err := h.Sign(gitrepo.SSHSignerFor(HeartbeatNamespace, sshKey(who)))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// policyOf is design() in force, and whatever else stands below .lcm/.
func policyOf(t *testing.T, more files) *Policy {
	t.Helper()
	w := newWorld(t)
	root := w.introduce(design(), more)
	return w.accepts("", root).Policy()
}

func TestHeartbeat(t *testing.T) {
	tenant := "apiVersion: lcm/v1\nkind: TenantPolicy\nversion: 1\nprincipals:\n  tess: {" + person(`"operator:acme-corp"`, sshEntry("tess")) + "}\n"
	p := policyOf(t, files{".lcm/tenants/acme-corp.yaml": tenant})
	if p.principals["tess"] == nil {
		t.Fatal("the tenant has no tess, so nothing is shown of her")
	}
	for _, who := range []string{"alice", "rotator"} { // a person and a bot
		got, by, err := p.Heartbeat(beat().by(t, who), nil, now.Add(time.Hour))
		if err != nil || by.Name != who || got.Head != beat().Head || !got.At.Equal(now) {
			t.Errorf("%+v, %v, %v", got, by, err)
		}
	}
	if _, _, err := p.Heartbeat(beat().by(t, "tess"), []string{"tess"}, now); err != nil {
		t.Errorf("who is named: %v", err)
	}
	approval, err := Approval{Repository: "acme-config", Branch: "main", Base: beat().Head, Head: beat().Head}.Sign(gitrepo.SSHSignerFor(ApprovalNamespace, sshKey("alice")))
	if err != nil {
		t.Fatal(err)
	}
	forApproval, err := beat().Sign(gitrepo.SSHSignerFor(ApprovalNamespace, sshKey("alice")))
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*Heartbeat)) []byte {
		h := beat()
		change(&h)
		return h.by(t, "alice")
	}
	line, _, _ := bytes.Cut(beat().by(t, "alice"), []byte("\n"))
	for name, c := range map[string]struct {
		document []byte
		named    []string
		reason   string
	}{
		"empty":                {nil, nil, "not a line of JSON"},
		"unsigned":             {append(line, '\n'), nil, "not signed"},
		"junk below":           {append(line, "\njunk\n"...), nil, "neither an SSH signature nor"},
		"not canonical":        {bytes.Replace(beat().by(t, "alice"), []byte(`","`), []byte(`", "`), 1), nil, "not canonical"},
		"altered":              {bytes.Replace(beat().by(t, "alice"), []byte("aaaa"), []byte("bbbb"), 1), nil, "does not verify"},
		"two signatures":       {append(beat().by(t, "alice"), beat().by(t, "carol")...), nil, "several signatures"},
		"an approval":          {approval, nil, "not the JSON of such a statement"},
		"signed as another":    {forApproval, nil, `made for "lcm-approval"`},
		"of a stranger":        {beat().by(t, "mallory"), nil, "belongs to nobody"},
		"of a tenant's":        {beat().by(t, "tess"), nil, "by tess, who is not to give it"},
		"of one not named":     {beat().by(t, "alice"), []string{"rotator"}, "by alice, who is not to give it"},
		"of the future":        {with(func(h *Heartbeat) { h.At = now.Add(heartbeatSkew + time.Second) }), nil, "in the future"},
		"of another branch":    {with(func(h *Heartbeat) { h.Branch = "other" }), nil, `branch "other"`},
		"of another":           {with(func(h *Heartbeat) { h.Repository = "other" }), nil, `repository "other"`},
		"too long":             {append(beat().by(t, "alice"), make([]byte, maxDocument)...), nil, "not a line of JSON"},
		"long and of no line":  {bytes.Repeat([]byte("x"), maxDocument), nil, "not a line of JSON"},
		"unknown in statement": {bytes.Replace(beat().by(t, "alice"), []byte(`{`), []byte(`{"a":1,`), 1), nil, "not the JSON of such a statement"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, who, err := p.Heartbeat(c.document, c.named, now); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("by %v: %v, want %q", who, err, c.reason)
			}
		})
	}
	for _, h := range []Heartbeat{{"r", "b", "short", now}, {"r", "b", beat().Head, time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		if _, err := h.Sign(gitrepo.SSHSignerFor(HeartbeatNamespace, sshKey("alice"))); err == nil {
			t.Errorf("%+v is signed", h)
		}
	}
}

// FuzzHeartbeat: whatever is believed to be a heartbeat is exactly what would be written.
func FuzzHeartbeat(f *testing.F) {
	document, err := beat().Sign(gitrepo.SSHSignerFor(HeartbeatNamespace, sshKey("alice")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(document)
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, document []byte) {
		h, statement, signature, err := parseHeartbeat(document)
		if err != nil {
			return
		}
		again, err := h.Statement()
		if err != nil || !bytes.Equal(bytes.Join([][]byte{again, signature}, []byte("\n")), document) || !bytes.Equal(again, statement) {
			t.Fatalf("%q is read from %q", again, document)
		}
	})
}
