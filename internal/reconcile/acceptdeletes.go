package reconcile

import (
	"maps"
	"slices"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
)

// HeldDeletions are the entries of one namespace that it is held for, since they would be deleted.
type HeldDeletions struct {
	Namespace lcm.Namespace
	Entries   map[string][]string // target → keys
}

// AcceptDeletes accepts, on behalf of the operator, the deletions that namespaces are held for, as the last pass
// found them: those and no others. n must be their number, so that nobody accepts more than he looked at. Of none
// named it is all namespaces. The next pass carries them out. It needs of cfg State and Now.
func AcceptDeletes(cfg Config, n int, namespaces []lcm.Namespace, reason string) ([]HeldDeletions, error) {
	held, err := heldDeletions(cfg.State, namespaces)
	if err != nil {
		return nil, err
	}
	total, given := 0, map[lcm.Namespace]state.DeleteConsent{}
	for _, h := range held {
		total += size(h.Entries)
		given[h.Namespace] = state.DeleteConsent{Reason: reason, At: cfg.Now(), Entries: h.Entries}
	}
	if total != n || total == 0 {
		return held, notAcceptable("%d deletions are held there, not %d: look at `reconciler status`, and give the number that you mean to accept", total, n)
	}
	return held, cfg.State.ConsentToDelete(given, nil)
}

// heldDeletions lists what is held for deletions, in the order of names.
func heldDeletions(db *state.DB, namespaces []lcm.Namespace) (out []HeldDeletions, err error) {
	pending, err := db.Pending()
	if err != nil {
		return nil, err
	}
	for _, ns := range namespaces {
		if len(pending[ns].Doomed) == 0 {
			return nil, notAcceptable("%s is not held for deletions", ns)
		}
	}
	for _, ns := range slices.SortedFunc(maps.Keys(pending), byName) {
		if doomed := pending[ns].Doomed; len(doomed) > 0 && (len(namespaces) == 0 || slices.Contains(namespaces, ns)) {
			out = append(out, HeldDeletions{ns, doomed})
		}
	}
	return out, nil
}
