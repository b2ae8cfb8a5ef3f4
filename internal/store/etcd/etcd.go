// Package etcd is the target that keeps values in etcd: the value of an address at /lcm/<address>, its mark
// at /lcm/<namespace>/.lcm/meta/<key>, and the marker of a namespace at /lcm/<namespace>/.lcm/revision.
//
// A batch is one transaction, if it is not larger than etcd takes: then a namespace stands wholly at one
// revision or wholly at the next, and its marker never says writing. A larger one sets the marker to
// writing and goes on in several transactions, each of which demands that the marker is still the one
// that it set. Value and mark are written in one transaction always, so they have one mod revision; where
// they have not, and the mark does not name the value's, somebody else wrote, and the entry is listed as stale.
package etcd

import (
	"github.com/llm-config-manager/lcm/internal/store"
)

// Target is a prefix of an etcd cluster. It is safe for concurrent use.
type Target struct {
	etcd   *client
	keys   keys
	limits limits
}

var _ store.Target = (*Target)(nil)

// New checks the configuration and makes a Target. It does not speak to etcd: the first use does, so
// that an etcd that is down when the daemon starts holds itself up and nothing else.
func New(c Config) (*Target, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	e, err := newClient(c)
	if err != nil {
		return nil, err
	}
	return &Target{etcd: e, keys: keys(c.Prefix), limits: limits{ops: c.MaxTxnOps, bytes: c.MaxRequestBytes}}, nil
}

// Capabilities says that etcd keeps no secrets: whoever can read its files or its backups can read them.
func (t *Target) Capabilities() store.Capabilities { return store.Capabilities{} }

// Close closes the connections.
func (t *Target) Close() error {
	t.etcd.close()
	return nil
}
