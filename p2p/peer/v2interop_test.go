package peer

import (
	"bufio"
	"bytes"
	"net"
	"testing"

	"github.com/btcsuite/btcd/v2transport"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestV2Interop talks to btcd's own implementation of the handshake and the packets,
// in both directions, with garbage and decoys of its choice.
func TestV2Interop(t *testing.T) {
	for _, initiator := range []bool{true, false} { // what we are
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		theirs := make(chan error, 1)
		go func() {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err == nil {
				err = talk(conn, !initiator)
				conn.Close()
			}
			theirs <- err
		}()
		conn, err := l.Accept()
		l.Close()
		if err != nil {
			t.Fatal(err)
		}
		h := handshakeV2{in: bufio.NewReaderSize(conn, readBuffer), out: conn, magic: testMagic, garbage: newGarbage(), admit: admitted}
		var v2 *v2Transport
		if initiator {
			v2, err = h.initiate()
		} else if _, err = startsAsV1(h.in, testMagic); err == nil {
			v2, err = h.respond()
		}
		if err != nil {
			t.Fatalf("initiator %v: %v", initiator, err)
		}
		for i := range uint64(500) {
			b, err := v2.append(nil, &message.Ping{Nonce: i})
			if err == nil {
				_, err = conn.Write(b)
			}
			if err != nil {
				t.Fatal(err)
			}
			if m, err := v2.next(); err != nil || *m.(*message.Ping) != (message.Ping{Nonce: i}) {
				t.Fatalf("initiator %v, packet %d: %v, %v", initiator, i, m, err)
			}
		}
		conn.Close()
		if err := <-theirs; err == nil {
			t.Error("the other side goes on")
		}
	}
}

// talk runs btcd's side, which sends everything back, each time behind a decoy.
func talk(conn net.Conn, initiator bool) error {
	p := v2transport.NewPeer()
	p.UseReadWriter(conn)
	var err error
	if initiator {
		err = p.InitiateV2Handshake(100)
	} else {
		err = p.RespondV2Handshake(100, v2transport.BitcoinNet(testMagic))
	}
	if err == nil {
		err = p.CompleteHandshake(initiator, []int{0, 50}, v2transport.BitcoinNet(testMagic))
	}
	for err == nil {
		var b []byte
		if b, err = p.V2ReceivePacket(nil); err == nil {
			_, _, err = p.V2EncPacket(bytes.Repeat(b, 2), nil, true)
		}
		if err == nil {
			_, _, err = p.V2EncPacket(b, nil, false)
		}
	}
	return err
}
