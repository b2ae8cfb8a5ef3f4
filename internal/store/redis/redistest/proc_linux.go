package redistest

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the program end with this process, however that ends.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
