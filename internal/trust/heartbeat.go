package trust

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/llm-config-manager/lcm/internal/canonjson"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// HeartbeatNamespace is the SSHSIG namespace of heartbeats.
const HeartbeatNamespace = "lcm-heartbeat"

// Heartbeat is the statement that at a time the head of the branch was a certain commit. Whoever has a
// recent one knows that no server keeps newer commits from them, or for how long at most. It
// consents to nothing.
type Heartbeat struct {
	Repository string
	Branch     string
	Head       lcm.Revision
	At         time.Time // whole seconds
}

// heartbeatJSON is the statement's form. Its canonical JSON is what is signed.
type heartbeatJSON struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Repository string       `json:"repository"`
	Branch     string       `json:"branch"`
	Head       lcm.Revision `json:"head"`
	At         string       `json:"at"` // RFC 3339, UTC
}

const heartbeatKind = "Heartbeat"

// Statement returns the canonical JSON (RFC 8785) that is signed.
func (h Heartbeat) Statement() ([]byte, error) {
	return canonjson.Marshal(heartbeatJSON{lcm.APIVersion, heartbeatKind, h.Repository, h.Branch, h.Head, h.At.UTC().Format(time.RFC3339)})
}

// Sign makes the document of a heartbeat, in the form of an Approval's. An SSH signature must be of
// HeartbeatNamespace.
func (h Heartbeat) Sign(sign gitrepo.Signer) ([]byte, error) {
	document, err := signStatement(h.Statement, sign)
	if err == nil {
		_, _, _, err = parseHeartbeat(document) // what we write must be what we read
	}
	return document, err
}

func parseHeartbeat(document []byte) (h Heartbeat, statement, signature []byte, err error) {
	var j heartbeatJSON
	statement, signature, err = readStatement(document, &j)
	if err != nil {
		return h, nil, nil, err
	}
	if j.APIVersion != lcm.APIVersion || j.Kind != heartbeatKind {
		return h, nil, nil, errors.New("its statement is not that of a heartbeat")
	}
	at, err := time.Parse(time.RFC3339, j.At)
	if err != nil {
		return h, nil, nil, errors.New("its time is not one in RFC 3339")
	}
	h = Heartbeat{j.Repository, j.Branch, j.Head, at}
	if canonical, err := h.Statement(); err != nil || !bytes.Equal(canonical, statement) {
		return h, nil, nil, errors.New("its statement is not canonical JSON")
	}
	if !lcm.ValidRevision(string(h.Head)) {
		return h, nil, nil, errors.New("its head is no full commit id")
	}
	return h, statement, signature, nil
}

// heartbeatSkew is how far ahead of ours the clock of a heart may run.
const heartbeatSkew = 5 * time.Minute

// Heartbeat finds out what the document of a heartbeat says and who signed it, a person or a bot: one of
// those named, or with nobody named any principal of .lcm/trust.yaml. A tenant's own principals do not
// speak for the branch unless they are named. Whether the head is there is another question.
func (p *Policy) Heartbeat(document []byte, named []string, now time.Time) (Heartbeat, *Principal, error) {
	h, statement, signature, err := parseHeartbeat(document)
	if err != nil {
		return h, nil, fmt.Errorf("the heartbeat cannot be read: %w", err)
	}
	if h.Repository != p.Repository || h.Branch != p.Branch {
		return h, nil, fmt.Errorf("the heartbeat is of repository %.80q, branch %.80q", h.Repository, h.Branch)
	}
	if len(bytes.TrimSpace(signature)) == 0 {
		return h, nil, errors.New("the heartbeat is not signed")
	}
	key, bad := p.keys.verifyFor(HeartbeatNamespace, signature, statement, now)
	switch {
	case bad != nil:
		return h, nil, fmt.Errorf("the heartbeat does not count: %s", bad.reason)
	case !key.Owner.beats(named):
		return h, nil, fmt.Errorf("the heartbeat is by %s, who is not to give it", key.Owner.Name)
	case h.At.After(now.Add(heartbeatSkew)):
		return h, nil, fmt.Errorf("the heartbeat by %s is of %s, which lies in the future: set the clocks right", key.Owner.Name, h.At.Format(time.RFC3339))
	}
	return h, key.Owner, nil
}

func (p *Principal) beats(named []string) bool {
	if len(named) == 0 {
		return p.Tenant == ""
	}
	return slices.Contains(named, p.Name)
}
