package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/cmd/internal/hostport"
	"github.com/p2poold/p2poold/mining/bitcoind"
)

// maxZMQ bounds the addresses of --zmq; each is a connection.
const maxZMQ = 16

// validateSignals completes the ways in which the Bitcoin node tells of blocks.
func (c *config) validateSignals() error {
	b := &c.Bitcoin
	if len(b.ZMQ) > maxZMQ {
		return c.invalid("zmq", fmt.Errorf("at most %d addresses", maxZMQ))
	}
	for i, addr := range b.ZMQ {
		target, err := zmqAddr(addr)
		if err != nil {
			return c.invalid("zmq", err)
		}
		b.ZMQ[i] = target
	}
	switch b.P2P {
	case "0":
	case "":
		if b.Speculate {
			return c.invalid("speculate", errors.New("it needs --bitcoinp2p: the node tells of blocks that it hasn't checked only there"))
		}
		// All regtest nodes of a machine would be taken for ours.
		b.findP2P = c.params.Network != chainparams.Regtest
	default:
		port, err := strconv.ParseUint(c.params.Bitcoin.DefaultPort, 10, 16)
		if err != nil {
			return err // a constant of btcd's
		}
		if b.p2p, err = hostport.Dial(b.P2P, uint16(port)); err != nil {
			return c.invalid("bitcoinp2p", err)
		}
	}
	if b.P2P == "0" && b.Speculate {
		return c.invalid("speculate", errors.New("it needs --bitcoinp2p, which is 0"))
	}
	return nil
}

// zmqAddr checks an address as Bitcoin Core's options have it.
func zmqAddr(text string) (string, error) {
	rest, ok := strings.CutPrefix(text, "tcp://")
	if !ok {
		return "", fmt.Errorf("%q: write tcp://HOST:PORT, as in bitcoind's zmqpubhashblock", text)
	}
	if _, _, err := net.SplitHostPort(rest); err != nil {
		return "", fmt.Errorf("%q has no port: write tcp://HOST:PORT, as in bitcoind's zmqpubhashblock", text)
	}
	addr, err := hostport.Dial(rest, 0)
	if err != nil {
		return "", err
	}
	return "tcp://" + addr, nil
}

// signals fills in how the node hears of new blocks from a Bitcoin node, the only
// one or one of several. Nobody says which of several an address of --zmq or
// --bitcoinp2p belongs to, so all listen there and ask their own node.
func (n *node) signals(cfg *bitcoind.Config, several bool) {
	b := &n.cfg.Bitcoin
	cfg.Shared = several
	cfg.ZMQ, cfg.BitcoinP2P, cfg.FindBitcoinP2P, cfg.Speculate = b.ZMQ, b.p2p, b.findP2P, b.Speculate
	cfg.CheckHeader = func(header *wire.BlockHeader) error {
		_, err := n.chain.AddNextBitcoin(header)
		return err
	}
}
