// Package reconcile is the product in one place: a signed commit becomes a value in a store.
//
// Read Pass first. It is one straight function, and each of its lines is a stage:
//
//	fetch    gitrepo   the mirror follows the protected branch
//	verify   trust     every step since the last accepted revision is signed and approved, or refused
//	sight    sighting.go   when that was, and whether the server seems to withhold commits: an alarm, never a stop
//	changed  work.go   which namespaces the difference between two trees concerns
//	versions versions.go   which commits made what of each address: the index grows by those that are new
//	load     tree      settings, layout, and, a service at a time, documents
//	resolve  tree      inheritance, tombstones, references, routes
//	open     sopsfile  secrets, only from a revision that was believed
//	check    check     schemas and policies, the same battery as in lcm-lint
//	plan     plan      the difference to what the targets hold; pure
//	hold     hold.go   what fails, would delete too much or meets a foreign value is held, with all that refers to it; the others go on
//	restore  restore.go   what somebody changed in a namespace that is held is put back as it was
//	intent   state     what is about to be written: nothing of what is suspended, or has no window open (pause.go)
//	apply    apply     compare-and-swap, a namespace at a time
//	outcome  state     what was written
//	publish  report.go one Report, which main turns into text, JSON and an exit code
//
// A crash anywhere is mended by the next pass: it lists, plans and applies again.
package reconcile
