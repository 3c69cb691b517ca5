package bitcoindtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
)

// EnvBitcoind names the environment variable that makes [Start] run the Bitcoin Core
// program it holds instead of btcd.
const EnvBitcoind = "P2POOL_BITCOIND"

// WantsCore tells whether [Start] runs Bitcoin Core unless its options say otherwise.
func WantsCore() bool { return os.Getenv(EnvBitcoind) != "" }

// program is one way to run a node.
type program struct {
	path string
	core bool
}

// findProgram returns the program that opts and the environment ask for.
func findProgram(ctx context.Context, opts *Options) (program, error) {
	bitcoind := opts.Bitcoind
	if bitcoind == "" && opts.Btcd == "" {
		bitcoind = os.Getenv(EnvBitcoind)
	}
	if bitcoind != "" {
		path, err := exec.LookPath(bitcoind)
		if err != nil {
			return program{}, fmt.Errorf("bitcoind program (%s): %w", EnvBitcoind, err)
		}
		path, err = filepath.Abs(path)
		return program{path: path, core: true}, err
	}
	if opts.Btcd != "" {
		path, err := filepath.Abs(opts.Btcd)
		return program{path: path}, err
	}
	path, err := btcdTool(ctx)
	return program{path: path}, err
}

// btcdTool returns the path of the btcd that go.mod pins, building it if need be. It is
// run directly and not through the go command, whose end would not end btcd.
func btcdTool(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "-n", "btcd")
	// An interrupted go command cleans up behind itself, a killed one does not.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			stderr = exit.Stderr
		}
		return "", fmt.Errorf("go tool -n btcd (run inside the module): %w: %s", err, stderr)
	}
	path := strings.TrimSpace(string(out))
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("go tool -n btcd: %w", err)
	}
	return path, nil
}

// args returns the command line of a node. Both programs listen on loopback only, for
// RPC and if asked to for peers, and look for no peers.
func (n *Node) args() ([]string, error) {
	if n.prog.core {
		return n.coreArgs(), nil
	}
	return n.btcdArgs()
}

func (n *Node) coreArgs() []string {
	args := []string{
		"-regtest", "-datadir=" + n.opts.Dir, "-server=1", "-printtoconsole=1",
		"-listen=0", "-dnsseed=0", "-fixedseeds=0", "-discover=0", "-natpmp=0",
		"-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", "-rpcport=" + n.port,
		"-fallbackfee=0.0001", "-txindex=1",
		// A longpoll whose caller was killed keeps its thread until the next block. Tests
		// kill hundreds of callers without one.
		"-rpcthreads=512",
	}
	if n.opts.P2PListen != "" {
		_, port, _ := net.SplitHostPort(n.opts.P2PListen)
		args = append(args, "-listen=1", "-bind="+n.opts.P2PListen, "-port="+port)
	}
	if !n.opts.Cookie {
		args = append(args, "-rpcuser="+n.user, "-rpcpassword="+n.pass)
	}
	return append(args, n.opts.ExtraArgs...)
}

func (n *Node) btcdArgs() ([]string, error) {
	// btcd would otherwise write a sample file or read the user's own.
	conf := filepath.Join(n.opts.Dir, "btcd.conf")
	if err := os.WriteFile(conf, nil, 0o600); err != nil {
		return nil, err
	}
	args := []string{
		"--regtest", "--configfile=" + conf,
		"--datadir=" + filepath.Join(n.opts.Dir, "data"),
		"--logdir=" + filepath.Join(n.opts.Dir, "logs"),
		"--nodnsseed", "--notls", "--txindex",
		"--rpclisten=127.0.0.1:" + n.port, "--rpcuser=" + n.user, "--rpcpass=" + n.pass,
		"--miningaddr=" + n.opts.MiningAddress,
	}
	if n.opts.P2PListen == "" {
		args = append(args, "--nolisten")
	} else {
		args = append(args, "--listen="+n.opts.P2PListen)
	}
	return append(args, n.opts.ExtraArgs...), nil
}

// defaultMiningAddress is paid by [Node.Generate] unless the options say otherwise: a
// witness key hash of zeros, which nobody can spend.
func defaultMiningAddress() string {
	addr, err := address.NewAddressWitnessPubKeyHash(make([]byte, 20), &chaincfg.RegressionNetParams)
	if err != nil {
		panic(err) // a fixed argument of the right length
	}
	return addr.EncodeAddress()
}

// freePort returns a TCP port of the loopback interface that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
