package tree

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// Mentions says which services a service's files may refer to, by the services that are referred to.
type Mentions map[lcm.Service][]lcm.Service

// Mentions reads all files of a tenant for the other services that they name. It takes every file that names one for
// one that refers to it, in whatever environment, so that it may say too much and never too little.
func (t *Tree) Mentions(ctx context.Context, org string) (Mentions, error) {
	var mu sync.Mutex
	out := Mentions{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, s := range t.services {
		if s.Org != org {
			continue
		}
		g.Go(func() error {
			for to := range t.mentionedBy(s) {
				mu.Lock()
				out[to] = append(out[to], s)
				mu.Unlock()
			}
			return ctx.Err()
		})
	}
	return out, g.Wait()
}

// Reaching returns the services whose references lead to one of some services, over however many others.
func (m Mentions) Reaching(to []lcm.Service) map[lcm.Service]bool {
	seen := map[lcm.Service]bool{}
	for queue := slices.Clone(to); len(queue) > 0; queue = queue[1:] {
		for _, s := range m[queue[0]] {
			if !seen[s] {
				seen[s] = true
				queue = append(queue, s)
			}
		}
	}
	return seen
}

func (t *Tree) mentionedBy(s lcm.Service) map[lcm.Service]bool {
	found := map[lcm.Service]bool{}
	for layer := range t.layers[s] {
		dir := layerDir(s, layer)
		entries, _ := list(t.fsys, dir)
		for _, e := range entries {
			file := dir + "/" + e.Name()
			if !e.Type().IsRegular() || strings.HasSuffix(file, string(formSealed)) {
				continue // what is sealed refers to nothing
			}
			if data, f := read(t.fsys, file); f == nil {
				mentioned(file, data, s.Org, found)
			}
		}
	}
	delete(found, s)
	return found
}

// mentioned finds /org/project/service/… in a file as it is written. Only where there are backslashes a string may read
// otherwise than it is written.
func mentioned(file string, data []byte, org string, found map[lcm.Service]bool) {
	scan(string(data), org, found)
	if !bytes.ContainsRune(data, '\\') {
		return
	}
	if front, ok := bytes.CutPrefix(data, []byte("---\n")); ok && strings.HasSuffix(file, string(formPrompt)) {
		data, _, _ = bytes.Cut(front, []byte("\n---\n"))
	}
	if doc, _ := strictyaml.Parse(file, data); doc != nil {
		scanValue(doc.Value, org, found)
	}
}

func scan(text, org string, found map[lcm.Service]bool) {
	start := "/" + org + "/"
	for {
		_, rest, ok := strings.Cut(text, start)
		if !ok {
			return
		}
		text = rest
		if p := strings.SplitN(text[:min(len(text), 3*lcm.MaxName)], "/", 3); len(p) == 3 {
			found[lcm.Service{Org: org, Project: p[0], Name: p[1]}] = true
		}
	}
}

func scanValue(v any, org string, found map[lcm.Service]bool) {
	switch v := v.(type) {
	case string:
		scan(v, org, found)
	case map[string]any:
		for _, c := range v {
			scanValue(c, org, found)
		}
	case []any:
		for _, c := range v {
			scanValue(c, org, found)
		}
	}
}
