package trust

import (
	"io/fs"
	"path"
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
	old, _ := tree.Load(j.view(j.p.tree, settingsChanged))
	new, _ := tree.Load(j.view(j.c.tree, settingsChanged))
	as := make(map[string][]string)
	if old == nil || new == nil {
		for _, d := range documents {
			if d != tree.SettingsFile {
				as[d] = []string{tree.SettingsFile}
			}
		}
		return as, nil
	}
	effects, err := tree.Effects(old, new, documents)
	if err != nil {
		return nil, refuse(j.c.revision, "", "trust/effects", "it cannot be told what this changes elsewhere: %v", err)
	}
	for _, e := range effects {
		as[e.Path] = append(as[e.Path], e.As...)
	}
	return as, nil
}

// view is a tree as far as effects need it: since documents act only within their service, the others
// are left out, and the cost follows the change. If lcm.yaml changes, all are concerned.
func (j *judge) view(t *gitrepo.Tree, whole bool) fs.FS {
	if whole {
		return t
	}
	v := &servicesFS{Tree: t, shown: map[string]bool{}}
	for _, ch := range j.changed {
		if !strings.HasPrefix(ch.Path, "namespaces/") {
			continue
		}
		// namespaces/<org>/<project>/<service>, and the folders above it
		for i, n := len("namespaces/"), 0; n < 3; n++ {
			end := strings.IndexByte(ch.Path[i:], '/')
			if end < 0 {
				break
			}
			v.shown[ch.Path[:i+end]] = true
			i += end + 1
		}
	}
	return v
}

// servicesFS shows lcm.yaml and, below namespaces/, some services only.
type servicesFS struct {
	*gitrepo.Tree
	shown map[string]bool
}

// ReadDir leaves out what is not shown, at the root and in the three folders above the services.
func (v *servicesFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := v.Tree.ReadDir(name)
	within := name == "namespaces" || strings.HasPrefix(name, "namespaces/") && strings.Count(name, "/") <= 2
	if err != nil || name != "." && !within {
		return entries, err
	}
	var shown []fs.DirEntry
	for _, e := range entries {
		switch full := path.Join(name, e.Name()); {
		case full == tree.SettingsFile, full == "namespaces", v.shown[full]:
			shown = append(shown, e)
		}
	}
	return shown, nil
}
