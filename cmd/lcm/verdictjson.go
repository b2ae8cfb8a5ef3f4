package main

import (
	"errors"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

type checkJSON struct {
	Schema   string            `json:"schema"`
	Head     lcm.Revision      `json:"head"`
	Base     lcm.Revision      `json:"base"`  // the tip of the protected branch
	Ready    bool              `json:"ready"` // one person can complete it by signing the merge; or it changes nothing
	Changed  []string          `json:"changed"`
	Mergers  []string          `json:"mergers"`           // who that could be
	Wants    []wantJSON        `json:"wants"`             // rules that the consents so far do not meet
	Unsigned []refusalJSON     `json:"unsigned"`          // commits without a signature that counts
	Loosens  []trust.Loosening `json:"loosens"`           // what it permits that is not permitted now, or may
	Refused  *refusalJSON      `json:"refused,omitempty"` // what nobody's consent helps
}

type wantJSON struct {
	Rule     string   `json:"rule"`
	Needed   int      `json:"needed"`
	Missing  int      `json:"missing"`
	Consents []string `json:"consents"`
	Able     []string `json:"able"`
	Paths    []string `json:"paths"`
}

type refusalJSON struct {
	Commit lcm.Revision `json:"commit"`
	Path   string       `json:"path,omitempty"`
	Rule   string       `json:"rule"`
	Reason string       `json:"reason"`
}

func refusalOf(r *trust.Refusal) refusalJSON { return refusalJSON{r.Commit, r.Path, r.Rule, r.Reason} }

// jsonCheck tells what a merge still needs, and ends as trustCheck does.
func (c *cli) jsonCheck(d *desk, head lcm.Revision, p *trust.Preview, err error) error {
	out := checkJSON{Schema: "lcm.trust-check/v1", Head: head, Base: d.tip, Changed: []string{}, Mergers: []string{}, Wants: []wantJSON{}, Unsigned: []refusalJSON{}, Loosens: []trust.Loosening{}}
	if refusal := new(trust.Refusal); errors.As(err, &refusal) {
		r := refusalOf(refusal)
		out.Refused = &r
		return errors.Join(c.json(out), errNotYet)
	}
	if err != nil {
		return err
	}
	out.Ready = len(p.Mergers) > 0 || len(p.Changed) == 0 && len(p.Unsigned) == 0
	out.Mergers = append(out.Mergers, p.Mergers...)
	for _, ch := range p.Changed {
		out.Changed = append(out.Changed, ch.Path)
	}
	out.Loosens = append(out.Loosens, p.Loosens...)
	for _, r := range p.Unsigned {
		out.Unsigned = append(out.Unsigned, refusalOf(r))
	}
	for _, w := range p.Wants {
		out.Wants = append(out.Wants, wantJSON{w.Rule.String(), w.Needed, w.Missing(), append([]string{}, w.Consents...), append([]string{}, w.Able...), w.Paths})
	}
	if err := c.json(out); err != nil || out.Ready {
		return err
	}
	return errNotYet
}

type stepJSON struct {
	Schema    string       `json:"schema"`
	Commit    lcm.Revision `json:"commit"`
	Believed  bool         `json:"believed"`
	Signer    string       `json:"signer,omitempty"`
	Forge     string       `json:"forge,omitempty"` // whose merge was made again
	Adopted   bool         `json:"adopted,omitempty"`
	Approvers []string     `json:"approvers"`
	Judged    []judgedJSON `json:"judged"`
	Refused   *refusalJSON `json:"refused,omitempty"`
}

type judgedJSON struct {
	Rule     string   `json:"rule"`
	Basis    string   `json:"basis"`
	Consents []string `json:"consents"`
	Needed   int      `json:"needed"`
	Paths    []string `json:"paths"` // some of them
	Count    int      `json:"count"` // of all
}

// jsonStep tells how one commit was judged.
func (c *cli) jsonStep(rev lcm.Revision, v trust.Verified, err error) error {
	out := stepJSON{Schema: "lcm.trust-explain/v1", Commit: rev, Approvers: []string{}, Judged: []judgedJSON{}}
	if refusal := new(trust.Refusal); errors.As(err, &refusal) {
		r := refusalOf(refusal)
		out.Refused = &r
		return errors.Join(c.json(out), errors.New("it is not believed"))
	}
	if err != nil {
		return err
	}
	s := v.Steps()[0]
	out.Believed, out.Signer, out.Forge, out.Adopted = true, s.Signer, s.Forge, s.Adopted
	out.Approvers = append(out.Approvers, s.Approvers...)
	for _, j := range s.Judged {
		out.Judged = append(out.Judged, judgedJSON{j.Rule.String(), string(j.Basis), append([]string{}, j.Consents...), j.Needed, j.Paths, j.Count})
	}
	return c.json(out)
}
