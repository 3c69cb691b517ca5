package database

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/share"
)

// benchAppend appends batches of shares that are pruned again 1,000 heights later.
func benchAppend(b *testing.B, size int) {
	s := open(b, filepath.Join(b.TempDir(), "shares"))
	defer closeStore(b, s)
	list := make([]blockchain.Accepted, size)
	for i := range list {
		list[i] = accept(fullShare(i), false)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		for i := range list {
			sh := list[i].Share
			sh.Data.Height, sh.Header.Nonce = uint32(n), uint32(n)
			list[i].ID = sh.ID()
			n++
		}
		if err := s.Append(list, list[size-1].ID, uint32(max(0, n-1_000))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "shares/s")
}

// BenchmarkAppend measures what one share costs on this disk.
func BenchmarkAppend(b *testing.B) { benchAppend(b, 1) }

// BenchmarkAppend128 measures a batch as in a sync.
func BenchmarkAppend128(b *testing.B) { benchAppend(b, syncBatch) }

// benchSyncedWrite is the floor under benchAppend: as many bytes at the end of a
// file, and fsync.
func benchSyncedWrite(b *testing.B, size int) {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	records := make([]byte, size*(shareKeySize+1+len(fullShare(1).Encode())))
	for b.Loop() {
		if _, err := f.Write(records); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "shares/s")
}

// BenchmarkSyncedWrite is the floor under BenchmarkAppend.
func BenchmarkSyncedWrite(b *testing.B) { benchSyncedWrite(b, 1) }

// BenchmarkSyncedWrite128 is the floor under BenchmarkAppend128.
func BenchmarkSyncedWrite128(b *testing.B) { benchSyncedWrite(b, syncBatch) }

// BenchmarkFullRetention measures, with all shares that a node keeps, what the
// start does: Open, which reads every record, and Load, which decodes every share;
// reading the files alone is the floor. It reports the space on disk.
func BenchmarkFullRetention(b *testing.B) {
	path := filepath.Join(b.TempDir(), "shares")
	s := open(b, path)
	syncShares(b, s, 0, retentionShares+retentionShares/4, nil)
	size, err := folderSize(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			closeStore(b, s)
			s = open(b, path)
		}
		b.ReportMetric(float64(size)/1e6, "MB")
	})
	b.Run("Load", func(b *testing.B) {
		for b.Loop() {
			if err := s.Load(func(*share.Share, bool) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(s.Len())*float64(b.N)/b.Elapsed().Seconds(), "shares/s")
	})
	closeStore(b, s)
	b.Run("Check", func(b *testing.B) {
		for b.Loop() {
			if r, err := Check(path, testChain, func(*share.Share, bool) error { return nil }); err != nil || !r.Healthy() {
				b.Fatal(r, err)
			}
		}
	})
	b.Run("ReadFiles", func(b *testing.B) {
		for b.Loop() {
			snapshot(b, path)
		}
		b.ReportMetric(float64(size)/1e6, "MB")
	})
}

// BenchmarkShare measures reading one share of a table, as for a peer.
func BenchmarkShare(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "shares"))
	defer closeStore(b, s)
	const shares = 20_000
	syncShares(b, s, 0, shares, nil)
	b.ReportAllocs()
	list := make([]blockchain.Accepted, 1_000)
	for i := range list {
		list[i] = accept(fullShare(i*7_919%shares), false)
	}
	for n := 0; b.Loop(); n++ {
		a := &list[n%len(list)]
		if _, err := s.Share(a.Share.Data.Height, a.ID); err != nil {
			b.Fatal(err)
		}
	}
}
