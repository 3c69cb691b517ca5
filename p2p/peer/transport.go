package peer

import (
	"bufio"
	"bytes"
	"encoding/binary"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

// transport turns a connection's bytes into messages and back. next, setLimit and
// takeDecoys are for the reader goroutine, append for whichever goroutine writes; the two
// share no state.
type transport interface {
	// next reads one message, with the errors of message.Reader.Next and v2Error.
	next() (message.Message, error)
	// setLimit caps payloads of all types at n bytes, at most message.MaxPayload.
	setLimit(n int)
	// append appends the message to b as it goes over the wire. The messages must
	// be written in the order of the calls.
	append(b []byte, m message.Message) ([]byte, error)
	// takeDecoys returns the bytes of decoys that came before the last message and
	// were not taken yet.
	takeDecoys() int
}

// v1Transport carries plain frames, as Bitcoin did before BIP 324.
type v1Transport struct {
	*message.Reader
	magic wire.BitcoinNet
}

func newV1(r *bufio.Reader, magic wire.BitcoinNet) *v1Transport {
	return &v1Transport{message.NewReader(r, magic), magic}
}

func (t *v1Transport) next() (message.Message, error) { return t.Next() }

func (t *v1Transport) setLimit(n int) { t.SetLimit(n) }

func (t *v1Transport) takeDecoys() int { return 0 }

func (t *v1Transport) append(b []byte, m message.Message) ([]byte, error) {
	return message.AppendFrame(b, t.magic, m)
}

// v1PrefixSize is the length of what every v1 connection begins with: magic and
// the command of a version message.
const v1PrefixSize = 4 + 12

func v1Prefix(magic wire.BitcoinNet) []byte {
	b := make([]byte, v1PrefixSize)
	binary.LittleEndian.PutUint32(b, uint32(magic))
	copy(b[4:], message.CmdVersion)
	return b
}

// startsAsV1 looks at the first bytes of an inbound connection, without taking
// them, until they differ from a v1 connection's or are known to be one.
func startsAsV1(r *bufio.Reader, magic wire.BitcoinNet) (bool, error) {
	prefix := v1Prefix(magic)
	for n := 1; n <= v1PrefixSize; n++ {
		b, err := r.Peek(n)
		if err != nil {
			return false, err
		}
		if b[n-1] != prefix[n-1] {
			return false, nil
		}
	}
	return true, nil
}

// checkForeignV1 refuses the v1 version message of another network or pool,
// which would otherwise pass for a v2 key. A real key has that form once in 2^96
// connections.
func checkForeignV1(first []byte, magic wire.BitcoinNet) error {
	if len(first) < v1PrefixSize || !bytes.Equal(first[4:v1PrefixSize], v1Prefix(magic)[4:]) {
		return nil
	}
	return share.RuleError{Kind: message.ErrMagic, Description: "version message of another network"}
}

// chooseTransport agrees with the other side on how messages travel.
func (p *Peer) chooseTransport() error {
	v2 := p.cfg.V2
	if v2 && p.cfg.Inbound {
		v1, err := startsAsV1(p.in, p.cfg.Magic)
		if err != nil {
			return err
		}
		v2 = !v1
	}
	if !v2 {
		t := newV1(p.in, p.cfg.Magic)
		t.SetReserve(p.reserve)
		p.transport = t
		return nil
	}
	h := handshakeV2{in: p.in, out: countingWriter{p.cfg.Conn, &p.count.bytesOut}, magic: p.cfg.Magic, garbage: newGarbage()}
	var t *v2Transport
	var err error
	if p.cfg.Inbound {
		h.admit = func() error { return p.cfg.Exchanges.wait(p.ctx.Done()) }
		t, err = h.respond()
	} else {
		t, err = h.initiate()
	}
	if err != nil {
		return err
	}
	t.reserve, t.settle = p.reserve, p.settle
	p.transport = t
	p.session.Store(&t.session)
	return nil
}
