package gitrepo

import (
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// The heartbeat of the branch lies at one reference to a blob. Anybody who may push at all may put
// something else there.
const (
	heartbeatRef      = approvalPrefix + "heartbeat"
	MaxHeartbeatBytes = 16 << 10
)

// ErrNoHeartbeat is returned where there is no heartbeat.
var ErrNoHeartbeat = errors.New("there is no " + heartbeatRef)

// Heartbeat returns the bytes at refs/lcm/heartbeat, as they were last fetched.
func (r *Repo) Heartbeat() ([]byte, error) {
	id, err := r.refs.get(heartbeatRef)
	if errors.Is(err, errNoReference) {
		return nil, ErrNoHeartbeat
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", heartbeatRef, err)
	}
	data, err := r.objects.readAny(id, plumbing.BlobObject, MaxHeartbeatBytes)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", heartbeatRef, err)
	}
	return data, nil
}

// SetHeartbeat writes a heartbeat in place of the one before it.
func (r *Repo) SetHeartbeat(data []byte) (ref string, err error) {
	if len(data) > MaxHeartbeatBytes {
		return "", &LimitError{What: "the heartbeat", Limit: MaxHeartbeatBytes, Unit: "bytes"}
	}
	id, err := r.objects.write(plumbing.BlobObject, data)
	if err != nil {
		return "", err
	}
	return heartbeatRef, r.refs.set(heartbeatRef, id)
}
