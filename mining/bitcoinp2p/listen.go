package bitcoinp2p

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

const (
	dialTimeout = 5 * time.Second
	// handshakeTimeout bounds the exchange of versions, as in Bitcoin Core.
	handshakeTimeout = 60 * time.Second
	// pingEvery is the pause between our pings, and silence the longest time without
	// any message, which the answer to a ping always is.
	pingEvery = 30 * time.Second
	silence   = 90 * time.Second
	// writeTimeout bounds a write. Ours are small and rare.
	writeTimeout = 10 * time.Second
	// bufferSize holds most messages.
	bufferSize = 4 << 10
)

// Config says whom to listen to, and for what.
type Config struct {
	// Addr is the node's peer network port, host:port.
	Addr string

	// Magic is the network's.
	Magic wire.BitcoinNet

	// UserAgent is our name (BIP 14).
	UserAgent string

	// Compact asks for compact blocks before the node has validated them.
	Compact bool

	// Tip returns the best block known here. The node announces by their headers only
	// blocks on top of one that it knows us to have.
	Tip func() chainhash.Hash

	// Up is called when the handshake is done.
	Up func()

	// On is called for each announcement, and must not block.
	On func(Event)
}

// Event is an announcement of a block.
type Event struct {
	Hash chainhash.Hash

	// Header is the block's, or nil where only its hash was announced.
	Header *wire.BlockHeader

	// Compact tells that the node hasn't validated the block.
	Compact bool
}

// Listen connects to the node and calls cfg.On for each block it announces, until ctx
// ends or the connection does. It returns the reason, and leaves nothing behind.
func Listen(ctx context.Context, cfg Config) error {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", cfg.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := serve(ctx, conn, &cfg); ctx.Err() == nil {
		return err
	}
	return ctx.Err()
}

// peer is the connection to the node.
type peer struct {
	cfg    *Config
	conn   net.Conn
	reader reader
}

// serve is Listen on a connection.
func serve(ctx context.Context, conn net.Conn, cfg *Config) error {
	p := &peer{cfg: cfg, conn: conn, reader: reader{br: bufio.NewReaderSize(conn, bufferSize), magic: cfg.Magic}}
	if err := p.shake(); err != nil {
		return err
	}
	cfg.Up()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	defer func() { cancel(); <-done }()
	go func() {
		defer close(done)
		p.ping(ctx)
	}()
	for {
		if err := conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		m, err := p.reader.next()
		if err != nil {
			return err
		}
		if err := p.handle(&m); err != nil {
			return err
		}
	}
}

// ping keeps the node talking. A write that fails ends the connection.
func (p *peer) ping(ctx context.Context) {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := p.send(wire.NewMsgPing(rand.Uint64())); err != nil {
			p.conn.Close()
			return
		}
	}
}

// send writes a message. Writes don't mix: a net.Conn's are atomic.
func (p *peer) send(msg wire.Message) error {
	b, err := encodeWire(p.cfg.Magic, msg)
	if err != nil {
		return err
	}
	return p.write(b)
}

func (p *peer) write(b []byte) error {
	if err := p.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := p.conn.Write(b)
	return err
}

// shake exchanges versions and says what we want to hear.
func (p *peer) shake() error {
	if err := p.conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	nobody := wire.NewNetAddressIPPort(net.IPv4zero, 0, 0)
	ours := wire.NewMsgVersion(nobody, nobody, rand.Uint64(), 0)
	ours.ProtocolVersion, ours.UserAgent, ours.DisableRelayTx = protocolVersion, p.cfg.UserAgent, true
	if err := p.send(ours); err != nil {
		return err
	}
	for version, verack := false, false; !version || !verack; {
		m, err := p.reader.next()
		switch {
		case err != nil:
			return noEOF(err)
		case m.command == wire.CmdVersion:
			if version {
				return errors.New("two versions")
			}
			version = true
			if err := p.greet(m.payload); err != nil {
				return err
			}
		case m.command == wire.CmdVerAck:
			verack = true
		case !version:
			return fmt.Errorf("%.12q before the version", m.command)
		}
	}
	return p.ask()
}

// greet answers the node's version.
func (p *peer) greet(payload []byte) error {
	var theirs wire.MsgVersion
	if err := theirs.BtcDecode(bytes.NewBuffer(payload), protocolVersion, wire.BaseEncoding); err != nil {
		return fmt.Errorf("version: %w", err)
	}
	if theirs.ProtocolVersion < int32(wire.SendHeadersVersion) {
		return fmt.Errorf("protocol version %d knows no sendheaders", theirs.ProtocolVersion)
	}
	return p.send(wire.NewMsgVerAck())
}

// ask says what we want to hear: headers, and compact blocks unasked if configured. The
// getheaders lets the node know what we have; its answer may be a newer block already.
func (p *peer) ask() error {
	if err := p.send(wire.NewMsgSendHeaders()); err != nil {
		return err
	}
	if p.cfg.Compact {
		// BIP 152: high bandwidth, version 2.
		if err := p.write(encode(p.cfg.Magic, sendcmpct, []byte{1, 2, 0, 0, 0, 0, 0, 0, 0})); err != nil {
			return err
		}
	}
	return p.getHeaders()
}

func (p *peer) getHeaders() error {
	tip := p.cfg.Tip()
	get := wire.NewMsgGetHeaders()
	get.ProtocolVersion = protocolVersion
	if err := get.AddBlockLocatorHash(&tip); err != nil {
		return err
	}
	return p.send(get)
}

// handle takes a message after the handshake.
func (p *peer) handle(m *message) error {
	switch m.command {
	case wire.CmdPing:
		if len(m.payload) != 8 {
			return fmt.Errorf("ping of %d bytes", len(m.payload))
		}
		return p.write(encode(p.cfg.Magic, wire.CmdPong, m.payload))
	case wire.CmdHeaders:
		header, ok, err := lastHeader(m.payload)
		if err == nil && ok {
			p.cfg.On(Event{Hash: header.BlockHash(), Header: &header})
		}
		return err
	case wire.CmdInv:
		if m.payload == nil {
			return nil // too long, and dropped
		}
		hash, ok, err := lastBlock(m.payload)
		if err != nil || !ok {
			return err
		}
		p.cfg.On(Event{Hash: hash})
		// The node didn't know that we have the block below. Now it will.
		return p.getHeaders()
	case cmpctblock:
		if !p.cfg.Compact {
			return nil // unasked for
		}
		header := new(wire.BlockHeader)
		if err := header.Deserialize(bytes.NewReader(m.payload)); err != nil {
			return err
		}
		p.cfg.On(Event{Hash: header.BlockHash(), Header: header, Compact: true})
	}
	return nil
}
