package reconcile

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/llm-config-manager/lcm/internal/canonjson"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// Receipt says what a daemon accepted last. A server that shows two daemons different histories, each of
// them signed and approved, is noticed by neither alone: they compare receipts.
type Receipt struct {
	APIVersion   string       `json:"apiVersion"` // lcm/v1
	Kind         string       `json:"kind"`       // Receipt
	Repository   string       `json:"repository"`
	Branch       string       `json:"branch"`
	Introduction lcm.Revision `json:"introduction"`
	Accepted     lcm.Revision `json:"accepted"`
	AcceptedAt   time.Time    `json:"acceptedAt"` // by the daemon's own clock
	// MAC is HMAC-SHA256 in hexadecimal, by the daemon's key, over the canonical JSON of the rest. Only daemons
	// with the same key can check it.
	MAC string `json:"mac,omitempty"`
}

// maxReceipt bounds what is read as a receipt, in bytes.
const maxReceipt = 16 << 10

// ReadReceipt reads one receipt, strictly.
func ReadReceipt(from io.Reader) (Receipt, error) {
	var rc Receipt
	data, err := io.ReadAll(io.LimitReader(from, maxReceipt+1))
	if err != nil {
		return rc, fmt.Errorf("reading a receipt: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	switch err := d.Decode(&rc); {
	case len(data) > maxReceipt:
		return Receipt{}, fmt.Errorf("reading a receipt: it has more than %d bytes", maxReceipt)
	case err != nil:
		return Receipt{}, fmt.Errorf("reading a receipt: it is none: %w", err)
	case rc.APIVersion != "lcm/v1" || rc.Kind != "Receipt":
		return Receipt{}, errors.New("reading a receipt: it is not of apiVersion lcm/v1 and kind Receipt")
	case !lcm.ValidRevision(string(rc.Accepted)) || !lcm.ValidRevision(string(rc.Introduction)) || d.More():
		return Receipt{}, errors.New("reading a receipt: it names no revisions, or something follows it")
	}
	return rc, nil
}

// MadeWith reports whether a daemon with this key made the receipt.
func (rc Receipt) MadeWith(key masterkey.Key) bool {
	mac, err := rc.mac(key)
	return err == nil && hmac.Equal([]byte(mac), []byte(rc.MAC))
}

func (rc Receipt) mac(key masterkey.Key) (string, error) {
	rc.MAC = ""
	text, err := canonjson.Marshal(rc)
	m := hmac.New(sha256.New, key.Derive(masterkey.Receipt))
	m.Write(text)
	return hex.EncodeToString(m.Sum(nil)), err
}

// keepReceipt writes what was accepted to the file of the receipt, where others read it while this
// process holds the state. It writes only what is new.
func (r *Reconciler) keepReceipt(v trust.Verified) (err error) {
	rc := Receipt{APIVersion: "lcm/v1", Kind: "Receipt", Repository: r.Repository, Branch: r.Branch, Introduction: r.Introduction, Accepted: v.Revision()}
	if r.Receipt == "" || r.kept == rc {
		return nil
	}
	kept := rc
	if rc.AcceptedAt, _, err = r.State.AcceptedAt(rc.Accepted); err != nil {
		return err
	}
	rc.AcceptedAt = rc.AcceptedAt.UTC()
	if rc.MAC, err = rc.mac(r.Key); err != nil {
		return err
	}
	text, err := canonjson.Marshal(rc)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(r.Receipt); err != nil || !bytes.Equal(old, append(text, '\n')) {
		if err := replaceFile(r.Receipt, append(text, '\n')); err != nil {
			return fmt.Errorf("writing the receipt: %w", err)
		}
	}
	r.kept = kept
	return nil
}

// replaceFile puts a new file in the place of another, so that a reader sees one or the other whole.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Relation is how what two daemons accepted relates.
type Relation string

// The relations.
const (
	Same     Relation = "same"
	Behind   Relation = "behind"   // the other one is ahead, on the same history
	Ahead    Relation = "ahead"    // the other one is behind
	Diverged Relation = "diverged" // neither is built on the other: an alarm
	Unknown  Relation = "unknown"  // the repository does not have what the other one accepted
)

// Compare tells how our receipt relates to another one, and by how many commits. It looks along first
// parents, as trust does.
func Compare(repo *gitrepo.Repo, ours, theirs Receipt) (Relation, int, error) {
	if ours.Accepted == theirs.Accepted {
		return Same, 0, nil
	}
	for _, rev := range []lcm.Revision{theirs.Accepted, ours.Accepted} {
		_, err := repo.Commit(rev)
		switch {
		case errors.Is(err, gitrepo.ErrMissing) && rev == theirs.Accepted:
			return Unknown, 0, nil
		case errors.Is(err, gitrepo.ErrMissing):
			return Diverged, 0, nil
		case err != nil:
			return "", 0, err
		}
	}
	if n, on, err := steps(repo, ours.Accepted, theirs.Accepted); on || err != nil {
		return Behind, n, err
	}
	if n, on, err := steps(repo, theirs.Accepted, ours.Accepted); on || err != nil {
		return Ahead, n, err
	}
	return Diverged, 0, nil
}

// steps counts the first-parent steps from a revision to a later one; false if it is not on the way.
func steps(repo *gitrepo.Repo, from, to lcm.Revision) (n int, on bool, err error) {
	for at := to; at != from; n++ {
		c, err := repo.Commit(at)
		if err != nil || len(c.Parents) == 0 {
			return 0, false, err
		}
		at = c.Parents[0]
	}
	return n, true, nil
}
