package gitrepo

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
)

// TestHeartbeatRef follows the one heartbeat of the remote.
func TestHeartbeatRef(t *testing.T) {
	g := newGit(t)
	one := g.commit(map[string]string{"a": "1"})
	mirror := mirrorOf(t, Config{URL: g.dir})
	fetch(t, mirror, one)
	if data, err := mirror.Heartbeat(); !errors.Is(err, ErrNoHeartbeat) {
		t.Errorf("%q, %v", data, err)
	}
	r := g.open(Limits{})
	for _, text := range []string{"thump\n", "thump again\n"} {
		ref, err := r.SetHeartbeat([]byte(text))
		if err != nil || g.run("cat-file", "blob", ref) != strings.TrimSpace(text) {
			t.Fatal(ref, err)
		}
		fetch(t, mirror, one)
		if data, err := mirror.Heartbeat(); err != nil || string(data) != text {
			t.Errorf("%q, %v", data, err)
		}
	}
	if _, err := r.SetHeartbeat(make([]byte, MaxHeartbeatBytes+1)); err == nil {
		t.Error("a large one is written")
	}
	for what, id := range map[string]string{"no blob": string(one), "large": g.object("blob", make([]byte, MaxHeartbeatBytes+1))} {
		g.run("update-ref", heartbeatRef, id)
		fetch(t, mirror, one)
		if data, err := mirror.Heartbeat(); err == nil || errors.Is(err, ErrNoHeartbeat) {
			t.Errorf("%s: %d bytes are read, %v", what, len(data), err)
		}
	}
	g.run("update-ref", "-d", heartbeatRef)
	fetch(t, mirror, one)
	if _, err := mirror.Heartbeat(); !errors.Is(err, ErrNoHeartbeat) {
		t.Errorf("it is gone: %v", err)
	}
}

// TestHeartbeatIsNotCrowdedOut: approvals that anybody pushed leave room for the heartbeat.
func TestHeartbeatIsNotCrowdedOut(t *testing.T) {
	remote := map[string]plumbing.Hash{heartbeatRef: {}}
	for i := range maxApprovals + 10 {
		remote[fmt.Sprintf("%s%040d/a", approvalsOf, i)] = plumbing.Hash{}
	}
	names := approvalNames(remote)
	if len(names) != maxApprovals || names[0] != heartbeatRef || names[1] != fmt.Sprintf("%s%040d/a", approvalsOf, 0) {
		t.Errorf("%d names, beginning with %q", len(names), names[:2])
	}
}
