//go:build !unix

package kept

import "io/fs"

// owned is not looked at here: the folders of a user's profile are the user's.
func owned(fs.FileInfo) bool { return true }
