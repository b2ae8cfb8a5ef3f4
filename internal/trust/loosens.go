package trust

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Loosens says in plain words, one a line, what a policy permits that the one before it did not: whose consent
// counts that did not, how many fewer are asked for, and which paths escape a rule. It compares what the
// policies do, not how they are written: order, formatting and a rule that was taken apart do not count.
// Where it cannot be told that something is as strict as before, it is named.
func Loosens(before, after *Policy) []string {
	l := &loosening{before: before, after: after}
	l.principals()
	l.authorities()
	l.forges()
	for _, r := range before.rules {
		l.rule(r)
	}
	l.permissions()
	l.rotations()
	return l.words
}

// loosening collects what gets looser.
type loosening struct {
	before, after *Policy
	words         []string
}

func (l *loosening) say(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(l.words, s) {
		l.words = append(l.words, s)
	}
}

func (l *loosening) principals() {
	for _, now := range l.after.Principals() {
		was := l.before.principals[now.Name]
		if was == nil {
			l.say("%s is new, %s with %s", now.Name, rolesOf(now.Roles), plural(len(now.Keys), "key"))
			continue
		}
		if was.Bot && !now.Bot {
			l.say("%s is no bot any more, and counts as a person", now.Name)
		}
		if more := beyond(now.Roles, was.Roles); len(more) > 0 {
			l.say("%s gets the role %s", now.Name, rolesOf(more))
		}
		l.keys(now.Name, was.Keys, now.Keys)
		for _, forge := range slices.Sorted(maps.Keys(now.Logins)) {
			if now.Logins[forge] != was.Logins[forge] {
				l.say("reviews of %s at %s count for %s", now.Logins[forge], forge, now.Name)
			}
		}
	}
}

// keys compares the keys of one owner.
func (l *loosening) keys(owner string, was, now []*Key) {
	for _, k := range now {
		i := slices.IndexFunc(was, func(old *Key) bool { return old.Fingerprint == k.Fingerprint })
		if i < 0 {
			l.say("%s gets the key %s", owner, k.Fingerprint)
			continue
		}
		old := was[i]
		if len(beyond(k.material, old.material)) > 0 {
			l.say("the key %s of %s signs by another key, too", k.Fingerprint, owner)
		}
		if !old.NotAfter.IsZero() && (k.NotAfter.IsZero() || k.NotAfter.After(old.NotAfter)) {
			l.say("the key %s of %s is valid %s, not only until %s", k.Fingerprint, owner, until(k.NotAfter), old.NotAfter.Format(time.RFC3339))
		}
		if k.openpgp != nil && k.openpgp.outlasts(old.openpgp) {
			l.say("the key %s of %s is valid for longer, or again", k.Fingerprint, owner)
		}
	}
}

func until(t time.Time) string {
	if t.IsZero() {
		return "without end"
	}
	return "until " + t.Format(time.RFC3339)
}

// authorities says which certificates count that did not. A new authority counts for nothing until a principal
// has a key of its, which is named with the principal.
func (l *loosening) authorities() {
	for _, now := range l.after.Authorities() {
		was := l.before.authorities[now.Name]
		if was == nil {
			continue
		}
		if now.Fingerprint != was.Fingerprint {
			l.say("the authority %s certifies by the key %s", now.Name, now.Fingerprint)
		}
		for _, id := range slices.Sorted(maps.Keys(was.revoked)) {
			if !now.revoked[id] {
				l.say("the authority %s does not revoke %s any more", now.Name, id)
			}
		}
	}
}

func (l *loosening) forges() {
	for _, now := range l.after.Forges() {
		was := l.before.forges[now.Name]
		if was == nil {
			was = &Forge{}
		}
		if now.Merges && !was.Merges {
			l.say("merges that the forge %s makes are believed, if they can be made again", now.Name)
		}
		if now.Reviews && !was.Reviews {
			l.say("reviews at the forge %s count", now.Name)
		}
		l.keys("the forge "+now.Name, was.Keys, now.Keys)
	}
}

// rule says what becomes of a rule's paths that no rule guards as well any more.
func (l *loosening) rule(r *Rule) {
	var guards []lcm.Pattern
	for _, now := range l.after.rules {
		if len(looser(r, now)) == 0 {
			guards = append(guards, now.Paths...)
		}
	}
	for _, p := range r.Paths {
		if p.Within(overlapping(p, guards)) {
			continue
		}
		if now := l.nearest(r, p); now != nil {
			l.say("%s: %s", p, strings.Join(looser(r, now), "; "))
		} else if slices.ContainsFunc(l.after.rules, func(now *Rule) bool { return len(overlapping(p, now.Paths)) > 0 && len(looser(r, now)) == 0 }) {
			l.say("%s: the rule that asks for %s covers only a part of it", p, r.demand())
		} else {
			l.say("%s: no rule asks for %s any more", p, r.demand())
		}
	}
}

// nearest returns the rule that still covers a path pattern of another and loosens it the least; nil for none.
func (l *loosening) nearest(r *Rule, p lcm.Pattern) (best *Rule) {
	for _, now := range l.after.rules {
		named := slices.ContainsFunc(now.Paths, func(q lcm.Pattern) bool { return q.String() == p.String() })
		if !named && !slices.Equal(pathsOf(now), pathsOf(r)) || !p.Within(overlapping(p, now.Paths)) {
			continue
		}
		if best == nil || len(looser(r, now)) < len(looser(r, best)) {
			best = now
		}
	}
	return best
}

func pathsOf(r *Rule) []string {
	out := make([]string, len(r.Paths))
	for i, p := range r.Paths {
		out[i] = p.String()
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// looser says in which ways a rule asks for less than another, the paths apart; nothing means in none.
func looser(was, now *Rule) (ways []string) {
	if now.Approvals < was.Approvals {
		ways = append(ways, fmt.Sprintf("%s instead of %d", plural(now.Approvals, "approval"), was.Approvals))
	}
	if now.rollback() < was.rollback() && now.rollback() < now.Approvals {
		ways = append(ways, fmt.Sprintf("%s instead of %d to restore earlier content", plural(now.rollback(), "approval"), was.rollback()))
	}
	if was.SignedConsent && !now.SignedConsent {
		ways = append(ways, "commits of the branch count as consent, not only what was signed for it")
	}
	if more := uncovered(now.Roles, was.Roles); len(more) > 0 {
		ways = append(ways, "consent of "+rolesOf(more)+" counts")
	}
	return ways
}

// rollback is how many approvals the restoring of earlier content needs.
func (r *Rule) rollback() int { return cmp.Or(r.RollbackApprovals, r.Approvals) }

func (r *Rule) demand() string {
	return plural(r.Approvals, "approval") + " by " + rolesOf(r.Roles)
}

// uncovered returns the roles that a rule admits and another does not.
func uncovered(now, was []Role) (more []Role) {
	for _, role := range now {
		if !slices.ContainsFunc(was, func(w Role) bool {
			return w == role || w.Word == anyRole || w.Word == role.Word && w.Org == ""
		}) {
			more = append(more, role)
		}
	}
	return more
}

// permissions says which paths somebody may change that nobody might.
func (l *loosening) permissions() {
	permitted := patternsOf(l.before.rules, func(r *Rule) bool { return r.tenant == "" })
	for _, p := range patternsOf(l.after.rules, func(r *Rule) bool { return r.tenant == "" }) {
		if !p.Within(overlapping(p, permitted)) {
			l.say("%s: it may be changed, where no rule matched all of it before", p)
		}
	}
}

// rotations says who may replace sealed values alone and might not.
func (l *loosening) rotations() {
	for _, r := range l.after.rules {
		for _, name := range r.Rotation {
			might := patternsOf(l.before.rules, func(r *Rule) bool { return slices.Contains(r.Rotation, name) })
			for _, p := range r.Paths {
				if !p.Within(overlapping(p, might)) {
					l.say("%s: %s may replace sealed values alone", p, name)
				}
			}
		}
	}
}

func patternsOf(rules []*Rule, which func(*Rule) bool) (out []lcm.Pattern) {
	for _, r := range rules {
		if which(r) {
			out = append(out, r.Paths...)
		}
	}
	return out
}

// maxOverlapping bounds what one pattern is compared with. With more, what remains unknown is named as looser.
const maxOverlapping = 200

func overlapping(p lcm.Pattern, others []lcm.Pattern) (out []lcm.Pattern) {
	for _, o := range others {
		if o.String() == p.String() {
			return []lcm.Pattern{o}
		}
		if len(out) < maxOverlapping && overlap(p, o) {
			out = append(out, o)
		}
	}
	return out
}

func beyond[T comparable](now, was []T) (more []T) {
	for _, v := range now {
		if !slices.Contains(was, v) {
			more = append(more, v)
		}
	}
	return more
}

func rolesOf(roles []Role) string {
	var words []string
	for _, r := range roles {
		word := r.String()
		if r.Word == anyRole {
			word = "anyone with a role there"
		}
		words = append(words, word)
	}
	if len(words) == 0 {
		return "nobody"
	}
	return orList(words)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
