package harness

import (
	"os"
	"path/filepath"

	"github.com/p2poold/p2poold/internal/childproc"
)

// Miner is a p2pminer.
type Miner struct {
	proc *childproc.Process
	log  *os.File
}

// StartMiner runs a p2pminer on a node. Its output goes to a file in dir. A
// hashrate of "" is unlimited.
func StartMiner(programs Programs, dir string, n *Node, user, hashrate string) (*Miner, error) {
	args := []string{"--url=stratum+tcp://" + n.Stratum, "--user=" + user}
	if hashrate != "" {
		args = append(args, "--hashrate="+hashrate)
	}
	log, err := os.OpenFile(filepath.Join(dir, "miner.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	proc, err := childproc.Start(programs.Path("p2pminer"), dir, args, log)
	if err != nil {
		log.Close()
		return nil, err
	}
	return &Miner{proc: proc, log: log}, nil
}

// Stop ends the miner.
func (m *Miner) Stop() error {
	defer m.log.Close()
	return m.proc.Stop(stopTimeout)
}

// Output returns the end of what the miner printed.
func (m *Miner) Output() string { return m.proc.Output() }
