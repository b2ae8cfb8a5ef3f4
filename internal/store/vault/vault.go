// Package vault is the target that keeps values in HashiCorp Vault, in a KV engine of version 2: the
// value of an address at <mount>/data/<address>, its mark as custom metadata beside it, and the marker
// of a namespace as an entry of its own at <mount>/data/<namespace>/.lcm/revision. Value and mark are
// two requests, so a pass can be cut off between them. The mark names the KV version that it
// speaks of; an entry whose current version is another one is listed as stale. An entry that bears no
// mark yet is claimed (marked for no version) before its first value is written, so that a value without
// a mark is never one of ours. policy.hcl is all that the login needs to be allowed.
package vault

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/llm-config-manager/lcm/internal/store"
)

// Target is a KV engine of a Vault. It is safe for concurrent use.
type Target struct {
	vault       *client
	mount       string
	concurrency int
	checked     atomic.Bool // the mount was once seen to be a KV engine of version 2
}

var _ store.Target = (*Target)(nil)

// New checks the configuration and makes a Target. It does not speak to Vault: the first use does,
// so that a Vault that is down when the daemon starts holds itself up and nothing else.
func New(_ context.Context, c Config) (*Target, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	v, err := newClient(c)
	if err != nil {
		return nil, err
	}
	return &Target{vault: v, mount: c.Mount, concurrency: c.Concurrency}, nil
}

// Capabilities says that Vault keeps secrets.
func (t *Target) Capabilities() store.Capabilities { return store.Capabilities{Secrets: true} }

// Close revokes the token if this Target logged in for it, and closes the connections.
func (t *Target) Close() error {
	t.vault.close()
	return nil
}

// ready checks the mount before the first use. Until then nothing that Vault says is believed.
func (t *Target) ready(ctx context.Context) error {
	if t.checked.Load() {
		return nil
	}
	return t.checkMount(ctx)
}

// checkMount reports an error unless the mount is a KV engine of version 2. On one of version 1 the
// paths of version 2 would be plain keys: reads would find nothing and a listing would be empty.
func (t *Target) checkMount(ctx context.Context) error {
	var mount struct {
		Path    string            `json:"path"`
		Type    string            `json:"type"`
		Options map[string]string `json:"options"`
	}
	err := t.vault.read(ctx, "sys/internal/ui/mounts/"+t.mount, &mount)
	switch {
	case errors.Is(err, errAbsent):
		return errMount(t.mount, "there is none")
	case isStatus(err, http.StatusForbidden):
		return errMount(t.mount, "there is none, or the policy of the login grants nothing on it")
	case err != nil:
		return err
	case mount.Path != t.mount+"/":
		return errMount(t.mount, "it is a path inside another mount")
	case mount.Type != "kv" || mount.Options["version"] != "2":
		return errMount(t.mount, "it is another engine, or KV version 1")
	}
	t.checked.Store(true)
	return nil
}

// absent is called where Vault said that something does not exist. It is believed only if the mount
// is what it must be, now: a 404 of a wrong mount must not read as an empty namespace.
func (t *Target) absent(ctx context.Context) error { return t.checkMount(ctx) }
