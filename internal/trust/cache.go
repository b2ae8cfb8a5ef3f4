package trust

import (
	"sync"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// Cache keeps, between calls of Verify, what stays true however a branch moves: parsed policies by
// the object ids of their files, and which revision was found to be built on which introduction. It
// is for one repository and may be shared. The zero Cache is ready.
type Cache struct {
	mu       sync.Mutex
	policies map[policyID]parsedPolicy
	keys     edKeys
	read     map[gitrepo.Blob]*tree.Settings // by the file lcm.yaml; nil if it is unusable
	built    map[lcm.Revision]lcm.Revision   // revision → introduction

	documents tree.Kept
}

const maxCached = 256

// policyID names the content of a policy: the object ids of trust.yaml and of the tenants' folder.
type policyID struct {
	file, tenants         string
	fileMode, tenantsMode uint32
}

type parsedPolicy struct {
	policy   *Policy // nil if it cannot be put in force
	findings []diag.Finding
}

func policyIDOf(t *gitrepo.Tree) policyID {
	var id policyID
	id.file, id.fileMode, _ = t.ID(policyFile)
	id.tenants, id.tenantsMode, _ = t.ID(tenantsDir)
	return id
}

// policy returns T of a tree.
func (c *Cache) policy(t *gitrepo.Tree) (parsedPolicy, error) {
	id := policyIDOf(t)
	c.mu.Lock()
	p, ok := c.policies[id]
	c.mu.Unlock()
	if ok {
		return p, nil
	}
	var err error
	if p.policy, p.findings, err = loadPolicy(t); err != nil {
		return p, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.policies[id]; ok {
		return known, nil
	}
	if p.policy != nil {
		c.keys.share(p.policy)
	}
	if c.policies == nil || len(c.policies) >= maxCached {
		c.policies = map[policyID]parsedPolicy{}
	}
	c.policies[id] = p
	return p, nil
}

func (c *Cache) isBuilt(revision, introduction lcm.Revision) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.built[revision] == introduction
}

// Built notes that a revision was accepted by an introduction, as an authenticated state says, so that it
// need not be traced back to it.
func (c *Cache) Built(revision, introduction lcm.Revision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.built == nil || len(c.built) >= maxCached {
		c.built = map[lcm.Revision]lcm.Revision{}
	}
	c.built[revision] = introduction
}
