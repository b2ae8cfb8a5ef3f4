// Package storetest is the conformance suite of store.Target: every target passes it, against
// the real thing.
package storetest

import (
	"testing"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// Options tell the suite what a target promises beyond the contract, and how to reach behind it.
type Options struct {
	// Reopen closes target and opens another one over the same data. Nil: durability is not tested.
	Reopen func(t *testing.T, target store.Target) store.Target
	// Plant puts a value without a mark where the target keeps values, as somebody else would. It
	// is called when the namespace exists already. Nil: entries of others are not tested.
	Plant func(t *testing.T, target store.Target, addr lcm.Address, value []byte)
	// Atomic says that a batch is one step: a batch that fails has changed nothing, and a reader
	// never sees a value beside the mark of another.
	Atomic bool
	// Rig sets a target up whose writes can be made to fail, on a store that no other test uses or a part of one. Plant
	// works on its Target too. Nil: failures are not tested.
	Rig func(t *testing.T) Rig
	// Passes is how many revisions readers are to see go by. 0: 1,000.
	Passes int
}

// Run tests the targets that open returns. Each test opens its own and closes it; they may share
// one server, since every test works in namespaces of its own.
func Run(t *testing.T, open func(t *testing.T) store.Target, opts Options) {
	s := suite{open, opts}
	for name, test := range map[string]func(*testing.T){
		"Empty":           s.testEmpty,
		"CreateAndRead":   s.testCreateAndRead,
		"Update":          s.testUpdate,
		"Delete":          s.testDelete,
		"Remark":          s.testRemark,
		"OnlyTheMarker":   s.testOnlyTheMarker,
		"Sorted":          s.testSorted,
		"Tokens":          s.testTokens,
		"Meta":            s.testMeta,
		"Values":          s.testValues,
		"Secrets":         s.testSecrets,
		"Conflicts":       s.testConflicts,
		"ConflictInBatch": s.testConflictInBatch,
		"BadBatches":      s.testBadBatches,
		"BadNames":        s.testBadNames,
		"Prefixes":        s.testPrefixes,
		"Concurrent":      s.testConcurrent,
		"ReadWhileWrite":  s.testReadWhileWrite,
		"Cancelled":       s.testCancelled,
		"CancelledMidway": s.testCancelledMidway,
		"Foreign":         s.testForeign,
		"Reopen":          s.testReopen,
		"Namespaces":      s.testNamespaces,
		"Fence":           s.testFence,
		"MarkerStands":    s.testMarkerStands,
		"Raise":           s.testRaise,
		"RaiseInBetween":  s.testRaiseWhileWriting,
		"Faults":          s.testFaults,
		"Polling":         s.testPolling,
	} {
		t.Run(name, test)
	}
}

type suite struct {
	open func(t *testing.T) store.Target
	opts Options
}
