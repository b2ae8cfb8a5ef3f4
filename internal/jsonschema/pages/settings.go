package main

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/jsonschema"
)

// settingsPage is the reference of reconciler.yaml: every setting with its default, its unit and its meaning.
func settingsPage(d *jsonschema.Definitions) (string, error) {
	all, notes, err := d.Settings("#Daemon")
	if err != nil {
		return "", err
	}
	example, err := fs.ReadFile(examples, "examples/Daemon.yaml")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, settingsHead, example)
	writeSettings(&b, all)
	b.WriteString("\n## What else holds\n\n")
	told := map[string]bool{}
	for _, n := range notes {
		if !told[n] && !ofSeveral(n) {
			b.WriteString(n + "\n")
		}
		told[n] = true
	}
	return b.String(), nil
}

// ofSeveral reports whether something is about a repository of several, of which the same is told as of one.
func ofSeveral(text string) bool {
	return strings.HasPrefix(strings.TrimLeft(text, "-` "), "repositories[].")
}

// writeSettings writes a section for each setting at the top, with tables of those below: one of those that are always there,
// and others of those that are there under a condition.
func writeSettings(b *strings.Builder, all []jsonschema.Setting) {
	under := []string{"no table yet"}
	for _, s := range all {
		_, _, below := strings.Cut(s.Path, ".")
		switch {
		case ofSeveral(s.Path):
			continue
		case !below:
			fmt.Fprintf(b, "\n## `%s`\n\n%s\n", s.Path, intro(s))
			under = []string{"no table yet"}
			continue
		case !slices.Equal(under, s.Under) && len(s.Under) > 0:
			fmt.Fprintf(b, "\n### Where %s\n", strings.Join(s.Under, " and "))
			fallthrough
		case !slices.Equal(under, s.Under):
			b.WriteString("\n| setting | value | unit | if absent | meaning |\n|---|---|---|---|---|\n")
		}
		under = s.Under
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", s.Path, cell(s.Value), cell(s.Unit), cell(absent(s)), cell(s.Doc))
	}
}

// intro tells of a setting at the top.
func intro(s jsonschema.Setting) string {
	text := s.Doc
	if s.Leaf() {
		text += " Value: " + s.Value + "."
	}
	switch {
	case s.Required:
		text += " Required."
	case s.Absent != "":
		text += " If absent: " + s.Absent + "."
	}
	return text
}

func absent(s jsonschema.Setting) string {
	if s.Required {
		return "**required**"
	}
	return s.Absent
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

const settingsHead = `# The settings of the daemon

All that ` + "`reconciler.yaml`" + ` may hold, written from [schemas/cue/daemon.cue](../schemas/cue/daemon.cue) by ` + "`make kinds`" + `.

` + "```yaml\n%s```" + `

- ` + "`reconciler config check`" + ` says all that is wrong with a file, and where. Unknown settings are errors.
- Relative paths start at the file's own folder.
- ` + "`${NAME}`" + ` of a variable of the environment may stand in what is called a credential here, nowhere else. One that is not set is an error.
- Secrets stand in files of their own, or in variables of the environment, never in this file.
- More of mirrors, maxFetchAge, heartbeats and metrics is in [freshness.md](freshness.md), of forges in [trust.md](trust.md#merges-made-by-a-forge), of targets in [targets/](targets), of drift in
  [drift.md](drift.md), of maxDeletes in [deletes.md](deletes.md), of windows in [control.md](control.md), of a
  state in etcd in [high-availability.md](high-availability.md), of webhooks in [webhooks.md](webhooks.md), of reports, events and tracing in
  [observability.md](observability.md), of the rest in [reconciler.md](reconciler.md).
- What is called required is so where the mapping around it is given. Columns: what may stand there, what a number counts, what counts if nothing stands there, what it means.
`
