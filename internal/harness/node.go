package harness

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/p2poold/p2poold/internal/childproc"
)

const (
	// startTimeout is how long a node may take to answer over RPC.
	startTimeout = 30 * time.Second
	// stopTimeout is how long a program may take to end by itself.
	stopTimeout = 20 * time.Second
	// probeInterval is the pause between two questions to a starting program.
	probeInterval = 50 * time.Millisecond
)

// NodeOptions says how to run a p2poold.
type NodeOptions struct {
	Dir      string   // existing folder for all of the node's files
	Bitcoind string   // URL of the Bitcoin node with user and password
	Address  string   // payout address, may be empty
	Connect  []string // P2P addresses to stay connected to
	Args     []string // more arguments
}

// Node is a p2poold on regtest. It can be stopped and started again and keeps
// its ports.
type Node struct {
	programs Programs
	opts     NodeOptions
	rpc      rpc

	P2P, Stratum string // addresses, host:port
	proc         *childproc.Process
	log          *os.File
	killed       bool // since the last start
}

// NewNode chooses ports for a node; Start starts it.
func NewNode(programs Programs, opts NodeOptions) (*Node, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	return &Node{
		programs: programs, opts: opts, P2P: ports[0], Stratum: ports[1],
		rpc: rpc{addr: ports[2], user: "harness", password: rand.Text()},
	}, nil
}

// freePorts returns loopback addresses that were free a moment ago.
func freePorts(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at once, so that they differ
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// Start runs the node and returns when its sharechain is loaded.
func (n *Node) Start(ctx context.Context) error {
	if err := n.Launch(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		// Answered once the chain is loaded.
		err := n.Call(ctx, nil, "getsharechaininfo")
		if err == nil {
			return nil
		}
		select {
		case <-n.proc.Done():
			return fmt.Errorf("p2poold ended at once: %w; it said:\n%s", n.proc.Err(), n.proc.Output())
		case <-ctx.Done():
			return fmt.Errorf("p2poold does not answer: %w; it said:\n%s", err, n.proc.Output())
		case <-time.After(probeInterval):
		}
	}
}

// Launch runs the node and does not wait for it.
func (n *Node) Launch() (err error) {
	args := []string{
		"--network=regtest", "--datadir=" + n.opts.Dir, "--configfile=" + filepath.Join(n.opts.Dir, "p2pool.conf"),
		"--bitcoind=" + n.opts.Bitcoind, "--listen=" + n.P2P, "--stratumlisten=" + n.Stratum,
		"--rpclisten=" + n.rpc.addr, "--rpcuser=" + n.rpc.user, "--rpcpass=" + n.rpc.password,
	}
	if err := os.WriteFile(filepath.Join(n.opts.Dir, "p2pool.conf"), nil, 0o600); err != nil {
		return err
	}
	if n.opts.Address != "" {
		args = append(args, "--address="+n.opts.Address)
	}
	for _, addr := range n.opts.Connect {
		args = append(args, "--addnode="+addr)
	}
	args = append(args, n.opts.Args...)
	if n.log, err = os.OpenFile(n.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	n.proc, err = childproc.Start(n.programs.Path("p2poold"), n.opts.Dir, args, n.log)
	n.killed = false
	return err
}

// LogFile is where the node's output goes, of all its runs.
func (n *Node) LogFile() string { return filepath.Join(n.opts.Dir, "output.log") }

// RPC returns the arguments that make p2pctl talk to this node.
func (n *Node) RPC() []string {
	return []string{"--network=regtest", "--rpcserver=" + n.rpc.addr, "--rpcuser=" + n.rpc.user, "--rpcpass=" + n.rpc.password}
}

// Process returns the running process.
func (n *Node) Process() *childproc.Process { return n.proc }

// Stop ends the node in good order.
func (n *Node) Stop() error {
	if n.proc == nil || n.killed {
		return nil
	}
	defer n.log.Close()
	return n.proc.Stop(stopTimeout)
}

// Kill ends the node as kill -9 does.
func (n *Node) Kill() {
	n.proc.Kill()
	n.log.Close()
	n.killed = true
}

// Killed reports whether Kill was called since the last start.
func (n *Node) Killed() bool { return n.killed }

// Call asks the node over RPC; see internal/rpcserver for the methods.
func (n *Node) Call(ctx context.Context, result any, method string, params ...any) error {
	return n.rpc.call(ctx, result, method, params...)
}
