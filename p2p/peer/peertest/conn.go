package peertest

import (
	"bytes"
	"io"
	"net"

	"github.com/btcsuite/btcd/v2transport"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

// MaxContents is the greatest length of a packet's contents that its length field
// can say, in bytes: 16 MiB less one.
const MaxContents = 1<<24 - 1

// garbage is the length of the garbage sent behind the key, in bytes.
const garbage = 50

// Conn is a v2 connection. One goroutine may send and one may receive.
type Conn struct {
	net.Conn
	v2    *v2transport.Peer
	claim int // that the next packet's length field shall say; 0: the truth
}

// Dial takes a TCP connection that was just made through the handshake of the v2
// transport, sending decoys of the given lengths in it. The version messages are
// left to the caller.
func Dial(conn net.Conn, magic wire.BitcoinNet, decoys ...int) (*Conn, error) {
	c := &Conn{Conn: conn, v2: v2transport.NewPeer()}
	c.v2.UseReadWriter(struct {
		io.Reader
		io.Writer
	}{conn, liar{c}})
	if err := c.v2.InitiateV2Handshake(garbage); err != nil {
		return nil, err
	}
	if err := c.v2.CompleteHandshake(true, decoys, v2transport.BitcoinNet(magic)); err != nil {
		return nil, err
	}
	return c, nil
}

// SendContents sends a packet, at most MaxContents bytes, or a decoy.
func (c *Conn) SendContents(contents []byte, decoy bool) error {
	_, _, err := c.v2.V2EncPacket(contents, nil, decoy)
	return err
}

// Claim sends the length field of a packet with contents of n bytes, at most
// MaxContents, and the first few bytes of what would follow. The field is encrypted
// by a stream cipher and not authenticated: whoever knows what it says, on the path
// too, can make it say anything.
func (c *Conn) Claim(n int) error {
	c.claim = n
	return c.SendContents(make([]byte, claimed), false)
}

// claimed is the true length of a packet that lies about it, in bytes.
const claimed = 1

// liar alters the length of a packet that is to lie about it.
type liar struct{ *Conn }

func (l liar) Write(b []byte) (int, error) {
	if l.claim > 0 {
		b = bytes.Clone(b)
		for i := range 3 {
			b[i] ^= byte((l.claim ^ claimed) >> (8 * i))
		}
		l.claim = 0
	}
	return l.Conn.Conn.Write(b)
}

// Send sends a message.
func (c *Conn) Send(m message.Message) error {
	contents, err := message.AppendContents(nil, m)
	if err != nil {
		return err
	}
	return c.SendContents(contents, false)
}

// Next receives a message. Decoys are passed over.
func (c *Conn) Next() (message.Message, error) {
	contents, err := c.v2.V2ReceivePacket(nil)
	if err != nil {
		return nil, err
	}
	return message.ParseContents(bytes.Clone(contents))
}
