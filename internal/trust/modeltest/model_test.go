package modeltest

import (
	"maps"
	"slices"
	"strings"
)

// The rules of DESIGN.md, section 3, points 1 to 8 and 10, as naively as they can be written down.

// daemon is what a daemon remembers from one push to the next.
type daemon struct {
	h              *history
	trees          []tree
	seen, accepted map[int]int // commit → hour
	introduction   int
	last           int // none: nothing was accepted yet
	refs           []ref
}

const none = -1

func newDaemon(h *history) *daemon {
	return &daemon{h: h, trees: h.trees(), seen: map[int]int{}, accepted: map[int]int{}, last: none}
}

// verdict is what becomes of a push.
type verdict struct {
	revision int      // the last one believed, or none
	steps    []step   // those that were believed
	faults   []fault  // of the first step that was not; none: all is believed
	notes    []string // what played a part in the judgement, so that a test can tell what was met
}

// fault is one of the reasons to refuse a step. The commit may be none, and the path empty, if there is no one to name.
type fault struct {
	commit int
	rule   string
	path   string
	reason string // part of what is said; empty: anything
}

type step struct {
	parent, commit int
	signer         string
	adopted        bool
	met            []met
}

// met is a rule that a changed path met, as itself or as a path in another environment.
type met struct {
	path, as string
	rule     string
	needed   int
	basis    string
	consents string
}

// push is points 2 and 12: what is shown must be built on what was accepted.
func (d *daemon) push(p push) verdict {
	d.introduction = p.introduction
	for _, r := range p.refs { // one of a name replaces an earlier one
		d.refs = slices.DeleteFunc(d.refs, func(old ref) bool { return old.head == r.head && old.name == r.name })
		d.refs = append(d.refs, r)
	}
	for c := range d.h.ancestors(p.head) {
		if _, before := d.seen[c]; !before {
			d.seen[c] = p.at
		}
	}
	if d.last != none && !slices.Contains(d.h.firstParents(d.last), d.introduction) {
		return verdict{revision: none, faults: []fault{{none, "trust/introduction", "", ""}}}
	}
	chain := d.h.firstParents(p.head)
	start := d.last
	if start == none {
		start = d.introduction
		if faults := d.policyFaults(none, start); len(faults) > 0 {
			return verdict{revision: none, faults: faults}
		}
		d.last, d.accepted[start] = start, p.at
	}
	v := verdict{revision: start}
	i := slices.Index(chain, start)
	if i < 0 {
		v.faults = []fault{{none, "trust/rewritten", "", ""}}
		return v
	}
	for _, c := range slices.Backward(chain[:i]) {
		j := d.judge(v.revision, c)
		v.notes = append(v.notes, j.notes...)
		if v.faults = j.faults; len(v.faults) > 0 {
			break
		}
		v.steps = append(v.steps, j.step)
		v.revision, d.last, d.accepted[c] = c, c, p.at
	}
	return v
}

// judgement is one step p→c being judged by the policy of p.
type judgement struct {
	*daemon
	step
	old, new  tree
	by        *inForce
	at        int
	brought   []int // what the step brings in, c included
	approvals []counted
	faults    []fault
	notes     []string
}

// counted is a signed approval that is what it says.
type counted struct {
	approval
	who string
}

func (d *daemon) judge(p, c int) *judgement {
	j := &judgement{daemon: d, step: step{parent: p, commit: c}, old: d.trees[p], new: d.trees[c], by: policyOf(d.trees[p]), at: d.seen[c]}
	before := d.h.ancestors(p)
	for a := range d.h.ancestors(c) {
		if !before[a] {
			j.brought = append(j.brought, a)
		}
	}
	slices.Sort(j.brought)
	j.collectApprovals()
	j.signatures()
	j.faults = append(j.faults, d.policyFaults(p, c)...)
	j.tenants()
	j.paths()
	return j
}

func (j *judgement) fault(commit int, rule, path string) {
	j.faults = append(j.faults, fault{commit, rule, path, ""})
}

// signatures is points 1, 7 and 10: every commit is signed by a principal, or all is adopted.
func (j *judgement) signatures() {
	mendable := true
	var faults []fault
	for _, c := range j.brought {
		if rule := j.signature(c); rule != "" {
			faults = append(faults, fault{c, rule, "", ""})
			mendable = mendable && (rule == "trust/unsigned" || rule == "trust/unknown-key" || rule == "trust/expired-key")
		}
	}
	if j.signature(j.commit) == "" {
		j.signer, _, _ = j.by.owner(j.h.commits[j.commit].key)
	}
	switch {
	case len(faults) == 0:
	case mendable && j.adoptable():
		j.adopted = true
	default:
		j.faults = append(j.faults, faults...)
	}
}

func (j *judgement) signature(c int) (rule string) {
	_, k, known := j.by.owner(j.h.commits[c].key)
	switch flaw := j.h.commits[c].flaw; {
	case flaw == unsigned:
		return "trust/unsigned"
	case flaw == wrongNamespace:
		return "trust/wrong-namespace"
	case !known:
		return "trust/unknown-key"
	case flaw == badSignature:
		return "trust/bad-signature"
	case !k.valid(j.at):
		return "trust/expired-key"
	}
	return ""
}

// policyFaults is point 6, and the names of point 1. Whether enough persons are left is asked when the policy changes: that a
// key expires does not stop everything else. p may be none: the introduction.
func (d *daemon) policyFaults(p, c int) (faults []fault) {
	add := func(rule, path string) { faults = append(faults, fault{c, rule, path, ""}) }
	t := d.trees[c]
	next := policyOf(t)
	if next == nil {
		add("trust/policy-unsound", "")
		return faults
	}
	if next.repository != "acme-config" || next.branch != "main" {
		add("trust/wrong-repository", "")
	}
	changes := p == none
	for _, path := range d.changed(p, c) {
		after := versionOf(t[path])
		changes = changes || after != 0 || versionOf(d.trees[p][path]) != 0
		if after != 0 && after != versionOf(d.trees[p][path])+1 {
			add("trust/policy-version", path)
		}
	}
	if changes && !next.satisfiable(d.seen[c]) {
		faults = append(faults, fault{c, "trust/policy-unsound", policyFile, "trust/unsatisfiable"})
	}
	return faults
}

// changed lists the paths that a step changes; none of the introduction.
func (d *daemon) changed(p, c int) []string {
	if p == none {
		return nil
	}
	return changed(d.trees[p], d.trees[c])
}

// versionOf is the version of a policy or a tenant's file; 0 if there is none.
func versionOf(f *content) int {
	if f == nil {
		return 0
	}
	switch p := f.means.(type) {
	case *policy:
		return p.version
	case *tenant:
		return p.version
	}
	return 0
}

// tenants is point 13, and file modes.
func (j *judgement) tenants() {
	for _, path := range changed(j.old, j.new) {
		f := j.new[path]
		if f == nil {
			continue
		}
		if org := orgOf(path); org != "" && org != "acme" && org != "globex" {
			j.fault(j.commit, "trust/outside-tenants", path)
		}
		if f.means == (link{}) {
			j.fault(j.commit, "trust/file-mode", path)
		}
	}
}

// orgOf is the tenant of a document, or of a tenant's policy.
func orgOf(path string) string {
	if rest, ok := strings.CutPrefix(path, ".lcm/tenants/"); ok {
		return strings.TrimSuffix(rest, ".yaml")
	}
	if s := strings.Split(path, "/"); s[0] == "namespaces" {
		return s[1]
	}
	return ""
}

// paths is points 3 and 4: every rule of every changed path, and of what it changes elsewhere.
func (j *judgement) paths() {
	j.eachRule(func(path, as string, r boundRule) {
		needed, basis, consents := r.approvals, "approvals", j.consents(path, as, r)
		switch {
		case j.adopted:
			basis = "adoption"
		case len(consents) >= needed:
		case j.restored(path, as) && r.rollback != 0 && len(consents) >= r.rollback:
			basis, needed = "rollback", r.rollback
		case j.rotates(as, r):
			basis, needed, consents = "rotation", 1, []string{j.signer}
		}
		if len(consents) < needed {
			j.fault(j.commit, "trust/approvals", path)
			return
		}
		j.met = append(j.met, met{path, as, ruleName(r), needed, basis, strings.Join(consents, " ")})
	})
}

// ruleName is how trust, too, names a rule, but for the place in the file.
func ruleName(r boundRule) string {
	file := policyFile
	if r.org != "" {
		file = tenantFile(r.org)
	}
	return strings.Join(r.paths, ", ") + " (" + file
}

// eachRule calls do for each rule of each changed path; a path without one is a fault.
func (j *judgement) eachRule(do func(path, as string, r boundRule)) {
	for _, path := range changed(j.old, j.new) {
		for _, as := range append([]string{path}, effects(j.old, j.new, path)...) {
			rules := j.by.matching(as)
			if len(rules) == 0 {
				j.fault(j.commit, "trust/no-rule", path)
			}
			for _, r := range rules {
				do(path, as, r)
			}
		}
	}
}

// consents names the persons who agreed to what the step makes of a path and whom a rule counts, sorted.
func (j *judgement) consents(path, as string, r boundRule) []string {
	who := map[string]bool{}
	for _, a := range j.approvals {
		who[a.who] = who[a.who] || j.approves(a, path)
	}
	if j.adopted {
		who = j.adopters()
	} else {
		who[j.signer] = true
		for name := range j.by.people {
			who[name] = who[name] || !r.signed && j.committed(name, path)
		}
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(who)) {
		if p := j.by.people[name]; who[name] && !p.bot && r.counts(p, as) {
			names = append(names, name)
		}
	}
	return names
}

// committed reports whether a person's commits on a side branch gave a path what the step makes of it: one of them on a
// recent branch, and none that is not behind them gave it something else, or the consent was withdrawn.
func (j *judgement) committed(name, path string) bool {
	var agreed, opposed []int
	for _, s := range j.brought {
		if owner, _, _ := j.by.owner(j.h.commits[s].key); owner != name || s == j.commit || len(j.h.commits[s].parents) == 0 {
			continue
		}
		switch same, of := j.sameAsParents(s, path); {
		case j.trees[s].text(path) == j.new.text(path) && same == 0:
			agreed = append(agreed, s)
		case j.trees[s].text(path) != j.new.text(path) && same < of:
			opposed = append(opposed, s)
		}
	}
	withdrawn := slices.ContainsFunc(opposed, func(o int) bool {
		return !slices.ContainsFunc(agreed, func(a int) bool { return j.h.ancestors(a)[o] })
	})
	recent := slices.ContainsFunc(agreed, j.fresh)
	j.note("consent withdrawn", withdrawn && recent)
	j.note("consent too old", len(agreed) > 0 && !recent)
	return !withdrawn && recent
}

func (j *judgement) note(what string, met bool) {
	if met {
		j.notes = append(j.notes, what)
	}
}

// sameAsParents counts the parents in which a path is what it is in a commit.
func (j *judgement) sameAsParents(s int, path string) (same, of int) {
	for _, p := range j.h.commits[s].parents {
		if j.trees[p].text(path) == j.trees[s].text(path) {
			same++
		}
	}
	return same, len(j.h.commits[s].parents)
}

// fresh reports whether a side commit forks from a revision accepted within 30 days.
func (j *judgement) fresh(s int) bool {
	behind := j.h.ancestors(s)
	for _, r := range j.h.firstParents(j.parent) {
		if behind[r] {
			at, ok := j.accepted[r]
			return ok && j.at-at <= 30*24
		}
	}
	return false
}

// restored reports whether a step brings back a content that a path had at an accepted revision; of an effect, whether
// the whole service, and what it inherits from, was as it is now.
func (j *judgement) restored(path, as string) bool {
	if j.settings(path) || strings.HasSuffix(path, ".sops.yaml") || j.new[path] == nil {
		return false
	}
	for _, r := range j.h.firstParents(j.parent) {
		was := j.trees[r]
		if as == path && was.text(path) == j.new.text(path) {
			return true
		}
		if as != path && !slices.ContainsFunc(changed(was, j.new), func(other string) bool {
			return other == settingsFile || strings.HasPrefix(other, serviceOf(path))
		}) {
			return true
		}
		if r == j.introduction {
			break
		}
	}
	return false
}

func (j *judgement) settings(path string) bool {
	for _, p := range []string{".lcm/", "schemas/", "policies/"} {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return path == ".sops.yaml" || path == settingsFile
}

// rotates reports whether the signer alone is enough for a rule, since the step replaces sealed values only and the rule
// names the signer, or asks for one with a role of the signer's, bot or not, and another rule of the path names the signer.
func (j *judgement) rotates(as string, r boundRule) bool {
	signer := j.by.people[j.signer]
	names := func(r boundRule) bool { return slices.Contains(r.rotation, j.signer) }
	anybody := boundRule{rule: rule{roles: []string{"*"}}}
	return j.onlySealedValues() && anybody.counts(signer, as) && slices.ContainsFunc(j.by.matching(as), names) &&
		(names(r) || r.approvals == 1 && r.counts(signer, as))
}

// onlySealedValues reports whether the step replaces sealed values of Secrets that exist, and nothing else. To whom they
// are sealed is checked elsewhere.
func (j *judgement) onlySealedValues() bool {
	for _, path := range changed(j.old, j.new) {
		if j.old[path] == nil || j.new[path] == nil {
			return false
		}
		before, ok1 := j.old[path].means.(*secret)
		after, ok2 := j.new[path].means.(*secret)
		if !ok1 || !ok2 {
			return false
		}
		but := *after
		but.sealed, but.recipient = before.sealed, before.recipient
		if but != *before {
			return false
		}
	}
	return true
}
