package bitcoindtest

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/wire/v2"
)

// dispatch runs a call that no fault concerns.
func (f *Fake) dispatch(ctx context.Context, req *rpcRequest, faults *Faults) (any, *btcjson.RPCError) {
	switch req.Method {
	case "getblocktemplate":
		return f.blockTemplate(ctx, req, faults)
	case "getblockchaininfo":
		return f.chainInfo(faults), nil
	case "getbestblockhash":
		return f.chain.tip().hash.String(), nil
	case "getblockcount":
		return f.chain.tip().height, nil
	case "getblockhash":
		var height int
		if err := param(req, 0, &height); err != nil {
			return nil, err
		}
		if b := f.chain.at(height); b != nil {
			return b.hash.String(), nil
		}
		if f.btcd {
			return nil, btcjson.NewRPCError(btcjson.ErrRPCOutOfRange, "Block number out of range")
		}
		return nil, btcjson.NewRPCError(btcjson.ErrRPCInvalidParameter, "Block height out of range")
	case "getblockheader":
		return f.blockHeader(req)
	case "getblock":
		b, err := f.lookup(req)
		if err != nil {
			return nil, err
		}
		return hexOf(b.block.Serialize), nil
	case "getchaintips":
		return f.chain.tips(), nil
	case "submitblock":
		return f.submit(req)
	case "preciousblock":
		if f.btcd {
			break
		}
		b, err := f.lookup(req)
		if err == nil {
			f.chain.precious(b)
		}
		return nil, err
	}
	return nil, btcjson.ErrRPCMethodNotFound
}

// param reads a positional argument.
func param(req *rpcRequest, i int, v any) *btcjson.RPCError {
	if i >= len(req.Params) || json.Unmarshal(req.Params[i], v) != nil {
		return btcjson.NewRPCError(btcjson.ErrRPCType, fmt.Sprintf("argument %d", i))
	}
	return nil
}

// lookup returns the block that the first argument names.
func (f *Fake) lookup(req *rpcRequest) (*fakeBlock, *btcjson.RPCError) {
	var hash string
	if err := param(req, 0, &hash); err != nil {
		return nil, err
	}
	if b := f.chain.lookup(hash); b != nil {
		return b, nil
	}
	return nil, btcjson.NewRPCError(btcjson.ErrRPCBlockNotFound, "Block not found")
}

// blockHeader answers getblockheader; a btcd knows no heights beside its best chain.
func (f *Fake) blockHeader(req *rpcRequest) (any, *btcjson.RPCError) {
	b, err := f.lookup(req)
	if err != nil {
		return nil, err
	}
	verbose := true
	if len(req.Params) > 1 {
		if err := param(req, 1, &verbose); err != nil {
			return nil, err
		}
	}
	h := &b.block.Header
	if !verbose {
		return hexOf(h.Serialize), nil
	}
	confirmations := f.chain.confirmations(b)
	if f.btcd && confirmations < 0 {
		return nil, btcjson.NewRPCError(btcjson.ErrRPCInternal.Code, "block is not in the main chain")
	}
	reply := map[string]any{
		"hash": b.hash.String(), "confirmations": confirmations, "height": b.height,
		"version": h.Version, "merkleroot": h.MerkleRoot.String(), "time": h.Timestamp.Unix(),
		"nonce": h.Nonce, "bits": fmt.Sprintf("%08x", h.Bits),
	}
	if b.height > 0 {
		reply["previousblockhash"] = h.PrevBlock.String()
	}
	return reply, nil
}

// chainInfo answers getblockchaininfo.
func (f *Fake) chainInfo(faults *Faults) map[string]any {
	height := f.chain.tip().height
	info := map[string]any{"chain": f.params.Name, "blocks": height, "headers": height}
	if !f.btcd {
		info["initialblockdownload"] = faults.InitialDownload
		if faults.InitialDownload {
			info["headers"] = height + 1000
		}
	}
	return info
}

// blockTemplate answers getblocktemplate; with the id of the present template it waits
// for the next.
func (f *Fake) blockTemplate(ctx context.Context, req *rpcRequest, faults *Faults) (any, *btcjson.RPCError) {
	var arg struct {
		Rules      []string
		LongPollID string
	}
	if err := param(req, 0, &arg); err != nil {
		return nil, err
	}
	if f.btcd && faults.InitialDownload {
		return nil, btcjson.NewRPCError(btcjson.ErrRPCClientInInitialDownload, "Bitcoin is downloading blocks...")
	}
	f.chain.waitChange(ctx, arg.LongPollID)
	t := f.chain.template()
	if f.btcd {
		delete(t, "rules")
	}
	if faults.Template != nil {
		faults.Template(t)
	}
	return t, nil
}

// submit answers submitblock.
func (f *Fake) submit(req *rpcRequest) (any, *btcjson.RPCError) {
	var text string
	if err := param(req, 0, &text); err != nil {
		return nil, err
	}
	block := new(wire.MsgBlock)
	if err := unhex(text, block); err != nil {
		return nil, btcjson.NewRPCError(btcjson.ErrRPCDeserialization, "Block decode failed")
	}
	reason := f.chain.accept(block)
	switch {
	case reason == "":
		return nil, nil
	case !f.btcd:
		return reason, nil
	case reason == "duplicate":
		return "rejected: already have block " + block.BlockHash().String(), nil
	}
	return "rejected: " + reason, nil
}
