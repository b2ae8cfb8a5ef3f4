package trust

import (
	"errors"
	"fmt"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
)

// Refusal is why a revision was not believed. Everything before it stays in force.
type Refusal struct {
	Commit lcm.Revision // the commit at fault: one of the branch, or one that a merge brings in
	Path   string       // the path concerned; may be ""
	Rule   string       // a stable id, such as trust/unsigned
	Reason string       // what is wrong and what to do, in plain words
}

func (r *Refusal) Error() string {
	if r.Path == "" {
		return fmt.Sprintf("commit %s refused: %s: %s", r.Commit.Short(), r.Rule, r.Reason)
	}
	return fmt.Sprintf("commit %s refused: %s: %s: %s", r.Commit.Short(), r.Path, r.Rule, r.Reason)
}

func refuse(commit lcm.Revision, path, rule, format string, args ...any) *Refusal {
	return &Refusal{commit, path, rule, fmt.Sprintf(format, args...)}
}

// refuseFindings turns what is wrong with a policy into a refusal of the commit that brings it.
func refuseFindings(commit lcm.Revision, findings []diag.Finding) *Refusal {
	for _, f := range findings {
		if f.Severity != diag.Error {
			continue
		}
		more := ""
		if n := len(findings) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more)", n)
		}
		return refuse(commit, f.File, "trust/policy-unsound", "the policy of this commit cannot be put in force: line %d: %s: %s%s", f.Line, f.Rule, f.Message, more)
	}
	return refuse(commit, policyFile, "trust/policy-unsound", "the policy of this commit cannot be put in force")
}

// isRefusal tells a judgement from a failure to judge (a lost object, a cancelled context).
func isRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// hostile reports whether an error lies in what the repository holds, rather than in our reading it.
func hostile(err error) bool {
	var malformed *gitrepo.MalformedError
	var limit *gitrepo.LimitError
	return errors.As(err, &malformed) || errors.As(err, &limit)
}

// readError sorts an error met while reading for the sake of a commit: an object that Git would not
// have written, or that is beyond the limits, is a refusal of the commit; a lost or unreadable one is not.
func readError(commit lcm.Revision, doing string, err error) error {
	if refusal := Unreadable(commit, doing, err); refusal != nil {
		return refusal
	}
	return fmt.Errorf("%s %s: %w", doing, commit, err)
}

// Unreadable refuses a commit for the sake of which something was met that Git would not have written, or
// that is beyond the limits. It is nil for any other error: a lost object, a server that is down.
func Unreadable(commit lcm.Revision, doing string, err error) *Refusal {
	if !hostile(err) {
		return nil
	}
	return refuse(commit, "", "trust/malformed-commit", "%s: %v: it was not made by Git, or is beyond the daemon's limits; move the branch back to before it", doing, err)
}
