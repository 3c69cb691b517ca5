package database

import (
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

// A full retention: 16 days of main-chain shares every 10 s, and an uncle to each
// tenth.
const (
	retention       = 138_240
	retentionShares = retention + retention/10
	// maxDisk is what a full retention may take on disk, in bytes.
	maxDisk = 120_000_000
	// syncBatch is how many shares are stored at a time in a sync.
	syncBatch = 128
)

// fullShare returns the n-th share of a chain as in the field: branch of 12,
// witness commitment, tag, a taproot payee, and every eleventh an uncle, at the
// height of the share before it and referenced by the one after it.
func fullShare(n int) *share.Share {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(n))
	rng := rand.NewChaCha8(seed)
	hash := func() (h chainhash.Hash) { rng.Read(h[:]); return h }
	payee := hash()
	commitment := hash()
	s := &share.Share{
		Header: wire.BlockHeader{Version: 1 << 29, PrevBlock: hash(), MerkleRoot: hash(), Timestamp: time.Unix(1_750_000_000+int64(n), 0)},
		Data: share.Data{
			Version: share.Version, Previous: hash(), Height: uint32(n/11*10 + min(n%11, 9)), Class: share.Class144,
			Payee: append([]byte{0x51, 0x20}, payee[:]...), Tag: make([]byte, share.MaxTag), WitnessCommitment: commitment[:],
		},
	}
	if n%11 == 0 {
		s.Data.Uncles = []chainhash.Hash{hash()}
	}
	// Coinbases are of all lengths.
	s.Link.State, s.Link.Length = hash(), 6_000+uint32(n)%64
	rest := hash()
	s.Link.Rest = append(rest[:], payee[:]...)[:s.Link.Length%64]
	for range 12 {
		s.Branch = append(s.Branch, hash())
	}
	s.SetMerkleRoot(&testChain)
	return s
}

// syncShares appends shares as a sync does, pruning what falls out of the
// retention, and calls each with the shares of each batch and how long it took.
func syncShares(t testing.TB, s *Store, from, to int, each func(n int, took time.Duration)) {
	t.Helper()
	batch := make([]blockchain.Accepted, 0, syncBatch)
	for n := from; n < to; n++ {
		batch = append(batch, accept(fullShare(n), false))
		if len(batch) < syncBatch && n < to-1 {
			continue
		}
		last := batch[len(batch)-1]
		height := int(last.Share.Data.Height)
		start := time.Now()
		if err := s.Append(batch, last.ID, uint32(max(0, height-retention+1))); err != nil {
			t.Fatal(err)
		}
		if each != nil {
			each(len(batch), time.Since(start))
		}
		batch = batch[:0]
	}
}

// TestSize measures the disk that a full retention takes: when it is full, at the
// worst moment while as much again is appended and pruned, after that, and the
// same once more after a restart. It must stay below maxDisk.
func TestSize(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector finds nothing here and takes minutes")
	}
	path := filepath.Join(t.TempDir(), "shares")
	s := open(t, path)
	var worst int64
	measure := func(int, time.Duration) {
		if size, err := folderSize(path); err != nil {
			t.Fatal(err)
		} else {
			worst = max(worst, size)
		}
	}
	syncShares(t, s, 0, retentionShares, measure)
	encoded := len(fullShare(1).Encode())
	size, _ := folderSize(path)
	t.Logf("%d shares of %d bytes, full: %.1f MB, at worst %.1f MB", s.Len(), encoded, float64(size)/1e6, float64(worst)/1e6)
	for round := 1; round <= 2; round++ {
		worst = 0
		syncShares(t, s, round*retentionShares, (round+1)*retentionShares, measure)
		size, _ := folderSize(path)
		t.Logf("round %d of appending and pruning as many: %.1f MB at worst, %.1f MB at the end", round, float64(worst)/1e6, float64(size)/1e6)
		if worst > maxDisk {
			t.Errorf("%d bytes, at most %d are allowed", worst, maxDisk)
		}
		closeStore(t, s)
		s = open(t, path)
		if size, _ = folderSize(path); size > maxDisk {
			t.Errorf("%d bytes after a restart", size)
		}
		if n := s.Len(); n < retentionShares-10 || n > retentionShares+10 {
			t.Errorf("%d shares, want %d", n, retentionShares)
		}
	}
	closeStore(t, s)
}
