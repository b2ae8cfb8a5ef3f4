package main

import (
	"regexp"
	"strconv"
	"testing"
)

// TestAttacks carries out the attacks of docs/threats.md that trust must resist, each by its number there,
// against the real `reconciler once`: commits and objects pushed to a repository that it follows, a target
// that it serves. Each is refused for the right reason, with the right exit code; what was served before is
// served on, byte for byte; and the branch moved back is believed again.
func TestAttacks(t *testing.T) {
	done := map[int]bool{}
	for _, part := range []map[string]func(*attacked){attacksOnCommits, attacksOnSignatures, attacksOnObjects, attacksOnConsent, attacksOnState} {
		for name, attack := range part {
			number, err := strconv.Atoi(regexp.MustCompile(`^\d+`).FindString(name))
			if err != nil {
				t.Fatalf("%s bears no number", name)
			}
			done[number] = true
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a := newAttacked(t, policy())
				attack(a)
				a.recovers()
			})
		}
	}
	for _, n := range demanded {
		if !done[n] {
			t.Errorf("nothing carries out attack %d", n)
		}
	}
}

// demanded are the attacks that must have a row above.
var demanded = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
	42, 46, 48, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 64, 65, 66}
