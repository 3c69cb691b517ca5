package p2p

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

const (
	// filterBits is the size of one generation of an addrFilter: 4 KiB, so that a
	// peer costs 8 KiB and 125 peers 1 MB.
	filterBits = 32_768
	// filterHashes bits stand for one address.
	filterHashes = 8
	// filterLoad is the number of addresses after which a generation ends: two
	// getaddr answers. At worst one address in 2,000 is wrongly taken for known:
	// (1 − e^(−8·2000/32768))⁸.
	filterLoad = 2000
)

// addrFilter remembers which addresses a peer knows, the latest 2,000 to 4,000: a
// Bloom filter in two generations. It may take an address for known that is not,
// never the other way round until it is forgotten.
type addrFilter struct {
	young, old [filterBits / 64]uint64
	load       int // addresses in young
}

// add notes an address by its fingerprint.
func (f *addrFilter) add(p fingerprint) {
	if f.load >= filterLoad {
		f.old, f.young, f.load = f.young, [filterBits / 64]uint64{}, 0
	}
	f.load++
	for _, bit := range p {
		f.young[bit/64] |= 1 << (bit % 64)
	}
}

// has reports whether the address was added, and not yet forgotten.
func (f *addrFilter) has(p fingerprint) bool {
	in := func(g *[filterBits / 64]uint64) bool {
		for _, bit := range p {
			if g[bit/64]&(1<<(bit%64)) == 0 {
				return false
			}
		}
		return true
	}
	return in(&f.young) || in(&f.old)
}

// fingerprint is the bits of an address in the filters.
type fingerprint [filterHashes]uint16

// fingerprintOf depends on a secret key, so that nobody can make addresses that
// are taken for others'.
func fingerprintOf(key *[32]byte, a netaddr.Addr) (p fingerprint) {
	var buf [80]byte
	sum := sha256.Sum256(a.AppendKey(append(buf[:0], key[:]...)))
	for i := range p {
		p[i] = binary.LittleEndian.Uint16(sum[2*i:]) % filterBits
	}
	return p
}
