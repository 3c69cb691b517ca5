package bitcoindtest

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel end the child when this process dies without having
// stopped it, so that a killed test leaves no node behind.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
