package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// burnTrailer, in the message of an approved commit, declares the values burned that an address had before it.
const burnTrailer = "Lcm-Burn:"

// maxBurns bounds what one message may burn.
const maxBurns = 100

// burnTrailers returns the addresses that a message burns; what is no address is left out.
func burnTrailers(message string) (out []lcm.Address) {
	for line := range strings.Lines(message) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), burnTrailer)
		if !ok || len(out) == maxBurns {
			continue
		}
		if a, err := lcm.ParseAddress(strings.TrimSpace(rest)); err == nil && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// burned are the burned values: by fingerprint, what burned them.
type burned map[string]state.Burn

// burn finds out what the commits up to a revision burn, and records it. A burn is never taken back: what
// somebody may know stays known. One whose values could not be opened is tried again, and told in every pass.
func (r *Reconciler) burn(ctx context.Context, v trust.Verified, o Options, report *Report) (burned, error) {
	all, err := r.State.Burns()
	if err != nil {
		return nil, err
	}
	changed, err := r.scan(ctx, v, o, &all, report)
	if err != nil {
		return nil, err
	}
	out := burned{}
	for i := range all.All {
		b := &all.All[i]
		if len(b.Prints) == 0 {
			var why error
			if b.Prints, why = r.printsBefore(ctx, *b); ctx.Err() != nil {
				return nil, ctx.Err()
			} else if why != nil {
				report.addFindings([]diag.Finding{unburned(*b, why)})
			}
			changed = changed || why == nil
		}
		for _, p := range b.Prints {
			out[p] = *b
		}
	}
	if changed && !o.DryRun {
		err = r.State.Burn(all)
		return out, err
	}
	return out, nil
}

// scan adds what the commits burn that were not read yet. If the state has lost how far they were, or the
// branch went another way since, they are all read again, from the introduction.
func (r *Reconciler) scan(ctx context.Context, v trust.Verified, o Options, all *state.Burns, report *Report) (changed bool, err error) {
	from := cmp.Or(all.Scanned, r.Introduction)
	found, on := r.declared(from, v.Revision())
	if !on && o.Revision != "" && all.Scanned != "" {
		return false, nil // a plan for an older revision: what was burned since is burned there too
	}
	if !on {
		from = r.Introduction
		found, _ = r.declared(from, v.Revision())
	}
	consents, err := r.consenting(ctx, v, from, found)
	if err != nil {
		return false, err
	}
	for _, b := range found {
		known := slices.ContainsFunc(all.All, func(o state.Burn) bool { return o.Revision == b.Revision && o.Address == b.Address })
		// A step that cannot be judged any more was accepted by the operator, and burning only refuses.
		if s, judged := consents[b.Revision]; judged && !s.Accepts(sealedPath(b.Address)) {
			report.addFindings([]diag.Finding{unburned(b, errNotTheirs)})
		} else if !known {
			all.All = append(all.All, b)
		}
	}
	changed = all.Scanned != v.Revision()
	all.Scanned = v.Revision()
	return changed, nil
}

var errNotTheirs = errors.New("those who consented to the commit could not change this file by themselves, and so cannot burn it: let a commit with their approvals do it")

// declared returns what the commits of the branch from a revision, exclusive, to another declare burned, oldest
// first; it reports whether the one is on the way to the other.
func (r *Reconciler) declared(from, to lcm.Revision) (found []state.Burn, on bool) {
	for at := to; at != from; {
		c, err := r.Repo.Commit(at)
		if err != nil || len(c.Parents) == 0 {
			return nil, false
		}
		for _, a := range slices.Backward(burnTrailers(c.Message)) {
			found = append(found, state.Burn{Revision: at, Address: a})
		}
		at = c.Parents[0]
	}
	slices.Reverse(found)
	return found, true
}

// consenting returns the steps of the commits that burn something, with who consented to them. Those that were
// accepted in an earlier pass are judged again.
func (r *Reconciler) consenting(ctx context.Context, v trust.Verified, from lcm.Revision, found []state.Burn) (map[lcm.Revision]trust.Step, error) {
	steps := map[lcm.Revision]trust.Step{}
	for _, s := range v.Steps() {
		steps[s.Commit] = s
	}
	if !slices.ContainsFunc(found, func(b state.Burn) bool { _, judged := steps[b.Revision]; return !judged }) {
		return steps, nil
	}
	return steps, r.judgedAgain(ctx, from, v.Revision(), steps)
}

// judgedAgain judges steps that were accepted in an earlier pass, to know who consented to them.
func (r *Reconciler) judgedAgain(ctx context.Context, from, to lcm.Revision, judged map[lcm.Revision]trust.Step) error {
	v, err := trust.Verify(ctx, r.Repo, r.trustConfig(r.clock(Options{DryRun: true})), from, to)
	if refusal := new(trust.Refusal); err != nil && !errors.As(err, &refusal) {
		return fmt.Errorf("finding who consented to a burn: %w", err)
	}
	for _, s := range v.Steps() {
		judged[s.Commit] = s
	}
	return nil
}

func sealedPath(a lcm.Address) string { return folder(a.Namespace) + "/" + a.Key + ".sops.yaml" }

// printsBefore fingerprints the values that an address had before the commit that burns them. The commit was
// believed, and so was its parent: that is what is opened.
func (r *Reconciler) printsBefore(ctx context.Context, b state.Burn) ([]string, error) {
	c, err := r.Repo.Commit(b.Revision)
	if err != nil || len(c.Parents) == 0 {
		return nil, errors.New("the commit cannot be read")
	}
	v, err := trust.Verify(ctx, r.Repo, r.trustConfig(r.clock(Options{DryRun: true})), c.Parents[0], c.Parents[0])
	if err != nil {
		return nil, fmt.Errorf("the commit before it is not believed: %w", err)
	}
	e := &tree.Entry{Address: b.Address, Kind: lcm.KindSecret, Origin: tree.Origin{File: sealedPath(b.Address)}}
	if r.Opener == nil {
		return nil, errNoIdentity
	}
	s, err := r.Opener.OpenWhole(ctx, v, e)
	if err != nil {
		return nil, notOpened(err)
	}
	prints := r.prints(b.Address.Org, append(material(s.Type, s.Data), material(s.Type, s.Previous)...))
	if len(prints) == 0 {
		return nil, fmt.Errorf("before the commit it held no value that could be burned: none of %d characters or more", minMaterial)
	}
	slices.Sort(prints)
	return slices.Compact(prints), nil
}

func notOpened(err error) error {
	switch why := new(sopsfile.Error); {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("before the commit there was no such Secret: name the address of the file that held the value")
	case errors.As(err, &why):
		return errors.New("what it held before the commit does not open: " + why.Reason)
	}
	return errors.New("what it held before the commit does not open")
}

// unburned warns that a burn was not done.
func unburned(b state.Burn, why error) diag.Finding {
	return diag.Warnf(diag.Position{File: sealedPath(b.Address), Line: 1, Column: 1}, "secret/burn", "commit %s declares its values burned, and they are not: %v", b.Revision.Short(), why)
}

// burned finds the fields of a Secret that hold a burned value.
func (b burned) findings(r *Reconciler, e *tree.Entry, s lcm.Secret) (out []diag.Finding) {
	if len(b) == 0 {
		return nil
	}
	for field, v := range s.Reveal() {
		for _, p := range r.prints(e.Address.Org, texts(v)) {
			if burn, ok := b[p]; ok {
				out = append(out, diag.Errorf(e.Position("spec", "data", field), "secret/burned",
					"commit %s burned this value, at %s: whoever knew it knows it still; make a new one where it is issued, and put that in", burn.Revision.Short(), burn.Address))
				break
			}
		}
	}
	return out
}
