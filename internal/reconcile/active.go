package reconcile

import (
	"sync"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/state"
)

// Project is a tenant with a project: as finely as metrics tell namespaces apart.
type Project struct{ Org, Name string }

func (p Project) String() string { return p.Org + "/" + p.Name }

// ProjectOf is the project of a namespace.
func ProjectOf(ns lcm.Namespace) Project { return Project{ns.Org, ns.Project} }

// Area is what Active counts by.
type Area struct {
	Project
	Environment string
}

// active counts the entries that the targets were given, by namespace. It is read from the state once, and then again for
// the namespaces of which something was written. The zero value has read nothing.
type active struct {
	mu    sync.Mutex // held while the state is read
	known map[lcm.Namespace]int

	dirtyMu sync.Mutex // guards dirty: a pass that writes does not wait for somebody who reads
	dirty   map[lcm.Namespace]bool
}

// wrote notes that the namespaces have other entries now.
func (a *active) wrote(outcomes map[lcm.Namespace]state.Outcome) {
	a.dirtyMu.Lock()
	defer a.dirtyMu.Unlock()
	if a.dirty == nil {
		a.dirty = map[lcm.Namespace]bool{}
	}
	for ns, o := range outcomes {
		if o.Inventory != nil {
			a.dirty[ns] = true
		}
	}
}

func (a *active) taken() map[lcm.Namespace]bool {
	a.dirtyMu.Lock()
	defer a.dirtyMu.Unlock()
	dirty := a.dirty
	a.dirty = nil
	return dirty
}

// forget has all read anew.
func (a *active) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known = nil
}

// Active counts the entries in force by project and environment. It may be called while passes run.
func (r *Reconciler) Active() (map[Area]int, error) {
	a := &r.active
	a.mu.Lock()
	defer a.mu.Unlock()
	dirty := a.taken()
	if a.known == nil {
		all, err := r.State.Sizes()
		if err != nil {
			return nil, err
		}
		a.known = all
	} else {
		for ns := range dirty {
			inventory, _, err := r.State.Inventory(ns)
			if err != nil {
				a.known = nil
				return nil, err
			}
			if a.known[ns] = inventory.Size(); a.known[ns] == 0 {
				delete(a.known, ns)
			}
		}
	}
	out := map[Area]int{}
	for ns, n := range a.known {
		out[Area{ProjectOf(ns), ns.Environment}] += n
	}
	return out, nil
}
