package peer

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	mathrand "math/rand/v2"

	"github.com/btcsuite/btcd/v2transport"
	"github.com/btcsuite/btcd/wire/v2"
)

// maxGarbage is how many bytes without meaning may follow a key (BIP 324), so
// that the first flight has no length to recognise.
const maxGarbage = v2transport.MaxGarbageLen

// v2Error is a failure of the v2 transport that is nobody's proven fault: until a
// packet has been authenticated it may come from the other side, from anybody on
// the path, or from a node of another pool.
type v2Error string

func (e v2Error) Error() string { return string(e) }

const (
	errTerminator v2Error = "no end of the garbage: another network, or not a v2 peer"
	errLength     v2Error = "packet longer than allowed, or its length was altered"
	errAltered    v2Error = "packet that does not authenticate"
)

// errNoV2 wraps the end of an outbound connection whose other side took our key
// for a malformed message.
var errNoV2 = errors.New("the peer hung up on the v2 handshake")

// newGarbage returns random bytes of a random length.
func newGarbage() []byte {
	b := make([]byte, mathrand.N(maxGarbage+1))
	rand.Read(b) // never fails
	return b
}

// handshakeV2 agrees on keys with the other side. It runs in the reader goroutine
// within the connection's handshake deadline.
type handshakeV2 struct {
	in      *bufio.Reader
	out     io.Writer
	magic   wire.BitcoinNet
	garbage []byte       // to send; at most maxGarbage bytes
	admit   func() error // waits until a responder may spend CPU time
}

// initiate is the dialer's side.
func (h *handshakeV2) initiate() (*v2Transport, error) {
	key, err := newKeyPair()
	if err != nil {
		return nil, err
	}
	_, err = h.out.Write(append(key.public[:], h.garbage...))
	if err == nil {
		_, err = h.in.Peek(1)
	}
	if err != nil {
		// Not one byte came back. If it is not our deadline, the other side did not
		// understand.
		if readError(err, ReasonHandshake).Reason == ReasonClosed {
			err = errors.Join(errNoV2, err)
		}
		return nil, err
	}
	var theirs [keySize]byte
	if _, err := io.ReadFull(h.in, theirs[:]); err != nil {
		return nil, err
	}
	return h.finish(&key, &theirs, true, nil)
}

// respond is the listener's side, after startsAsV1.
func (h *handshakeV2) respond() (*v2Transport, error) {
	// What is here already may tell, before a key is made, that none is needed.
	first, _ := h.in.Peek(min(h.in.Buffered(), v1PrefixSize))
	if err := checkForeignV1(first, h.magic); err != nil {
		return nil, err
	}
	if err := h.admit(); err != nil {
		return nil, err
	}
	key, err := newKeyPair()
	if err != nil {
		return nil, err
	}
	// BIP 324 wants our key sent as soon as it is clear that this is not v1. If
	// theirs is complete, as it always is from our own kind, all goes in one write.
	unsent := append(key.public[:], h.garbage...)
	if h.in.Buffered() < keySize {
		if _, err := h.out.Write(unsent); err != nil {
			return nil, err
		}
		unsent = nil
	}
	var theirs [keySize]byte
	for n := v1PrefixSize; n <= keySize; n += keySize - v1PrefixSize {
		if first, err = h.in.Peek(n); err != nil {
			return nil, err
		}
		if err := checkForeignV1(first, h.magic); err != nil {
			return nil, err
		}
	}
	if _, err := io.ReadFull(h.in, theirs[:]); err != nil {
		return nil, err
	}
	return h.finish(&key, &theirs, false, unsent)
}

// finish exchanges garbage terminators and version packets. Each side sends its
// own, behind what is still unsent, before it waits for the other's. What a version
// packet contains is for later versions of BIP 324.
func (h *handshakeV2) finish(key *keyPair, theirs *[keySize]byte, initiator bool, unsent []byte) (*v2Transport, error) {
	keys, err := key.derive(theirs, initiator, h.magic)
	if err != nil {
		return nil, err
	}
	t := newV2(h.in, keys)
	t.setLimit(handshakePayload)
	hello, err := t.seal(append(unsent, keys.send.terminator[:]...), nil, h.garbage, 0)
	if err != nil {
		return nil, err
	}
	if _, err := h.out.Write(hello); err != nil {
		return nil, err
	}
	garbage, err := readGarbage(h.in, keys.recv.terminator[:])
	if err != nil {
		return nil, err
	}
	if _, err := t.receive(garbage); err != nil {
		return nil, err
	}
	return t, nil
}

// readGarbage returns what comes before the terminator, which it takes too.
func readGarbage(r *bufio.Reader, terminator []byte) ([]byte, error) {
	var b []byte
	for {
		c, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		if b = append(b, c); bytes.HasSuffix(b, terminator) {
			return b[:len(b)-len(terminator)], nil
		}
		if len(b) == maxGarbage+terminatorSize {
			return nil, errTerminator
		}
	}
}
