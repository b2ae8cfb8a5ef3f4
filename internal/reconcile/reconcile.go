package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/llm-config-manager/lcm/internal/check"
	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/kept"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/plan"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
	"github.com/llm-config-manager/lcm/internal/state"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/tree"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// Config is what a reconciler works with. All fields are required unless they say otherwise.
type Config struct {
	Repository   string       // the name that the repository must bear
	Branch       string       // the protected branch
	Tenants      []string     // the orgs it may speak for; "*" for all
	Introduction lcm.Revision // the commit that the operator trusts
	Repo         *gitrepo.Repo
	State        *state.DB
	Opener       *sopsfile.Opener // nil: no secret opens, and what has one is held
	Targets      map[string]Target
	Forges       map[string]Forge // by their names in the trust policy; nil: no forge is asked for reviews
	Key          masterkey.Key
	Freshness    Freshness
	Windows      []Window           // outside of which changes wait; nil: at any time
	Grace        time.Duration      // how long what is being written may take when a pass is to stop; 0: not at all
	MaxDeletes   Share              // the daemon's ceiling; the zero value allows only the ten that always pass
	Receipt      string             // a file that always holds the receipt of what was accepted; "": none
	Verdicts     *kept.Values       // where what was judged good is kept, by content; nil: nowhere
	Program      string             // names the program that judges, for what is kept
	Log          *slog.Logger       // nil: no log
	Tracer       trace.Tracer       // nil: passes are not traced
	Events       func(Event)        // called with each, in order; it must not wait for anybody. nil: nobody listens
	Seen         func(lcm.Revision) // called with a head that the branch did not have before; it must not wait for anybody. nil: nobody listens
	// Evaluated is called, from any goroutine, with how long the policies took for one document, and whether they denied it. nil: nobody listens.
	Evaluated func(took time.Duration, denied bool)
	Now       func() time.Time // nil: time.Now
	Office    *Office          // nil: there is no other replica
}

// Target is a destination with what it may be given.
type Target struct {
	store.Target
	MaxClassification lcm.Classification
	Place             string // where it is: once that is another, everything is compared with what is there
	Adopt             plan.Adopt
	ReportDrift       bool          // what somebody changed there by hand is only reported, not put right
	IgnoreDrift       []lcm.Pattern // addresses at which it is not even reported
}

// Reconciler makes the targets equal to the repository. Its passes never overlap: one waits for the other.
type Reconciler struct {
	Config
	passing     chan struct{} // full while a pass is made
	writing     chan struct{} // full while something is written
	stores      map[string]store.Target
	fingerprint []byte
	edition     string // what judges besides the repository: when it changes, everything is judged again
	packs       check.Packs
	trusted     trust.Cache // spares the next pass what this one verified
	seen        sightings   // of the remote
	kept        Receipt     // as it lies in its file, without time and MAC
	term        term
	unasked     map[string]error // the targets whose marks were not yet compared with the state, and why not
	layout      *tree.Layout     // of the last revision that was looked at
	loop        *loop
	before      *standing // the last that events told of
	active      active
	whole       atomic.Pointer[diag.Finding] // why the last pass could use no settings; nil if it could
	began       atomic.Int64                 // when the pass that is made began, in Unix nanoseconds; 0 if none is
}

// New returns a reconciler.
func New(cfg Config) (*Reconciler, error) {
	if cfg.Repo == nil || cfg.State == nil || len(cfg.Targets) == 0 || cfg.Repository == "" || cfg.Branch == "" || cfg.Introduction == "" {
		return nil, errors.New("reconcile: incomplete configuration")
	}
	cfg = cfg.withDefaults()
	r := &Reconciler{Config: cfg, passing: make(chan struct{}, 1), writing: make(chan struct{}, 1), stores: map[string]store.Target{}, unasked: map[string]error{}, fingerprint: cfg.Key.Derive(masterkey.Fingerprint)}
	r.packs.Now, r.packs.Kept, r.packs.Program, r.packs.Evaluated = cfg.Now, cfg.Verdicts, cfg.Program, cfg.Evaluated
	for name, t := range cfg.Targets {
		r.stores[name], r.unasked[name] = cfg.Office.guard(t.Target), errNotYet
	}
	r.edition = edition(cfg)
	r.loop = newLoop(r.Pass)
	return r, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Tracer == nil {
		cfg.Tracer = noop.Tracer{}
	}
	return cfg
}

// Options say what kind of pass it is. The zero value is the regular one.
type Options struct {
	// DryRun plans and writes nothing: not to the targets, not to the state.
	DryRun bool
	// Revision plans for this revision instead of the branch's head. It must be on the accepted chain or build on it. Only with DryRun.
	Revision lcm.Revision
	// Everything lists every namespace, changed or not, and compares every value: the search for drift.
	Everything bool
	// Despite are namespaces whose changes are carried out although their windows are closed. They are recorded.
	Despite []state.Exception
}

// Passing is for how long a pass is being made; 0 if none is.
func (r *Reconciler) Passing() time.Duration {
	if began := r.began.Load(); began != 0 {
		return time.Since(time.Unix(0, began))
	}
	return 0
}

// Pass runs once, from fetch to publish. What the repository, its signers or the targets do wrong is in the
// Report; an error means that the pass itself could not be made.
func (r *Reconciler) Pass(ctx context.Context, o Options) (*Report, error) {
	select {
	case r.passing <- struct{}{}:
		r.began.Store(time.Now().UnixNano())
		defer func() { r.began.Store(0); <-r.passing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	asked := ctx
	last, end := outlive(ctx, r.Grace)
	defer end()
	last, leave, err := r.enter(last)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := until(last, ctx)
	defer cancel()
	report := r.newReport(o)
	tell, err := r.telling(o)
	if err != nil {
		return nil, err
	}
	ctx, span := r.begin(ctx, o)
	if err = r.pass(ctx, bounds{asked, last}, o, report); err == nil {
		err = report.publish(ctx, r)
	}
	report.end(span, err)
	if err == nil && report.Refusal == nil && !o.DryRun {
		r.whole.Store(report.whole())
	}
	if err != nil {
		tell(nil)
		return nil, err
	}
	tell(report)
	return report, nil
}

// pass is the way from fetch to outcome. What is being written when it is to stop may be written to the end, within bounds.
func (r *Reconciler) pass(ctx context.Context, within bounds, o Options, report *Report) error {
	head, err := r.fetch(ctx, o)
	report.Mirror = r.seen.mirror()
	if refusal := trust.Unreadable(head, "what was pushed cannot be read", err); refusal != nil {
		return r.unreadable(ctx, head, refusal, report)
	}
	if err != nil {
		return err
	}
	verified, err := r.verify(ctx, head, o, report)
	if err == nil {
		err = r.sight(ctx, verified, o, report)
	}
	if err != nil || verified.IsZero() {
		return err
	}
	job, err := r.changed(ctx, verified, o)
	if err != nil {
		return err
	}
	report.pauses, job.bounds = job.pauses, within
	if job.versions, err = r.versions(ctx, verified, o); err != nil {
		return err
	}
	if job.nothing() {
		return nil
	}
	if job.burned, err = r.burn(ctx, verified, o, report); err != nil {
		return err
	}
	t, rules, err := r.load(ctx, verified, job, report)
	if err != nil || t == nil {
		return err
	}
	if err := r.suspend(verified, t, job, o); err != nil {
		return err
	}
	if err := r.except(verified, o); err != nil {
		return err
	}
	if job.all {
		rules.Widely()
	}
	judged, err := r.judge(ctx, verified, t, rules, job)
	if err != nil {
		return err
	}
	report.Judged = rules.Fresh()
	if job.all {
		report.addFindings(check.Withheld(rules.Whole()))
		r.keepVerdicts()
	}
	if err := r.raise(ctx, o); err != nil {
		return err
	}
	plans, err := r.plan(ctx, verified, judged, o)
	if err != nil {
		return err
	}
	if err := r.hold(ctx, t, job, judged, plans, o); err != nil {
		return err
	}
	if err := r.restore(ctx, job, judged, plans, o); err != nil {
		return err
	}
	if err := r.carryOut(ctx, verified, job, judged, plans, o, report); err != nil {
		return err
	}
	if err := r.processed(ctx, verified, o, report); err != nil {
		return err
	}
	return nil
}

// fetchTimeout bounds one fetch: a server that trickles must not stop the passes for good.
const fetchTimeout = 15 * time.Minute

var errFetch = errors.New("fetching the repository")

func (r *Reconciler) fetch(ctx context.Context, o Options) (_ lcm.Revision, err error) {
	ctx, end := r.stage(ctx, "fetch")
	defer end(&err)
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	head, from, err := r.fetchAnywhere(ctx)
	r.seen.came(from)
	if err != nil {
		return head, fmt.Errorf("%w: %w", errFetch, err)
	}
	if o.Revision != "" {
		return o.Revision, nil
	}
	return head, nil
}

// unreadable refuses a head whose objects are not even let into the mirror. What was accepted stays.
func (r *Reconciler) unreadable(ctx context.Context, head lcm.Revision, refusal *trust.Refusal, report *Report) error {
	refused(ctx, refusal.Rule)
	ratchet, _, err := r.State.Ratchet()
	report.Head, report.Revision, report.Refusal = head, ratchet.Accepted, refusal
	return err
}

// verify believes or refuses. The ratchet moves before anything else happens, and holds what is believed.
func (r *Reconciler) verify(ctx context.Context, head lcm.Revision, o Options, report *Report) (_ trust.Verified, err error) {
	ctx, end := r.stage(ctx, "verify")
	defer end(&err)
	defer func() {
		if report.Refusal != nil {
			refused(ctx, report.Refusal.Rule)
		}
	}()
	report.Head = head
	ratchet, ok, err := r.State.Ratchet()
	if err != nil {
		return trust.Verified{}, err
	}
	if ok && (ratchet.Branch != r.Branch) {
		return trust.Verified{}, fmt.Errorf("the state is of branch %q, the configuration says %q: a branch is not changed underway", ratchet.Branch, r.Branch)
	}
	if err := r.noticed(head, o); err != nil {
		return trust.Verified{}, err
	}
	if !ok {
		if report.Refusal, err = r.lost(ctx, head); err != nil || report.Refusal != nil {
			return trust.Verified{}, err
		}
		clear(r.unasked)
	}
	seen := r.clock(o)
	from := ratchet.Accepted
	if _, before := seen.accepted(head); o.Revision != "" && (before || head == r.Introduction) {
		from = "" // it was accepted once, and is earned again from the introduction
	}
	cfg := r.trustConfig(seen)
	cfg.Cache = &r.trusted
	if from != "" && ratchet.Introduction == r.Introduction {
		r.trusted.Built(from, r.Introduction)
	}
	verified, err := trust.Verify(ctx, r.Repo, cfg, from, head)
	if refusal := new(trust.Refusal); errors.As(err, &refusal) {
		report.Refusal = refusal
	} else if err != nil {
		return trust.Verified{}, fmt.Errorf("verifying: %w", err)
	}
	if err := seen.record(); err != nil {
		return trust.Verified{}, err
	}
	if verified.IsZero() {
		return verified, nil
	}
	if refusal, err := r.notBehind(ctx, ratchet, verified); err != nil || refusal != nil {
		report.Refusal = refusal
		return trust.Verified{}, err
	}
	report.Revision = verified.Revision()
	if report.ByHand, err = r.byHand(verified.Revision()); err != nil {
		return trust.Verified{}, err
	}
	if from != "" || ratchet.Accepted == "" { // what is earned again was told when it was accepted
		if report.Plan.Loosens, err = r.loosened(verified.Steps()); err != nil {
			return trust.Verified{}, err
		}
	}
	if o.DryRun {
		return verified, nil
	}
	if verified.Revision() != ratchet.Accepted || ratchet.Introduction != r.Introduction {
		steps, err := r.answer(verified)
		if err != nil {
			return trust.Verified{}, err
		}
		ratchet.Branch, ratchet.Introduction, ratchet.Accepted = r.Branch, r.Introduction, verified.Revision()
		if err := r.State.Accept(ratchet, steps, r.Now()); err != nil {
			return trust.Verified{}, err
		}
	}
	return verified, r.keepReceipt(verified)
}

// clock answers trust's questions about time from the state, and remembers what is seen for the first time.
type clock struct {
	r    *Reconciler
	o    Options
	now  time.Time
	seen map[lcm.Revision]time.Time
	err  error
}

func (r *Reconciler) clock(o Options) *clock {
	return &clock{r: r, o: o, now: r.Now(), seen: map[lcm.Revision]time.Time{}}
}

func (c *clock) first(rev lcm.Revision) time.Time {
	at, ok, err := c.r.State.FirstSeen(rev)
	if err != nil {
		c.err = err
	}
	if !ok {
		at = c.now
		c.seen[rev] = at
	}
	return at
}

func (c *clock) accepted(rev lcm.Revision) (time.Time, bool) {
	at, ok, err := c.r.State.AcceptedAt(rev)
	if err != nil {
		c.err = err
	}
	return at, ok
}

func (c *clock) record() error {
	if c.err != nil || c.o.DryRun {
		return c.err
	}
	return c.r.State.Saw(c.seen)
}

// load reads the settings and builds the rules. A repository whose settings can't be used is held whole;
// what stands wrongly among the documents holds only those it stands among.
func (r *Reconciler) load(ctx context.Context, v trust.Verified, j *job, report *Report) (_ *tree.Tree, _ *check.Rules, err error) {
	ctx, end := r.stage(ctx, "load")
	defer end(&err)
	t, findings := tree.LoadAfter(v.FS(), r.layout)
	var nobody []diag.Finding
	if t != nil {
		r.layout = t.Layout()
		findings, nobody = j.contain(t, findings)
		findings = append(findings, r.capabilities(t)...)
	}
	rules, more, err := r.packs.Rules(ctx, v.FS(), t)
	if err != nil {
		return nil, nil, err
	}
	findings = append(findings, more...)
	report.HeldWhole = diag.Failed(findings)
	report.addFindings(check.Withheld(append(findings, nobody...)))
	if report.HeldWhole {
		return nil, nil, nil
	}
	rules.Recall(&r.packs, v.FS())
	return t, rules, nil
}

// keepVerdicts writes down what was judged good, for the next start. Nothing depends on it.
func (r *Reconciler) keepVerdicts() {
	if r.Verdicts == nil {
		return
	}
	if err := r.Verdicts.Flush(); err != nil {
		r.Log.Warn("verdicts can't be kept: a restart judges anew", "error", err)
	}
}

// processed records that every namespace of the revision was applied, held or recorded as failed.
func (r *Reconciler) processed(ctx context.Context, v trust.Verified, o Options, report *Report) error {
	if o.DryRun {
		return nil
	}
	ratchet, _, err := r.State.Ratchet()
	if err != nil {
		return err
	}
	if ratchet.Processed == v.Revision() && ratchet.Rules == r.edition {
		return nil
	}
	if ratchet.Processed != v.Revision() && ratchet.Processed != "" {
		if err := r.anchor(ctx, v, report); err != nil {
			return err
		}
	}
	ratchet.Processed, ratchet.Rules = v.Revision(), r.edition
	return r.State.Accept(ratchet, nil, r.Now())
}

// edition names the built-in rules, the tenants, the targets and what they may be given.
func edition(cfg Config) string {
	e := check.Edition() + ";" + strings.Join(cfg.Tenants, ",")
	for _, name := range slices.Sorted(maps.Keys(cfg.Targets)) {
		t := cfg.Targets[name]
		e += fmt.Sprintf(";%s:%s:%t:%q", name, t.MaxClassification, t.Capabilities().Secrets, t.Place)
	}
	return e
}
