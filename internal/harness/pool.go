package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// Pool is a Bitcoin node and p2poold nodes on it, each with a miner of its own.
type Pool struct {
	Dir     string
	Bitcoin *bitcoindtest.Node
	Nodes   []*Node
	Miners  []*Miner
	Payees  []Payee // of the miners
}

// Payee is where a miner is paid.
type Payee struct {
	Address string
	Script  []byte
}

// NewPayee returns the i-th of a list of regtest addresses, alternately P2WPKH
// and P2TR. Nobody has their keys.
func NewPayee(i int) (Payee, error) {
	params := &chaincfg.RegressionNetParams
	key := make([]byte, 32)
	key[0] = byte(i + 1)
	var addr address.Address
	var err error
	if i%2 == 0 {
		addr, err = address.NewAddressWitnessPubKeyHash(key[:20], params)
	} else {
		addr, err = address.NewAddressTaproot(key, params)
	}
	if err != nil {
		return Payee{}, err
	}
	script, err := txscript.PayToAddrScript(addr)
	return Payee{Address: addr.EncodeAddress(), Script: script}, err
}

// StartPool starts everything but the miners: the second node and all later ones stay
// connected to the first. The caller stops the pool also when an error is returned.
func StartPool(ctx context.Context, programs Programs, dir string, nodes int, args ...string) (*Pool, error) {
	return startPool(ctx, programs, dir, nodes, func(p *Pool, i int, opts *NodeOptions) {
		opts.Args = args
		if i > 0 {
			opts.Connect = []string{p.Nodes[0].P2P}
		}
	})
}

// StartLine is StartPool for nodes in a line: each is connected to the one before it
// and finds no others.
func StartLine(ctx context.Context, programs Programs, dir string, nodes int, args ...string) (*Pool, error) {
	return startPool(ctx, programs, dir, nodes, func(p *Pool, i int, opts *NodeOptions) {
		before := "127.0.0.1:1" // nobody listens there
		if i > 0 {
			before = p.Nodes[i-1].P2P
		}
		opts.Args = append(args[:len(args):len(args)], "--connect="+before)
	})
}

// startPool starts nodes whose options join completes.
func startPool(ctx context.Context, programs Programs, dir string, nodes int, join func(*Pool, int, *NodeOptions)) (*Pool, error) {
	p := &Pool{Dir: dir}
	bitcoinDir, err := p.subdir("bitcoin")
	if err != nil {
		return p, err
	}
	if p.Bitcoin, err = bitcoindtest.Start(ctx, bitcoindtest.Options{Dir: bitcoinDir}); err != nil {
		return p, err
	}
	for i := range nodes {
		if err := p.addNode(ctx, programs, i, join); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *Pool) subdir(name string) (string, error) {
	dir := filepath.Join(p.Dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

func (p *Pool) addNode(ctx context.Context, programs Programs, i int, join func(*Pool, int, *NodeOptions)) error {
	payee, err := NewPayee(i)
	if err != nil {
		return err
	}
	dir, err := p.subdir(fmt.Sprintf("node%d", i))
	if err != nil {
		return err
	}
	opts := NodeOptions{Dir: dir, Bitcoind: p.Bitcoin.URL(), Address: payee.Address}
	join(p, i, &opts)
	n, err := NewNode(programs, opts)
	if err != nil {
		return err
	}
	p.Payees = append(p.Payees, payee)
	p.Nodes = append(p.Nodes, n)
	if err := n.Start(ctx); err != nil {
		return fmt.Errorf("node %d: %w", i, err)
	}
	return nil
}

// StartMiners starts a miner on each node.
func (p *Pool) StartMiners(programs Programs, hashrate string) error {
	for i, n := range p.Nodes {
		dir, err := p.subdir(fmt.Sprintf("miner%d", i))
		if err != nil {
			return err
		}
		m, err := StartMiner(programs, dir, n, fmt.Sprintf("%s.miner%d", p.Payees[i].Address, i), hashrate)
		if err != nil {
			return fmt.Errorf("miner %d: %w", i, err)
		}
		p.Miners = append(p.Miners, m)
	}
	return nil
}

// Stop ends everything: miners first, the Bitcoin node last.
func (p *Pool) Stop() error {
	var errs []error
	for _, m := range p.Miners {
		errs = append(errs, m.Stop())
	}
	for _, n := range p.Nodes {
		errs = append(errs, n.Stop())
	}
	if p.Bitcoin != nil {
		errs = append(errs, p.Bitcoin.Stop())
	}
	return errors.Join(errs...)
}

// Exited returns an error if a program has ended by itself, other than by Kill.
func (p *Pool) Exited() error {
	if err := p.Bitcoin.Exited(); err != nil {
		return err
	}
	for i, n := range p.Nodes {
		if n.killed {
			continue
		}
		select {
		case <-n.proc.Done():
			return fmt.Errorf("node %d ended: %w; it said:\n%s", i, n.proc.Err(), n.proc.Output())
		default:
		}
	}
	for i, m := range p.Miners {
		select {
		case <-m.proc.Done():
			return fmt.Errorf("miner %d ended: %w; it said:\n%s", i, m.proc.Err(), m.proc.Output())
		default:
		}
	}
	return nil
}
