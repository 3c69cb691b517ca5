package childproc

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel end the child when this process dies without having
// stopped it, so that a killed test leaves no node behind. A process group of its own
// keeps the terminal's Ctrl-C from the child: its parent stops it in good order.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
