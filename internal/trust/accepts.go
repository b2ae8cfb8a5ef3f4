package trust

import "slices"

// Accepts reports whether those who consented to the step, its signer included, would meet every rule of
// path by number and role. It judges what a commit says beside what it changes: an instruction in its
// message is worth as much as a change of path by the same people. Of a commit that a forge made nobody
// signed the message.
func (s Step) Accepts(path string) bool {
	if s.policy == nil || s.Forge != "" && !s.Adopted {
		return false
	}
	rules := s.policy.Matching(path)
	return len(rules) > 0 && !slices.ContainsFunc(rules, func(r *Rule) bool { return s.persons(r, path) < r.Approvals })
}

// persons counts those whom a rule counts at path. Where a rule wants signed consent, that of a side
// commit is none; a review is about files, never about a message.
func (s Step) persons(r *Rule, path string) int {
	names := append([]string{s.Signer}, s.SignedApprovers...)
	if !r.SignedConsent {
		names = append(names, s.Approvers...)
	}
	slices.Sort(names)
	n := 0
	for _, name := range slices.Compact(names) {
		if slices.Contains(s.Reviewers, name) {
			continue
		}
		if p := s.policy.principals[name]; p != nil && !p.Bot && r.admits(p, path) {
			n++
		}
	}
	return n
}
