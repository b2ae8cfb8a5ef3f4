// Package lcmcue carries the CUE definitions of every kind and settings file, as the programs embed them.
package lcmcue

import "embed"

//go:embed *.cue
var files embed.FS

// Files returns the definitions: *.cue in one folder, all of package lcm.
func Files() embed.FS { return files }
