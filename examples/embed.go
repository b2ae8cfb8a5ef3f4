// Package examples carries the example repository, from which reconciler demo makes its own.
package examples

import (
	"embed"
	"io/fs"
)

//go:embed all:repo-layout
var files embed.FS

// Name is the name that the example repository bears in lcm.yaml.
const Name = "example-config"

// AgeKeyFile is the published age key that the example's secrets are sealed to. Everybody has it.
const AgeKeyFile = "EXAMPLE-AGE-KEY-DO-NOT-USE.txt"

// Repository returns the files of examples/repo-layout.
func Repository() fs.FS {
	sub, err := fs.Sub(files, "repo-layout")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}
