package reconcile

import "github.com/llm-config-manager/lcm/internal/diag"

// Result is how a pass went, in one word: the exit code of `once`, and a label of metrics and spans.
type Result string

// The results of passes. Of several, refused goes before held, before target-failed, before failed.
const (
	ResultDone         Result = "done"
	ResultRefused      Result = "refused"
	ResultHeld         Result = "held"
	ResultTargetFailed Result = "target-failed"
	ResultFailed       Result = "failed" // the pass itself could not be made, or found errors that hold nothing
)

// Results lists them all.
func Results() []Result {
	return []Result{ResultDone, ResultRefused, ResultHeld, ResultTargetFailed, ResultFailed}
}

// Result is how the pass went.
func (p *Report) Result() Result {
	switch {
	case p.Refusal != nil:
		return ResultRefused
	case p.HeldWhole || len(p.Held) > 0:
		return ResultHeld
	case len(p.Failed) > 0:
		return ResultTargetFailed
	case diag.Failed(p.Findings): // something is wrong that no namespace is held for
		return ResultFailed
	}
	return ResultDone
}
