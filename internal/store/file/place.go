package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// own is the folder of what is the store's own, beside environments and inside generations. No name of an
// address begins with a dot.
const own = ".lcm"

// place says where the parts of one namespace are, relative to the root.
type place struct {
	service     string // folder of the service
	link        string // the environment: a link to a generation
	generations string // folder of the generations
	target      string // what the link says, before the generation's name: relative to the service's folder
}

func placeOf(ns lcm.Namespace) place {
	service := path.Join(ns.Org, ns.Project, ns.Name)
	target := path.Join(own, ns.Environment)
	return place{service, path.Join(service, ns.Environment), path.Join(service, target), target}
}

// generation is a folder with all of a namespace at one revision.
type generation struct {
	store *Store
	ns    lcm.Namespace
	dir   string // relative to the root; "" if the namespace was never written
	name  string
}

func (g generation) exists() bool { return g.dir != "" }

func (g generation) gone() error {
	return fmt.Errorf("%s points at a folder that is gone: remove the link, and the next pass makes it anew", g.store.full(placeOf(g.ns).link))
}

var generationName = regexp.MustCompile(`^[1-9][0-9]{0,17}$`)

// current returns the generation that the link points at.
func (s *Store) current(ns lcm.Namespace) (generation, error) {
	p := placeOf(ns)
	none := generation{store: s, ns: ns}
	info, err := s.root.Lstat(p.link)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	if info.Mode().Type() != fs.ModeSymlink {
		return none, fmt.Errorf("%s is there already and is not ours: move it away, and the next pass makes it anew", s.full(p.link))
	}
	text, err := s.root.Readlink(p.link)
	if err != nil {
		return none, err
	}
	name := path.Base(text)
	if text != path.Join(p.target, name) || !generationName.MatchString(name) {
		return none, fmt.Errorf("%s is a link that is not ours: move it away, and the next pass makes it anew", s.full(p.link))
	}
	return generation{s, ns, path.Join(p.generations, name), name}, nil
}

// read runs fn on the present generation. A slow reader may find its generation removed; then it
// begins again in the newer one. If the link still names what is gone, that is an error, and not an
// empty namespace.
func (s *Store) read(ctx context.Context, ns lcm.Namespace, fn func(generation) error) error {
	if err := store.CheckNamespace(ns); err != nil {
		return err
	}
	for range 8 {
		if err := ctx.Err(); err != nil {
			return err
		}
		g, err := s.current(ns)
		if err != nil || !g.exists() {
			return err
		}
		err = fn(g)
		if _, gone := s.root.Lstat(g.dir); !errors.Is(gone, fs.ErrNotExist) {
			return err
		}
		if now, err := s.current(ns); err == nil && now.dir == g.dir {
			return now.gone()
		}
	}
	return errors.New("it changes faster than it can be read: try again")
}

// names returns the generations on the disk, oldest first.
func (s *Store) names(p place) ([]string, error) {
	entries, err := s.dir(p.generations)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && generationName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int { return int(number(a) - number(b)) })
	return names, nil
}

func number(generation string) int64 {
	n, _ := strconv.ParseInt(generation, 10, 64) // its pattern admits nothing else
	return n
}

// dir lists a folder, sorted by name. A folder that is a link is refused: ours never are.
func (s *Store) dir(name string) ([]fs.DirEntry, error) {
	if info, err := s.root.Lstat(name); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder: move it away", s.full(name))
	}
	return fs.ReadDir(s.root.FS(), name)
}

// full is a path for messages.
func (s *Store) full(name string) string { return s.path + string(os.PathSeparator) + name }
