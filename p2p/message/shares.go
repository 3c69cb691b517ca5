package message

import (
	"github.com/p2poold/p2poold/blockchain/share"
)

const (
	// MaxShares is the number of shares in one message.
	MaxShares = 2000
	// MaxSharesPayload is the payload's cap in bytes, nearly twice what answers are cut
	// into. With the read buffer of 16 KiB a connection so holds at most 256 KiB that
	// are not decoded yet.
	MaxSharesPayload = 240_000
	// minShare is the least length of a share in bytes: its Bitcoin header.
	minShare = 80
)

// Shares carries encoded shares, in answer to getshares or, on a low-latency
// link, at once when a share is new. Ancestors come before descendants.
type Shares struct {
	// Raw holds 1 to MaxShares shares as share.Encode gives them, each of at
	// most share.MaxEncodedSize bytes. A received message owns them; they share
	// one buffer, so keeping one keeps all.
	Raw [][]byte
}

// Command returns "shares".
func (m *Shares) Command() string { return CmdShares }

// MaxPayload returns the payload's cap in bytes.
func (m *Shares) MaxPayload() int { return MaxSharesPayload }

// Size returns the payload's length in bytes.
func (m *Shares) Size() int {
	n := varintSize(len(m.Raw))
	for _, raw := range m.Raw {
		n += varintSize(len(raw)) + len(raw)
	}
	return n
}

// AppendPayload appends the payload to b.
func (m *Shares) AppendPayload(b []byte) []byte {
	b = appendVarint(b, uint64(len(m.Raw)))
	for _, raw := range m.Raw {
		b = append(appendVarint(b, uint64(len(raw))), raw...)
	}
	return b
}

func (m *Shares) decode(d *decoder) {
	n := d.count(1, MaxShares, 1+minShare, "shares")
	if n == 0 {
		return
	}
	m.Raw = make([][]byte, 0, n)
	for range n {
		m.Raw = append(m.Raw, d.take(d.count(minShare, share.MaxEncodedSize, 1, "bytes of share")))
	}
}
