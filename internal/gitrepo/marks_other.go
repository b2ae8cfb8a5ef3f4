//go:build !linux

package gitrepo

import "io/fs"

// systemMarks adds nothing here: size, mode and time of the last write have to do.
func (m *marks) systemMarks(fs.FileInfo) {}
