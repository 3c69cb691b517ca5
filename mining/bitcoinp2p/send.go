package bitcoinp2p

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/mining"
)

const (
	// sendTimeout bounds a whole Send: a handshake, 4 MB, and the node's check of the
	// block, which takes seconds on a slow machine. Who needs longer comes too late.
	sendTimeout = time.Minute

	// maxBlock is the greatest size of a block, in bytes (BIP 141).
	maxBlock = 4_000_000

	// getdata is what a node asks for a block with.
	getdata = wire.CmdGetData
)

// errNotABlock says that what should be sent can't be a block.
var errNotABlock = errors.New("not a block")

// Send hands a serialized block, whose first piece has the whole header, to the Bitcoin node at addr, host:port, over the peer
// network, and returns nil when the node has dealt with it: with a ping sent behind the
// block and answered. That says nothing of the node's verdict.
//
// Bitcoin Core takes a block that it hasn't asked for if it has at least the work of its
// best one. btcd drops whoever sends one; it is offered the block's hash and asks.
func Send(ctx context.Context, addr string, magic wire.BitcoinNet, userAgent string, block mining.RawBlock) error {
	if size := block.Size(); size <= blockHeader || size > maxBlock || len(block[0]) < blockHeader {
		return errNotABlock
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	s := &sender{conn: conn, magic: magic, block: block,
		reader: reader{br: bufio.NewReaderSize(conn, bufferSize), magic: magic}}
	if err := s.run(userAgent); ctx.Err() == nil {
		return err
	}
	return ctx.Err()
}

// sender is a connection that is there for one block. Its context's end closes it, which
// is its only time-out.
type sender struct {
	conn   net.Conn
	magic  wire.BitcoinNet
	reader reader
	block  mining.RawBlock
}

// run does all the talking.
func (s *sender) run(userAgent string) error {
	agent, err := s.shake(userAgent)
	if err != nil {
		return err
	}
	if strings.Contains(agent, "btcd") {
		err = s.offer()
	} else {
		err = s.give()
	}
	if err != nil {
		return err
	}
	return s.settle()
}

// shake exchanges versions and returns the node's name for itself.
func (s *sender) shake(userAgent string) (agent string, err error) {
	nobody := wire.NewNetAddressIPPort(net.IPv4zero, 0, 0)
	ours := wire.NewMsgVersion(nobody, nobody, rand.Uint64(), 0)
	ours.ProtocolVersion, ours.UserAgent, ours.DisableRelayTx = protocolVersion, userAgent, true
	// btcd asks for blocks only those that say they have them, with witnesses.
	ours.Services = wire.SFNodeNetwork | wire.SFNodeWitness
	if err := s.send(ours); err != nil {
		return "", err
	}
	for version, verack := false, false; !version || !verack; {
		m, err := s.reader.next()
		switch {
		case err != nil:
			return "", noEOF(err)
		case m.command == wire.CmdVersion && !version:
			var theirs wire.MsgVersion
			if err := theirs.BtcDecode(bytes.NewBuffer(m.payload), protocolVersion, wire.BaseEncoding); err != nil {
				return "", fmt.Errorf("version: %w", err)
			}
			agent, version = theirs.UserAgent, true
			if err := s.send(wire.NewMsgVerAck()); err != nil {
				return "", err
			}
		case m.command == wire.CmdVerAck && version:
			verack = true
		case !version || m.command == wire.CmdVersion:
			return "", fmt.Errorf("%.12q in the handshake", m.command)
		}
	}
	return agent, nil
}

// offer announces the block and gives it when the node asks. A node that has it already
// doesn't ask: it answers the ping instead.
func (s *sender) offer() error {
	hash := chainhash.DoubleHashH(s.block[0][:blockHeader])
	inv := wire.NewMsgInv()
	if err := inv.AddInvVect(wire.NewInvVect(wire.InvTypeBlock, &hash)); err != nil {
		return err
	}
	if err := s.send(inv); err != nil {
		return err
	}
	// btcd deals with an inv beside the messages that follow, and hears of our having
	// joined beside that; so a first pong proves nothing yet.
	const rounds = 5
	for round := range rounds {
		asked, err := s.await(uint64(round), getdata)
		if err != nil {
			return err
		}
		if asked {
			return s.give()
		}
		time.Sleep(pingPause)
		if round == rounds/2 {
			if err := s.send(inv); err != nil {
				return err
			}
		}
	}
	return nil
}

// pingPause is between two looks whether the node wants the block.
const pingPause = 100 * time.Millisecond

// give writes the block.
func (s *sender) give() error {
	head := make([]byte, headerSize)
	binary.LittleEndian.PutUint32(head, uint32(s.magic))
	copy(head[4:16], wire.CmdBlock)
	binary.LittleEndian.PutUint32(head[16:], uint32(s.block.Size()))
	hash := sha256.New()
	for _, piece := range s.block {
		hash.Write(piece)
	}
	copy(head[20:], chainhash.HashB(hash.Sum(nil)))
	buffers := append(net.Buffers{head}, s.block...)
	_, err := buffers.WriteTo(s.conn)
	return err
}

// settle waits until the node has dealt with what it was sent: it answers in order.
func (s *sender) settle() error {
	_, err := s.await(rand.Uint64()|1<<63, "")
	return err
}

// await sends a ping and reads until its answer, or until a message of the kind that is
// waited for.
func (s *sender) await(nonce uint64, command string) (seen bool, err error) {
	if err := s.send(wire.NewMsgPing(nonce)); err != nil {
		return false, err
	}
	for {
		m, err := s.reader.next()
		switch {
		case err != nil:
			return false, noEOF(err)
		case m.command == command:
			return true, nil
		case m.command == wire.CmdPing && len(m.payload) == 8:
			if _, err := s.conn.Write(encode(s.magic, wire.CmdPong, m.payload)); err != nil {
				return false, err
			}
		case m.command == wire.CmdPong && len(m.payload) == 8 && binary.LittleEndian.Uint64(m.payload) == nonce:
			return false, nil
		}
	}
}

// send writes a small message.
func (s *sender) send(msg wire.Message) error {
	b, err := encodeWire(s.magic, msg)
	if err != nil {
		return err
	}
	_, err = s.conn.Write(b)
	return err
}
