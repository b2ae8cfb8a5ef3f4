package store

import (
	"errors"
	"time"
)

// ErrOutage is what an error is, by errors.Is, that says that the target can't be used just now, whatever is asked of it: nobody answers, or not in
// time, it is sealed, has no leader, only reads, takes nothing more. An answer is not one, such as ErrConflict or that
// something is not permitted: to ask again later would change nothing. Nor is what a caller's context ended.
var ErrOutage = errors.New("the target can't be used now")

// Outage returns an error of this text that is ErrOutage.
func Outage(text string) error { return outage(text) }

type outage string

func (o outage) Error() string { return string(o) }

func (outage) Is(target error) bool { return target == ErrOutage }

// Down says of a target that it is not asked for a while.
type Down struct {
	Since    time.Time // the first failure of those in a row
	Until    time.Time // when it is asked again
	Failures int       // in a row
	Err      error     // the last of them
}

// Fallible is a target that knows whether it is down.
type Fallible interface {
	// Down returns nil while the target is asked as ever.
	Down() *Down
}
