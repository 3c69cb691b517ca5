package chainman

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

// BenchmarkFullRetention takes in a full retention of shares, class 144, 10,000
// payees, and restarts with it. The floors do what cannot be left out: for the sync
// the double SHA-256 of coinbase, branch and header of every share, and a synced
// write of every batch; for the restart reading the files once, and a hash of each
// header.
func BenchmarkFullRetention(b *testing.B) {
	shares, _ := retention(b)
	info, err := os.Stat(shares)
	if err != nil {
		b.Fatal(err)
	}
	dir, folders := "", b.TempDir() // which the parts share
	m := newBulkMiner(b, retentionPayees)
	boot := func(b *testing.B, dir string) (*Manager, func() error) {
		store := openStore(b, dir, m.params)
		manager := New(Config{Params: m.params, Store: store, Bitcoin: m, Now: func() time.Time { return m.now }})
		if err := manager.Load(b.Context(), m.header.BlockHash()); err != nil {
			b.Fatal(err)
		}
		return manager, store.Close
	}
	perSecond := func(b *testing.B, n int) {
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "shares/s")
	}
	b.Run("sync", func(b *testing.B) {
		n := 0
		for b.Loop() {
			dir = filepath.Join(folders, time.Now().Format(time.RFC3339Nano))
			manager, stop := boot(b, dir)
			n = feed(b, manager, shares)
			if err := stop(); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b, n)
		b.ReportMetric(float64(folderSize(b, dir))/1e6, "MB-disk")
	})
	b.Run("sync-floor", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n = hashAndWrite(b, shares)
		}
		perSecond(b, n)
	})
	b.Run("restart", func(b *testing.B) {
		for b.Loop() {
			manager, stop := boot(b, dir)
			if _, err := manager.Payouts(manager.Tip().ID, m.params.Bitcoin.PowLimitBits, 1e8, share.Class144); err != nil {
				b.Fatal(err)
			}
			if err := stop(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("restart-floor", func(b *testing.B) {
		b.SetBytes(info.Size())
		for b.Loop() {
			f, err := os.Open(shares)
			if err != nil {
				b.Fatal(err)
			}
			eachShare(b, f, func(raw []byte) { chainhash.DoubleHashB(raw[:80]) })
			f.Close()
		}
	})
}

// hashAndWrite is the floor under a sync.
func hashAndWrite(b *testing.B, shares string) (n int) {
	b.Helper()
	in, err := os.Open(shares)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	coinbase := make([]byte, 144*31+250) // 144 outputs of P2WPKH scripts, and the rest of it
	var pair [2 * chainhash.HashSize]byte
	var batch []byte
	eachShare(b, in, func(raw []byte) {
		chainhash.DoubleHashB(coinbase)
		for range 12 {
			chainhash.DoubleHashB(pair[:])
		}
		chainhash.DoubleHashB(raw[:80])
		batch = append(batch, raw...)
		if n++; n%feedBatch == 0 {
			if _, err := out.Write(batch); err != nil {
				b.Fatal(err)
			}
			if err := out.Sync(); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	})
	return n
}

// eachShare calls f for every share of a file made by retention.
func eachShare(t testing.TB, file io.Reader, f func(raw []byte)) {
	t.Helper()
	r := bufio.NewReaderSize(file, 1<<16)
	var size [2]byte
	for {
		if _, err := io.ReadFull(r, size[:]); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, binary.LittleEndian.Uint16(size[:]))
		if _, err := io.ReadFull(r, raw); err != nil {
			t.Fatal(err)
		}
		f(raw)
	}
}
