//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package file

import (
	"errors"
	"os"
)

// tryLock refuses: without a lock two writers could undo each other's work.
func tryLock(*os.File) (bool, error) {
	return false, errors.New("a file store cannot be written on this operating system, only read")
}
