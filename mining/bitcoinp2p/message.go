package bitcoinp2p

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// protocolVersion is the newest that changes anything here: BIP 130's sendheaders came
// with 70012, BIP 152's compact blocks with 70014, of which version 2 needs 70015.
const protocolVersion = 70016

const (
	headerSize   = 24 // magic 4, command 12, length 4, checksum 4
	blockHeader  = 80
	sendcmpct    = "sendcmpct"
	cmpctblock   = "cmpctblock"
	keptCompact  = blockHeader // what is kept of a compact block
	invEntrySize = 36
)

// limits are the bytes of each kind of message that is read. The rest is dropped.
var limits = map[string]int{
	// Fixed fields of 85 bytes and a user agent of 256.
	wire.CmdVersion: 85 + 3 + 256,
	wire.CmdVerAck:  0,
	wire.CmdPing:    8,
	wire.CmdPong:    8,
	// 2,000 headers with a transaction count of zero.
	wire.CmdHeaders: 3 + wire.MaxBlockHeadersPerMsg*(blockHeader+1),
	// A node that relays no transactions to us announces a handful of blocks at once.
	wire.CmdInv: 3 + 1_000*invEntrySize,
}

// maxMessage bounds all others, which are dropped, as Bitcoin Core does
// (MAX_PROTOCOL_MESSAGE_LENGTH).
const maxMessage = 4_000_000

// message is what was read: the command, and the payload if it is of a kind that is used.
type message struct {
	command string
	payload []byte
}

// reader reads messages of one network.
type reader struct {
	br    *bufio.Reader
	magic wire.BitcoinNet
}

// next reads a message.
func (r *reader) next() (m message, err error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r.br, h[:]); err != nil {
		return m, err
	}
	if magic := binary.LittleEndian.Uint32(h[:]); magic != uint32(r.magic) {
		return m, fmt.Errorf("message of another network (%08x)", magic)
	}
	m.command = string(bytes.TrimRight(h[4:16], "\x00"))
	size := int(binary.LittleEndian.Uint32(h[16:20]))
	if size > maxMessage {
		return m, fmt.Errorf("message of %d bytes", size)
	}
	if m.command == cmpctblock {
		return r.compact(m, size)
	}
	limit, used := limits[m.command]
	if !used || m.command == wire.CmdInv && size > limit {
		_, err := r.br.Discard(size)
		return message{command: m.command}, noEOF(err)
	}
	if size > limit {
		return m, fmt.Errorf("%s of %d bytes", m.command, size)
	}
	m.payload = make([]byte, size)
	if _, err := io.ReadFull(r.br, m.payload); err != nil {
		return m, noEOF(err)
	}
	if sum := chainhash.DoubleHashB(m.payload); !bytes.Equal(sum[:4], h[20:24]) {
		return m, fmt.Errorf("%s with a wrong checksum", m.command)
	}
	return m, nil
}

// compact keeps a compact block's header. Its proof of work stands in for the checksum.
func (r *reader) compact(m message, size int) (message, error) {
	if size < keptCompact {
		return m, fmt.Errorf("compact block of %d bytes", size)
	}
	m.payload = make([]byte, keptCompact)
	if _, err := io.ReadFull(r.br, m.payload); err != nil {
		return m, noEOF(err)
	}
	_, err := r.br.Discard(size - keptCompact)
	return m, noEOF(err)
}

// encode returns a message with its header.
func encode(magic wire.BitcoinNet, command string, payload []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(payload))
	binary.LittleEndian.PutUint32(b, uint32(magic))
	copy(b[4:16], command)
	binary.LittleEndian.PutUint32(b[16:], uint32(len(payload)))
	copy(b[20:24], chainhash.DoubleHashB(payload))
	return append(b, payload...)
}

// encodeWire is encode for a message of package wire.
func encodeWire(magic wire.BitcoinNet, msg wire.Message) ([]byte, error) {
	var buf bytes.Buffer
	if err := msg.BtcEncode(&buf, protocolVersion, wire.BaseEncoding); err != nil {
		return nil, err
	}
	return encode(magic, msg.Command(), buf.Bytes()), nil
}

// lastHeader returns the last header of a headers message; ok is false for an empty one.
func lastHeader(payload []byte) (h wire.BlockHeader, ok bool, err error) {
	r := bytes.NewReader(payload)
	count, err := wire.ReadVarInt(r, protocolVersion)
	if err != nil {
		return h, false, err
	}
	const entry = blockHeader + 1
	if count > wire.MaxBlockHeadersPerMsg || r.Len() != int(count)*entry {
		return h, false, errors.New("headers of another length than they say")
	}
	if count == 0 {
		return h, false, nil
	}
	return h, true, h.Deserialize(bytes.NewReader(payload[len(payload)-entry:]))
}

// lastBlock returns the last block that an inv announces.
func lastBlock(payload []byte) (hash chainhash.Hash, ok bool, err error) {
	r := bytes.NewReader(payload)
	count, err := wire.ReadVarInt(r, protocolVersion)
	if err != nil {
		return hash, false, err
	}
	if count > wire.MaxInvPerMsg || r.Len() != int(count)*invEntrySize {
		return hash, false, errors.New("inv of another length than it says")
	}
	for rest := payload[len(payload)-r.Len():]; len(rest) > 0; rest = rest[invEntrySize:] {
		if kind := wire.InvType(binary.LittleEndian.Uint32(rest)); kind&^wire.InvWitnessFlag == wire.InvTypeBlock {
			hash, ok = chainhash.Hash(rest[4:invEntrySize]), true
		}
	}
	return hash, ok, nil
}

// noEOF makes an end inside a message an error of its own.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
