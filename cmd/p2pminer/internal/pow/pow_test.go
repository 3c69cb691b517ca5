package pow

import (
	"encoding/binary"
	"testing"

	"github.com/p2poold/p2poold/blockchain/target"
)

// Search finds what trying each nonce finds.
func TestSearch(t *testing.T) {
	h := NewHasher()
	for seed := range uint64(20) {
		var header Header
		for i := 0; i < OffsetNonce; i += 4 {
			binary.LittleEndian.PutUint64(header[i:], seed*0x9e3779b97f4a7c15+uint64(i))
		}
		goal := NewGoal(target.FromDifficulty(1e-9 * float64(seed+1)))
		var next uint32
		for range 5 {
			found := false
			first := next
			for !found {
				next, found = h.Search(&header, &goal, next, 7)
			}
			for nonce := first; nonce < next; nonce++ {
				header.SetNonce(nonce)
				if hash := header.Hash(); goal.Met(&hash) != (nonce == next-1) {
					t.Fatalf("seed %d: nonce %d is found or missed wrongly", seed, nonce)
				}
			}
		}
	}
}

func TestMidstate(t *testing.T) {
	h := NewHasher()
	message := make([]byte, 300)
	for i := range message {
		message[i] = byte(i)
	}
	var m Midstate
	for cut := range message {
		m = h.Midstate(message[:cut], m)
		if got := h.DoubleHash(m, message[cut:cut+1], message[cut+1:]); got != DoubleHash(message) {
			t.Fatalf("cut at %d: %x", cut, got)
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	h := NewHasher()
	var header Header
	goal := NewGoal(target.FromDifficulty(1e6))
	b.ReportAllocs()
	for b.Loop() {
		h.Search(&header, &goal, 0, 1000)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/hash")
}
