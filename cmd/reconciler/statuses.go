package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/commitstatus"
	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// reportsConfig says to whom a repository's commits are reported.
type reportsConfig struct {
	GitHub *githubReports `json:"github"`
}

type githubReports struct {
	Repository string `json:"repository"`
	URL        string `json:"url"`
	TokenFile  string `json:"tokenFile"`
	Context    string `json:"context"`
	TargetURL  string `json:"targetUrl"`
}

func (g *githubReports) complete(dir string) {
	if g != nil {
		g.TokenFile = absolute(dir, g.TokenFile)
	}
}

// statusesOf is what a pass shows beside commits: of a head that trust refuses also of the revision that is believed.
func statusesOf(r *reconcile.Report) []commitstatus.Status {
	var out []commitstatus.Status
	if f := r.Refusal; f != nil {
		text := fmt.Sprintf("refused: %s: %s", f.Rule, f.Reason)
		if f.Commit != r.Head {
			text = fmt.Sprintf("refused since %s: %s: %s", f.Commit.Short(), f.Rule, f.Reason)
		}
		out = append(out, commitstatus.Status{Revision: r.Head, State: commitstatus.Failure, Description: oneLine(text)})
	}
	if r.Revision != "" && (r.Refusal == nil || r.Revision != r.Head) {
		state, text := outcomeOf(r)
		out = append(out, commitstatus.Status{Revision: r.Revision, State: state, Description: oneLine(text)})
	}
	return out
}

// outcomeOf is what became of the revision that is believed.
func outcomeOf(r *reconcile.Report) (commitstatus.State, string) {
	var found []diag.Finding
	for _, h := range r.Held {
		found = append(found, h.Findings...)
	}
	if f := firstError(append(slices.Clone(r.Findings), found...)); f != nil {
		return commitstatus.Failure, fmt.Sprintf("held: %s:%d %s: %s", f.File, f.Line, f.Rule, f.Message)
	}
	if len(r.Failed) > 0 {
		targets := map[string]bool{}
		for _, f := range r.Failed {
			targets[f.Target] = true
		}
		return commitstatus.Error, "not taken by target " + strings.Join(slices.Sorted(maps.Keys(targets)), ", ")
	}
	if n := len(r.Waiting); n > 0 {
		return commitstatus.Pending, plural(n, "namespace") + " suspended, or outside of the windows for changes"
	}
	return commitstatus.Success, "in force"
}

func firstError(all []diag.Finding) *diag.Finding {
	for _, f := range all {
		if f.Severity == diag.Error {
			return &f
		}
	}
	return nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
