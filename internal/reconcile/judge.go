package reconcile

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// judged is one namespace after resolve, open and check: its entries are ready to be planned, or it has errors.
type judged struct {
	namespace lcm.Namespace
	entries   []plan.Entry
	services  []lcm.Service
	findings  []diag.Finding
	drift     []drift  // what targets hold otherwise than it was put there; known once they were listed
	listed    []string // the targets that were
	pause     *Pause   // why its changes wait; nil: they don't
}

func (j *judged) held() bool { return diag.Failed(j.findings) }

// judge resolves, opens and checks namespaces, several at a time. A finding concerns its namespace; an
// error ends the pass.
func (r *Reconciler) judge(ctx context.Context, v trust.Verified, t *tree.Tree, rules *check.Rules, job *job) ([]*judged, error) {
	defer job.lapses.judged(ctx, r.Tracer)
	namespaces, err := job.namespaces(t)
	if err != nil {
		return nil, err
	}
	out := make([]*judged, len(namespaces))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, ns := range namespaces {
		g.Go(func() (err error) {
			out[i], err = r.judgeOne(ctx, v, t, rules, job, ns)
			return err
		})
	}
	return out, g.Wait()
}

func (r *Reconciler) judgeOne(ctx context.Context, v trust.Verified, t *tree.Tree, rules *check.Rules, job *job, ns lcm.Namespace) (*judged, error) {
	began := time.Now()
	resolved := &tree.Resolved{Namespace: ns} // nothing, where an environment is gone or is only a layer now
	if env, ok := t.Settings().Environments[ns.Environment]; ok && !env.Abstract {
		resolved = t.Resolve(ns)
	}
	j := &judged{namespace: ns, pause: job.pauses.of(ns), services: resolved.Services, findings: slices.Concat(resolved.Findings, job.stray[ns])}
	job.lapses.resolve.took(began, !diag.Failed(j.findings))
	began = time.Now()
	opened, more, err := r.open(ctx, v, resolved, job.burned)
	if err != nil {
		return nil, err
	}
	job.lapses.open.took(began, !diag.Failed(more))
	began = time.Now()
	defer func() { job.lapses.check.took(began, !j.held()) }()
	known := &check.Known{Opened: opened}
	if rules.Asks() {
		if known.Changes, err = job.changes(t, resolved); err != nil {
			return nil, fmt.Errorf("finding who changed %s: %w", ns, err)
		}
	}
	before, since, past, err := job.lastCarriedOut(t, ns)
	if err != nil {
		return nil, err
	}
	known.Past, known.Since = past, string(since)
	checked := rules.Namespace(ctx, resolved, before, known)
	j.findings = slices.Concat(j.findings, checked, unsaid(more, checked))
	j.findings = append(j.findings, rules.Overdue(resolved)...)
	j.findings = append(j.findings, r.outside(ns)...)
	if j.findings = diag.Sort(check.Withheld(j.findings)); j.held() {
		return j, ctx.Err()
	}
	j.entries = make([]plan.Entry, 0, len(resolved.Entries))
	for _, e := range resolved.Entries {
		from, err := job.versions.of(e.Address)
		if err != nil {
			return nil, fmt.Errorf("finding the version of %s: %w", e.Address, err)
		}
		entry, err := r.entry(e, opened[e.Address.Key], from)
		if err != nil {
			return nil, err
		}
		if changes := known.Changes[e.Address.Key]; len(changes) > 0 {
			entry.Changed = lcm.Revision(changes[len(changes)-1].Revision)
		}
		j.entries = append(j.entries, entry)
	}
	return j, ctx.Err()
}

// open opens the secrets of a namespace. One that does not open, or holds what is burned, is a finding.
func (r *Reconciler) open(ctx context.Context, v trust.Verified, res *tree.Resolved, b burned) (map[string]lcm.Secret, []diag.Finding, error) {
	opened, findings := map[string]lcm.Secret{}, []diag.Finding(nil)
	for _, e := range res.Entries {
		if e.Kind != lcm.KindSecret {
			continue
		}
		s, err := r.openOne(ctx, v, e)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if err != nil {
			findings = append(findings, sealed(e, err))
			continue
		}
		opened[e.Address.Key] = s
		findings = append(findings, b.findings(r, e, s)...)
	}
	return opened, findings, nil
}

// unsaid leaves out what was said already of a file, by the same rule and with its place.
func unsaid(findings, said []diag.Finding) []diag.Finding {
	return slices.DeleteFunc(findings, func(f diag.Finding) bool {
		return slices.ContainsFunc(said, func(s diag.Finding) bool { return s.File == f.File && s.Rule == f.Rule })
	})
}

var errNoIdentity = errors.New("the daemon has no age identity: configure secrets.age.identityFile")

func (r *Reconciler) openOne(ctx context.Context, v trust.Verified, e *tree.Entry) (lcm.Secret, error) {
	if r.Opener == nil {
		return lcm.Secret{}, errNoIdentity
	}
	return r.Opener.Open(ctx, v, e)
}

// sealed is the finding for a secret that does not open.
func sealed(e *tree.Entry, err error) diag.Finding {
	at := diag.Position{File: e.Origin.File, Line: 1, Column: 1}
	if why := new(sopsfile.Error); errors.As(err, &why) {
		return diag.Errorf(at, why.Rule, "%s", why.Reason)
	}
	return diag.Errorf(at, "sops/open", "the secret does not open: %v", err)
}

// outside refuses namespaces of tenants that the daemon was not given.
func (r *Reconciler) outside(ns lcm.Namespace) []diag.Finding {
	for _, t := range r.Tenants {
		if t == "*" || t == ns.Org {
			return nil
		}
	}
	return []diag.Finding{diag.Errorf(diag.Position{File: "namespaces/" + ns.Org, Line: 1, Column: 1}, "trust/outside-tenants",
		"tenant %s is not among those that this daemon serves for the repository", ns.Org)}
}

// capabilities refuses routes that lead to a target that is not configured, or that offers less than lcm.yaml relies on.
func (r *Reconciler) capabilities(t *tree.Tree) []diag.Finding {
	var out []diag.Finding
	s := t.Settings()
	for name, wants := range s.Targets {
		at := s.YAML.KeyPosition("targets", name)
		real, ok := r.Targets[name]
		switch {
		case !ok:
			out = append(out, diag.Errorf(at, "settings/target", "target %s is not in the daemon's configuration: add it to the targets there, or remove it here", name))
		case wants.Secrets && !real.Capabilities().Secrets:
			out = append(out, diag.Errorf(at, "settings/target", "target %s is relied on for secrets, and the daemon's keeps none", name))
		case wants.MaxClassification.StricterThan(real.MaxClassification):
			out = append(out, diag.Errorf(at, "settings/target", "target %s is relied on for what is %s, and the daemon's takes at most %s", name, wants.MaxClassification, real.MaxClassification))
		}
	}
	return out
}
