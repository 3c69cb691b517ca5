package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Programs is a folder with p2poold, p2pctl and p2pminer.
type Programs struct{ dir string }

// module is this module's path, under which the programs are built.
const module = "github.com/p2poold/p2poold"

// interruptGrace is how long the go command may take to clean up.
const interruptGrace = 10 * time.Second

// Build compiles the programs into dir. It runs the go command, so the working
// directory must lie inside the module.
func Build(ctx context.Context, dir string) (Programs, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator),
		module+"/cmd/p2poold", module+"/cmd/p2pctl", module+"/cmd/p2pminer")
	// An interrupted go command cleans up behind itself, a killed one does not.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptGrace
	if out, err := cmd.CombinedOutput(); err != nil {
		return Programs{}, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return Programs{dir: dir}, nil
}

// Path returns the path of a program.
func (p Programs) Path(name string) string { return filepath.Join(p.dir, name) }
