package rpcserver

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// DescribeShare fills in everything that the share itself tells. Status,
// Confirmations and Work, which only the chain knows, are left to the caller.
func DescribeShare(s *share.Share, params *chainparams.Params) *Share {
	encoded := s.Encode()
	commitment := s.Data.Commitment(&params.ChainID)
	return &Share{
		Hash:    s.ID().String(),
		Bitcoin: meetsBitcoin(s, params),
		Size:    len(encoded),
		Header: ShareHeader{
			Version:           s.Header.Version,
			PreviousBlockHash: s.Header.PrevBlock.String(),
			MerkleRoot:        s.Header.MerkleRoot.String(),
			Time:              s.Header.Timestamp.Unix(),
			Bits:              Bits(s.Header.Bits),
			BitcoinDifficulty: Difficulty(s.Header.Bits),
			Nonce:             s.Header.Nonce,
		},
		Data:       describeData(&s.Data, params.Bitcoin),
		Commitment: hex.EncodeToString(commitment[:]),
		Extranonce: hex.EncodeToString(s.Extranonce[:]),
		Link: ShareLink{
			State:  hex.EncodeToString(s.Link.State[:]),
			Length: s.Link.Length,
			Rest:   hex.EncodeToString(s.Link.Rest),
		},
		Branch: hashStrings(s.Branch),
		Hex:    hex.EncodeToString(encoded),
	}
}

func describeData(d *share.Data, net *chaincfg.Params) ShareData {
	return ShareData{
		Version:           d.Version,
		PreviousShare:     d.Previous.String(),
		Uncles:            hashStrings(d.Uncles),
		Height:            d.Height,
		Time:              int64(d.Time),
		Bits:              Bits(d.Bits),
		ShareDifficulty:   Difficulty(d.Bits),
		Anchor:            int64(d.Anchor),
		Count:             d.Count,
		Work:              fmt.Sprintf("%x", d.Work.Bytes()),
		Payee:             hex.EncodeToString(d.Payee),
		Address:           Address(d.Payee, net),
		BitcoinHeight:     d.BitcoinHeight,
		CoinbaseValue:     d.CoinbaseValue,
		Class:             d.Class.Outputs(),
		Tag:               hex.EncodeToString(d.Tag),
		WitnessCommitment: hex.EncodeToString(d.WitnessCommitment),
		MergedMining:      hex.EncodeToString(d.MergedMining),
	}
}

// SummarizeShare fills in a row of getshares. The uncles are left empty.
func SummarizeShare(s *share.Share, params *chainparams.Params) ShareSummary {
	return ShareSummary{
		Hash:            s.ID().String(),
		Height:          s.Data.Height,
		Time:            int64(s.Data.Time),
		Address:         Address(s.Data.Payee, params.Bitcoin),
		ShareDifficulty: Difficulty(s.Data.Bits),
		Class:           s.Data.Class.Outputs(),
		Tag:             Printable(string(s.Data.Tag)),
		Bitcoin:         meetsBitcoin(s, params),
		BitcoinHeight:   s.Data.BitcoinHeight,
		Uncles:          []ShareSummary{},
	}
}

// meetsBitcoin reports whether the share counts as a Bitcoin solution.
func meetsBitcoin(s *share.Share, params *chainparams.Params) bool {
	bitcoin, err := target.FromCompact(s.Header.Bits)
	if err != nil {
		return false
	}
	own, err := target.FromCompact(s.Data.Bits)
	if err != nil {
		return false
	}
	id, t := s.ID(), params.BlockTarget(bitcoin, own)
	return target.HashMeets(&id, &t)
}

// Address returns the address that an output script pays, the empty string if it
// has none.
func Address(script []byte, net *chaincfg.Params) string {
	_, addrs, _, err := txscript.ExtractPkScriptAddrs(script, net)
	if err != nil || len(addrs) != 1 {
		return ""
	}
	return addrs[0].EncodeAddress()
}

// Bits writes a compact target as Bitcoin's RPC does.
func Bits(bits uint32) string { return fmt.Sprintf("%08x", bits) }

// Difficulty returns the difficulty of a compact target, 0 for an invalid one.
func Difficulty(bits uint32) float64 {
	t, err := target.FromCompact(bits)
	if err != nil {
		return 0
	}
	return target.Difficulty(&t)
}

// Printable replaces everything but printable ASCII in a text that a stranger
// chose, so that it cannot play tricks on a terminal.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}

// hashStrings returns the hashes as text, never nil.
func hashStrings(hashes []chainhash.Hash) []string {
	list := make([]string, len(hashes))
	for i := range hashes {
		list[i] = hashes[i].String()
	}
	return list
}
