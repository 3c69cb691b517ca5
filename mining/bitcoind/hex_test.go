package bitcoind

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// FuzzEncodeHex compares with the standard library.
func FuzzEncodeHex(f *testing.F) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, src := range [][]byte{nil, all, all[:5], all[97:100]} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		want, got := hex.AppendEncode(nil, src), bytes.Repeat([]byte{'x'}, 2*len(src)+1)
		if n := encodeHex(got, src); n != len(want) || !bytes.Equal(got[:n], want) || got[n] != 'x' {
			t.Fatalf("%d digits, %s, want %s", n, got, want)
		}
	})
}

// BenchmarkHex turns a block of 4 MB into its digits, as they are sent.
func BenchmarkHex(b *testing.B) {
	block, buf := make([]byte, 4_000_000), make([]byte, 32<<10)
	for name, encode := range map[string]func(dst, src []byte) int{"four": encodeHex, "standard": hex.Encode} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for left := block; len(left) > 0; left = left[min(len(left), len(buf)/2):] {
					encode(buf, left[:min(len(left), len(buf)/2)])
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms")
		})
	}
}
