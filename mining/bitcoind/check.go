package bitcoind

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
)

// Check returns nil if the node can be mined on, else what is wrong and what to do about
// it, in words for the operator; errors.Is tells the kinds apart. Of those,
// [ErrStarting], [ErrSyncing] and [ErrNoPeers] pass by themselves. It makes three calls.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.check(ctx)
	return err
}

// check is Check, with the template that proves it.
func (c *Client) check(ctx context.Context) (*mining.Template, error) {
	if err := c.checkNetwork(ctx); err != nil {
		return nil, err
	}
	if err := c.checkSynced(ctx); err != nil {
		return nil, err
	}
	return c.fetchTemplate(ctx, "")
}

// checkNetwork compares genesis blocks, which works on every kind of node.
func (c *Client) checkNetwork(ctx context.Context) error {
	genesis, err := c.hashCall(ctx, c.lanes.poll, "getblockhash", 0)
	if err != nil {
		return err
	}
	if genesis == *c.cfg.Params.GenesisHash {
		return nil
	}
	return newError(ErrWrongNetwork, "the Bitcoin node at %s is on %s, but p2poold was told to mine on %s; "+
		"correct --network or --bitcoind", c.end.addr, networkName(&genesis), c.cfg.Params.Name)
}

// networkName names the network that begins with the given block.
func networkName(genesis *chainhash.Hash) string {
	for _, params := range []*chaincfg.Params{
		&chaincfg.MainNetParams, &chaincfg.TestNet3Params, &chaincfg.TestNet4Params,
		&chaincfg.SigNetParams, &chaincfg.RegressionNetParams, &chaincfg.SimNetParams,
	} {
		if *params.GenesisHash == *genesis {
			return params.Name
		}
	}
	return "another network (genesis block " + genesis.String() + ")"
}

// chainInfo is the part of getblockchaininfo's reply that we use. btcd has no
// initialblockdownload, and older nodes no signet_challenge here.
type chainInfo struct {
	Blocks               int64  `json:"blocks"`
	Headers              int64  `json:"headers"`
	InitialBlockDownload bool   `json:"initialblockdownload"`
	SignetChallenge      string `json:"signet_challenge"`
}

// checkSynced refuses a node that is still in its initial download. btcd tells only when
// it is asked for a template.
func (c *Client) checkSynced(ctx context.Context) error {
	raw, err := c.call(ctx, c.lanes.poll, "getblockchaininfo")
	if rpcCode(err) == btcjson.ErrRPCMethodNotFound.Code {
		return nil
	}
	if err != nil {
		return err
	}
	var info chainInfo
	if err := json.Unmarshal(raw, &info); err != nil {
		return newError(ErrBadReply, "the Bitcoin node's answer to getblockchaininfo can't be read: %v", err)
	}
	if err := c.checkChallenge(info.SignetChallenge); err != nil {
		return err
	}
	if !info.InitialBlockDownload || (c.isPrivateChain() && info.Headers <= info.Blocks) {
		return nil
	}
	return newError(ErrSyncing, "the Bitcoin node at %s is still downloading the block chain (block %d of %d); "+
		"wait until it has caught up", c.end.addr, info.Blocks, max(info.Headers, info.Blocks))
}

// isPrivateChain tells whether the network may have no recent block. Bitcoin Core calls
// that initial download, and only mining ends it.
func (c *Client) isPrivateChain() bool {
	if c.challenge != nil {
		return !bytes.Equal(c.challenge, chaincfg.DefaultSignetChallenge)
	}
	return c.cfg.Params.Name == chaincfg.RegressionNetParams.Name
}

// transient tells whether a reachable node may get over the error within moments.
func transient(err error) bool {
	return errors.Is(err, ErrTimeout) || errors.Is(err, ErrRPC) || errors.Is(err, ErrBadReply)
}
