package modeltest

import "slices"

// Signed approvals and adoption: points 8 and 10, docs/trust-approvals.md, decision 8.

// collectApprovals finds the approvals that speak of the step, and who signed them.
func (j *judgement) collectApprovals() {
	for _, a := range j.h.commits[j.commit].trailers {
		j.collect(a, "")
	}
	for _, r := range j.refs {
		if slices.Contains(j.brought, r.head) && r.approval.head == r.head {
			j.collect(r.approval, r.name)
		}
	}
}

// collect takes an approval if a person of the policy signed it, and under their own name if under any.
func (j *judgement) collect(a approval, under string) {
	who, k, known := j.by.owner(a.key)
	if known && k.valid(j.at) && !j.by.people[who].bot && (under == "" || under == who) && a.repository == "" && a.branch == "" {
		j.approvals = append(j.approvals, counted{a, who})
	}
}

// approves reports whether an approval is consent to what the step makes of a path: what was read is what is
// done, to what it was read against, which the branch has not changed since.
func (j *judgement) approves(a counted, path string) bool {
	if j.trees[a.head].text(path) != j.new.text(path) {
		return false
	}
	for _, r := range j.h.firstParents(j.parent) {
		if j.trees[r].text(path) != j.trees[a.base].text(path) {
			j.note("approval spent", true)
			return false
		}
		if r == a.base {
			return true
		}
	}
	return false
}

// adopters are those who signed that the step is to be believed.
func (j *judgement) adopters() map[string]bool {
	who := map[string]bool{}
	for _, a := range j.approvals {
		if a.adopt && a.base == j.parent && a.head == j.commit {
			who[a.who] = true
		}
	}
	return who
}

// adoptable reports whether the adopters meet, by themselves, the rules of the policy's file and of all that changes.
func (j *judgement) adoptable() bool {
	try := *j
	try.adopted, try.faults, try.met = true, nil, nil
	ok := len(j.by.matching(policyFile)) > 0
	for _, r := range j.by.matching(policyFile) {
		ok = ok && len(try.consents(policyFile, policyFile, r)) >= r.approvals
	}
	try.paths()
	return ok && len(try.faults) == 0
}
