package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/database"
	"github.com/p2poold/p2poold/internal/chainman"
	"github.com/p2poold/p2poold/mining/bitcoind"
	"github.com/p2poold/p2poold/mining/nodes"
)

type shareID = chainhash.Hash

// syncChain is the sharechain as p2p/netsync wants it.
type syncChain struct{ *chainman.Manager }

// Tip returns what the version message says of our chain.
func (c syncChain) Tip() (id chainhash.Hash, height uint32, work uint256.Uint256) {
	tip := c.Manager.Tip()
	return tip.ID, tip.Height, tip.Work
}

// Base returns where what is kept of our chain begins.
func (c syncChain) Base() uint32 { return c.Manager.Stats().First }

// bitcoinHeaders is the Bitcoin node as internal/chainman wants it.
type bitcoinHeaders struct{ *nodes.Pool }

// HeadersBack returns the headers that end with hash, oldest first.
func (b bitcoinHeaders) HeadersBack(ctx context.Context, hash chainhash.Hash, n int) ([]wire.BlockHeader, uint32, error) {
	infos, err := b.Pool.HeadersBack(ctx, hash, n)
	if err != nil || len(infos) == 0 {
		return nil, 0, unknownBlock(err)
	}
	headers := make([]wire.BlockHeader, len(infos))
	for i := range infos {
		headers[i] = infos[i].Header
	}
	return headers, infos[0].Height, nil
}

// Invalid reports whether the Bitcoin node calls a block invalid.
func (b bitcoinHeaders) Invalid(ctx context.Context, hash chainhash.Hash) (bool, error) {
	info, err := b.Pool.Header(ctx, hash)
	return info.Invalid, unknownBlock(err)
}

// unknownBlock translates the client's answer that the node lacks a block.
func unknownBlock(err error) error {
	if errors.Is(err, bitcoind.ErrUnknownBlock) {
		return fmt.Errorf("%w: %w", chainman.ErrUnknownBlock, err)
	}
	return err
}

// stores is the place of the database as internal/chainman wants it.
type stores struct {
	*database.Pair
	log slog.Logger
}

func (s stores) Candidate() (chainman.Store, error) { return s.Pair.Candidate() }

func (s stores) Adopt(old, candidate chainman.Store) (chainman.Store, error) {
	store, kept, err := s.Pair.Adopt(old.(*database.Store), candidate.(*database.Store))
	if err != nil {
		return nil, err
	}
	s.log.Infof("The chain that was left is kept as %s", kept)
	deleteOlder(kept, s.log)
	return store, nil
}

// deleteOlder deletes replaced databases that are too many, and tells so.
func deleteOlder(kept string, log slog.Logger) {
	deleted, err := database.DeleteOlder(kept)
	for _, folder := range deleted {
		log.Infof("Deleted %s, an older database that had been kept", folder)
	}
	if err != nil {
		log.Warnf("Deleting older databases that were kept: %v", err)
	}
}

func (s stores) Discard(candidate chainman.Store) error {
	return s.Pair.Discard(candidate.(*database.Store))
}
