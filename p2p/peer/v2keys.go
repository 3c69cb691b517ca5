package peer

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ellswift"
	"github.com/btcsuite/btcd/v2transport"
	"github.com/btcsuite/btcd/wire/v2"
)

const (
	// keySize is the length of a public key on the wire, in bytes: two field
	// elements, which no observer can tell from random bytes.
	keySize = 64
	// secretSize is the length of each symmetric key and of the session id, in
	// bytes.
	secretSize = sha256.Size
	// terminatorSize is the length of what ends the garbage, in bytes.
	terminatorSize = 16
)

// keyPair is the key of one side for one connection.
type keyPair struct {
	private *btcec.PrivateKey
	public  [keySize]byte
}

func newKeyPair() (keyPair, error) {
	private, public, err := ellswift.EllswiftCreate()
	return keyPair{private, public}, err
}

// keySchedule is what both sides derive from their keys.
type keySchedule struct {
	session [secretSize]byte // the same on both sides
	// The ciphers of packet lengths and of packets, and the garbage terminator,
	// of each direction.
	send, recv cipherPair
}

// cipherPair encrypts or decrypts one direction.
type cipherPair struct {
	length     *v2transport.FSChaCha20
	packet     *v2transport.FSChaCha20Poly1305
	terminator [terminatorSize]byte
}

// derive makes the keys of a connection.
func (k *keyPair) derive(theirs *[keySize]byte, initiator bool, magic wire.BitcoinNet) (*keySchedule, error) {
	secret, err := ellswift.V2Ecdh(k.private, *theirs, k.public, initiator)
	if err != nil {
		return nil, err
	}
	return newKeySchedule(secret[:], initiator, magic)
}

// newKeySchedule makes the keys of a connection from the shared secret. The magic
// is part of the salt, as BIP 324 has it: sides of different networks or pools get
// keys without relation.
func newKeySchedule(secret []byte, initiator bool, magic wire.BitcoinNet) (*keySchedule, error) {
	salt := binary.LittleEndian.AppendUint32([]byte("bitcoin_v2_shared_secret"), uint32(magic))
	master, err := hkdf.Extract(sha256.New, secret, salt)
	if err != nil {
		return nil, err
	}
	expand := func(label string) []byte {
		var b []byte
		if err == nil {
			b, err = hkdf.Expand(sha256.New, master, label, secretSize)
		}
		return b
	}
	session, terminators := expand("session_id"), expand("garbage_terminators")
	initiatorL, initiatorP := expand("initiator_L"), expand("initiator_P")
	responderL, responderP := expand("responder_L"), expand("responder_P")
	if err != nil {
		return nil, err
	}
	ours, err := newCipherPair(initiatorL, initiatorP, terminators[:terminatorSize])
	if err != nil {
		return nil, err
	}
	others, err := newCipherPair(responderL, responderP, terminators[terminatorSize:])
	if err != nil {
		return nil, err
	}
	if !initiator {
		ours, others = others, ours
	}
	return &keySchedule{session: [secretSize]byte(session), send: ours, recv: others}, nil
}

func newCipherPair(lengthKey, packetKey, terminator []byte) (c cipherPair, err error) {
	c.terminator = [terminatorSize]byte(terminator)
	if c.length, err = v2transport.NewFSChaCha20(lengthKey); err == nil {
		c.packet, err = v2transport.NewFSChaCha20Poly1305(packetKey)
	}
	return c, err
}
