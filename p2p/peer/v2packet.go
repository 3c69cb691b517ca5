package peer

import (
	"bufio"
	"io"
	"slices"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/p2p/message"
)

const (
	lengthSize = 3  // encrypted length of the contents, little endian
	headerSize = 1  // flags, encrypted with the contents
	tagSize    = 16 // Poly1305
	// packetOverhead is what a packet adds to its contents, in bytes.
	packetOverhead = lengthSize + headerSize + tagSize

	// ignoreBit in the header marks a decoy. The other bits are reserved and
	// ignored.
	ignoreBit = 0x80

	// packetStep bounds the memory that one claimed length can cost before its
	// bytes arrive, 64 KiB. Buffers up to this size are kept for the next packet.
	packetStep = 64 << 10
)

// ErrDecoys is the kind of the rule that the decoys between two messages take no
// more bytes than one message may. Any message begins a new count; how many there
// are in the long run is the affair of the peer's Budget.
const ErrDecoys share.ErrorKind = "ErrDecoys"

// v2Transport carries messages in the encrypted packets of BIP 324.
type v2Transport struct {
	session [secretSize]byte

	// Of the reader goroutine.
	in     *bufio.Reader
	recv   cipherPair
	limit  int    // of contents, in bytes
	packet []byte // reused
	decoys int    // bytes of them that were not taken yet
	// reserve waits until a packet with so many bytes of contents may be read; nil: at
	// once.
	reserve func(n int) error
	settle  func() // gives back what was reserved for a decoy; nil: nothing

	// Of the writer.
	send  cipherPair
	plain []byte // reused
}

func newV2(in *bufio.Reader, keys *keySchedule) *v2Transport {
	t := &v2Transport{session: keys.session, in: in, recv: keys.recv, send: keys.send}
	t.setLimit(message.MaxPayload)
	return t
}

func (t *v2Transport) setLimit(n int) { t.limit = message.TypeSize + min(n, message.MaxPayload) }

func (t *v2Transport) next() (message.Message, error) {
	contents, err := t.receive(nil)
	if err != nil {
		return nil, err
	}
	return message.ParseContents(contents)
}

func (t *v2Transport) takeDecoys() int {
	n := t.decoys
	t.decoys = 0
	return n
}

// receive returns the contents of the next packet that is no decoy. aad is
// authenticated with the first packet.
func (t *v2Transport) receive(aad []byte) ([]byte, error) {
	decoys := 0 // bytes
	for {
		plain, err := t.open(aad)
		if err != nil {
			return nil, err
		}
		if plain[0]&ignoreBit == 0 {
			return plain[headerSize:], nil
		}
		aad = nil
		size := len(plain) - headerSize + packetOverhead
		if t.settle != nil {
			t.settle()
		}
		t.decoys += size
		if decoys += size; decoys > t.limit {
			return nil, share.RuleError{Kind: ErrDecoys, Description: "too many bytes of decoys without a message"}
		}
	}
}

// open reads and decrypts one packet and returns header and contents.
func (t *v2Transport) open(aad []byte) ([]byte, error) {
	var field [lengthSize]byte
	if _, err := io.ReadFull(t.in, field[:]); err != nil {
		return nil, err
	}
	clear, err := t.recv.length.Crypt(field[:])
	if err != nil {
		return nil, err
	}
	// Up to 16 MiB, and not authenticated yet.
	n := int(clear[0]) | int(clear[1])<<8 | int(clear[2])<<16
	if n > t.limit {
		return nil, errLength
	}
	if t.reserve != nil {
		if err := t.reserve(n - message.TypeSize); err != nil {
			return nil, err
		}
	}
	packet, err := t.read(headerSize + n + tagSize)
	if err != nil {
		return nil, err
	}
	plain, err := t.recv.packet.Decrypt(aad, packet)
	if err != nil {
		return nil, errAltered
	}
	return plain, nil
}

// read returns the next n bytes, with memory that follows what has arrived. They
// are valid until the next call.
func (t *v2Transport) read(n int) ([]byte, error) {
	b := t.packet[:0]
	for len(b) < n {
		have, step := len(b), min(n-len(b), packetStep)
		b = slices.Grow(b, step)[:have+step]
		if _, err := io.ReadFull(t.in, b[have:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	t.packet = kept(b)
	return b, nil
}

// kept returns the buffer for reuse unless it is large.
func kept(b []byte) []byte {
	if cap(b) > packetStep {
		return nil
	}
	return b
}

func (t *v2Transport) append(b []byte, m message.Message) ([]byte, error) {
	plain, err := message.AppendContents(append(t.plain[:0], 0), m)
	if err != nil {
		return b, err
	}
	t.plain = kept(plain)
	return t.encrypt(b, plain, nil)
}

// seal appends a packet to b, a decoy if the header says so.
func (t *v2Transport) seal(b, contents, aad []byte, header byte) ([]byte, error) {
	return t.encrypt(b, append([]byte{header}, contents...), aad)
}

// encrypt appends a packet of header and contents to b.
func (t *v2Transport) encrypt(b, plain, aad []byte) ([]byte, error) {
	n := len(plain) - headerSize
	length, err := t.send.length.Crypt([]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	if err != nil {
		return b, err
	}
	packet, err := t.send.packet.Encrypt(aad, plain)
	if err != nil {
		return b, err
	}
	return append(append(b, length...), packet...), nil
}
