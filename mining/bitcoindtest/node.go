package bitcoindtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/p2poold/p2poold/internal/childproc"
)

const (
	// startTimeout bounds the time in which a node has to answer after its start.
	startTimeout = 60 * time.Second

	// startTries is how often a start is tried: another program may take the free
	// port between its choice and its use.
	startTries = 3

	// stopTimeout is how long a node may take to end by itself before it is killed.
	stopTimeout = 30 * time.Second

	// probeInterval is the pause between two questions whether a node has started.
	probeInterval = 50 * time.Millisecond
)

// Options says how to run a node. The zero value of each field but Dir is usable.
type Options struct {
	// Dir is an existing directory for all of the node's files. Required by [Start].
	Dir string

	// Bitcoind and Btcd name the program to run. If both are empty, the environment
	// variable of [EnvBitcoind] decides, else the btcd pinned in go.mod.
	Bitcoind string
	Btcd     string

	// Cookie makes the node known by a cookie file that changes at each start, as
	// Bitcoin Core does by default, instead of by a fixed user and password.
	Cookie bool

	// MiningAddress is the regtest address that [Node.Generate] pays.
	MiningAddress string

	// P2PListen is the address, host:port, where the node takes peers; empty for none.
	P2PListen string

	// ExtraArgs are added to the program's command line.
	ExtraArgs []string
}

// Node is a running Bitcoin node, or a stopped one that can be started again. It is safe
// for concurrent use.
type Node struct {
	opts Options
	prog program
	port string // of RPC; kept across restarts

	mu         sync.Mutex // guards what follows
	user, pass string
	proc       *childproc.Process // nil while stopped
	saved      []string           // blocks to give back at the next start, in hex
}

// Start runs a node and returns when it answers. Cancelling ctx gives up the start; it
// doesn't end a node that has started: that is [Node.Stop]'s task.
func Start(ctx context.Context, opts Options) (*Node, error) {
	if opts.MiningAddress == "" {
		opts.MiningAddress = defaultMiningAddress()
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, err
	}
	opts.Dir = dir
	prog, err := findProgram(ctx, &opts)
	if err != nil {
		return nil, err
	}
	n := &Node{opts: opts, prog: prog, user: "p2pool", pass: rand.Text()}
	for range startTries {
		if n.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = n.Restart(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", prog.path, err)
	}
	return n, nil
}

// Restart stops the node if it runs, starts it in the same directory on the same port,
// and returns when it answers. The node has the chain it had when it was stopped. After
// [Node.Kill] only Bitcoin Core has: btcd begins each run on regtest at the genesis block.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.Stop(); err != nil {
		return err
	}
	if err := n.launch(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := n.waitReady(ctx)
	if err == nil {
		err = n.restoreChain(ctx)
	}
	if err != nil {
		n.Kill()
	}
	return err
}

// launch starts the process.
func (n *Node) launch() error {
	n.mu.Lock()
	defer n.mu.Unlock()

	if n.opts.Cookie {
		n.user, n.pass = "__cookie__", rand.Text()
	}
	args, err := n.args()
	if err != nil {
		return err
	}
	if n.proc, err = childproc.Start(n.prog.path, n.opts.Dir, args, nil); err != nil {
		return err
	}
	if n.opts.Cookie && !n.prog.core {
		return os.WriteFile(n.CookieFile(), []byte(n.user+":"+n.pass), 0o600)
	}
	return nil
}

// waitReady returns nil as soon as the node answers, an error when it has ended.
func (n *Node) waitReady(ctx context.Context) error {
	n.mu.Lock()
	proc := n.proc
	n.mu.Unlock()

	for {
		err := n.Call(ctx, nil, "getblockcount")
		if err == nil {
			return nil
		}
		select {
		case <-proc.Done():
			return fmt.Errorf("ended at once: %w; it said:\n%s", proc.Err(), proc.Output())
		case <-ctx.Done():
			return fmt.Errorf("doesn't answer (%w): %w; it said:\n%s", ctx.Err(), err, proc.Output())
		case <-time.After(probeInterval):
		}
	}
}

// Stop asks the node to end and waits for it, at last by killing it. It returns nil if
// the node wasn't running.
func (n *Node) Stop() error {
	if n.PID() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	saveErr := n.saveChain(ctx)

	n.mu.Lock()
	defer n.mu.Unlock()

	if n.proc == nil {
		return nil
	}
	err := n.proc.Stop(stopTimeout)
	n.proc = nil
	return errors.Join(saveErr, err)
}

// Kill ends the node at once, as a crash would, and waits until it is gone.
func (n *Node) Kill() {
	n.mu.Lock()
	defer n.mu.Unlock()

	if n.proc != nil {
		n.proc.Kill()
		n.proc = nil
	}
}

// Exited returns an error if the node has ended by itself.
func (n *Node) Exited() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil {
		return nil
	}
	select {
	case <-n.proc.Done():
		return fmt.Errorf("the Bitcoin node ended: %w; it said:\n%s", n.proc.Err(), n.proc.Output())
	default:
		return nil
	}
}

// IsCore tells whether the node is Bitcoin Core.
func (n *Node) IsCore() bool { return n.prog.core }

// PID returns the process id of the running node, 0 if it is stopped.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()

	if n.proc == nil {
		return 0
	}
	return n.proc.PID()
}

// Addr returns the node's RPC address, host:port.
func (n *Node) Addr() string { return net.JoinHostPort("127.0.0.1", n.port) }

// URL returns the node's RPC address as p2poold's --bitcoind takes it, with user and
// password unless the node uses a cookie.
func (n *Node) URL() string {
	u := url.URL{Scheme: "http", Host: n.Addr()}
	if user, pass, err := n.credentials(); err == nil && !n.opts.Cookie {
		u.User = url.UserPassword(user, pass)
	}
	return u.String()
}

// CookieFile returns the path of the node's cookie file; it exists only with
// Options.Cookie and while the node runs.
func (n *Node) CookieFile() string {
	if n.prog.core {
		return filepath.Join(n.opts.Dir, "regtest", ".cookie")
	}
	return filepath.Join(n.opts.Dir, ".cookie")
}
