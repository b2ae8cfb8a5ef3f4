package trust

import (
	"strings"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/tree"
)

// effects returns, for each changed path, the other paths by whose rules it is judged too: those in
// environments where it changes what a key resolves to.
//
// If lcm.yaml is unusable on either side, nobody can say what resolves to what. Then every change
// of a document is judged as a change of lcm.yaml too: whoever may change the settings could bring
// about as much by them, so nothing is loosened, and a step that repairs lcm.yaml stays possible.
func (j *judge) effects() (map[string][]string, error) {
	var documents []string
	settingsChanged := false
	for _, ch := range j.changed {
		settingsChanged = settingsChanged || ch.Path == tree.SettingsFile
		if strings.HasPrefix(ch.Path, "namespaces/") || ch.Path == tree.SettingsFile {
			documents = append(documents, ch.Path)
		}
	}
	if len(documents) == 0 {
		return nil, nil
	}
	effects, known, err := j.between(documents, settingsChanged)
	if err != nil {
		return nil, refuse(j.c.revision, "", "trust/effects", "it cannot be told what this changes elsewhere: %v", err)
	}
	as := make(map[string][]string)
	if !known {
		for _, d := range documents {
			if d != tree.SettingsFile {
				as[d] = []string{tree.SettingsFile}
			}
		}
		return as, nil
	}
	for _, e := range effects {
		as[e.Path] = append(as[e.Path], e.As...)
	}
	return as, nil
}

// between finds the effects of changed documents; known is false if lcm.yaml is unusable on a side. If it
// changes, all services are concerned; else documents act only within their service, and the cost
// follows the change.
func (j *judge) between(documents []string, settingsChanged bool) (effects []tree.Effect, known bool, err error) {
	if settingsChanged {
		old, _ := tree.Load(j.p.tree)
		new, _ := tree.Load(j.c.tree)
		if old == nil || new == nil {
			return nil, false, nil
		}
		effects, err = tree.Effects(old, new, documents)
		return effects, true, err
	}
	if j.p.tree.Check() != nil || j.c.tree.Check() != nil {
		return nil, false, nil
	}
	settings := j.w.cache.settings(j.p.tree)
	if settings == nil {
		return nil, false, nil
	}
	effects, err = settings.Between(j.p.tree, j.c.tree, documents, &j.w.cache.documents)
	return effects, true, err
}

// settings reads lcm.yaml of a tree, if it was not read before: the very file, as Git names it.
// The tree must be within the limits.
func (c *Cache) settings(t *gitrepo.Tree) *tree.Settings {
	id := idOf(t, tree.SettingsFile)
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.read[id]
	if !ok {
		if s = tree.ReadSettings(t); c.read == nil || len(c.read) >= maxCached {
			c.read = map[gitrepo.Blob]*tree.Settings{}
		}
		c.read[id] = s
	}
	return s
}
