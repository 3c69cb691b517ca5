package message

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/p2poold/p2poold/blockchain/share"
)

// fuzzDecode checks one decoder: it never panics, fails with rule errors only,
// and what it accepts has exactly one encoding (version may have a tail).
func fuzzDecode(f *testing.F, command string) {
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	for _, v := range vectors {
		if v.msg.Command() == command {
			f.Add(unhex(v.payload))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := Decode(command, payload)
		if err != nil {
			if _, ok := errors.AsType[share.RuleError](err); !ok {
				t.Fatalf("error of type %T: %v", err, err)
			}
			return
		}
		again := m.AppendPayload(nil)
		if len(again) != m.Size() {
			t.Fatalf("Size %d, payload has %d bytes", m.Size(), len(again))
		}
		if _, tail := m.(extensible); tail {
			payload = payload[:min(len(again), len(payload))]
		}
		if !bytes.Equal(again, payload) {
			t.Fatalf("decoded %x, encoded %x", payload, again)
		}
	})
}

func FuzzVersion(f *testing.F)    { fuzzDecode(f, CmdVersion) }
func FuzzVerAck(f *testing.F)     { fuzzDecode(f, CmdVerAck) }
func FuzzPing(f *testing.F)       { fuzzDecode(f, CmdPing) }
func FuzzPong(f *testing.F)       { fuzzDecode(f, CmdPong) }
func FuzzInv(f *testing.F)        { fuzzDecode(f, CmdInv) }
func FuzzGetShares(f *testing.F)  { fuzzDecode(f, CmdGetShares) }
func FuzzShares(f *testing.F)     { fuzzDecode(f, CmdShares) }
func FuzzNotFound(f *testing.F)   { fuzzDecode(f, CmdNotFound) }
func FuzzGetLocator(f *testing.F) { fuzzDecode(f, CmdGetLocator) }
func FuzzSetMode(f *testing.F)    { fuzzDecode(f, CmdSetMode) }

func FuzzCmpctShare(f *testing.F)  { fuzzDecode(f, CmdCmpctShare) }
func FuzzGetShareTxn(f *testing.F) { fuzzDecode(f, CmdGetShareTxn) }
func FuzzShareTxn(f *testing.F)    { fuzzDecode(f, CmdShareTxn) }
func FuzzBlock(f *testing.F)       { fuzzDecode(f, CmdBlock) }

func FuzzGetAddr(f *testing.F) { fuzzDecode(f, CmdGetAddr) }
func FuzzAddrMe(f *testing.F)  { fuzzDecode(f, CmdAddrMe) }

// FuzzAddr differs in that addresses may be left out: what is kept must encode to
// no more bytes, and decode to itself.
func FuzzAddr(f *testing.F) {
	f.Add(unhex("02 00000000 00 03 0a" + hexOf("01", 10) + "0100 00000000 00 01 04 01020304 0100"))
	f.Add(unhex("01 00000000 00 02 10" + hexOf("00", 10) + "ffff01020304 0100"))
	f.Add(unhex("fde803"))
	for _, v := range vectors {
		if v.msg.Command() == CmdAddr {
			f.Add(unhex(v.payload))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := Decode(CmdAddr, payload)
		if err != nil {
			if _, ok := errors.AsType[share.RuleError](err); !ok {
				t.Fatalf("error of type %T: %v", err, err)
			}
			return
		}
		b := m.AppendPayload(nil)
		if len(b) != m.Size() || len(b) > len(payload) {
			t.Fatalf("Size %d, payload has %d bytes, was %d", m.Size(), len(b), len(payload))
		}
		if len(b) == len(payload) && !bytes.Equal(b, payload) {
			t.Fatalf("decoded %x, encoded %x", payload, b)
		}
		again, err := Decode(CmdAddr, b)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}

// FuzzReader feeds a stream of bytes to the frame reader.
func FuzzReader(f *testing.F) {
	var all []byte
	for _, v := range vectors {
		b := frame(f, v.msg)
		f.Add(b)
		all = append(all, b...)
	}
	f.Add(all)
	unknown := frame(f, &Ping{})
	copy(unknown[4:], "newthing")
	f.Add(unknown)
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream), magic)
		for read := 0; ; {
			m, err := r.Next()
			if err != nil {
				return
			}
			if read += HeaderSize + m.Size(); read > len(stream) {
				t.Fatalf("read %d of %d bytes", read, len(stream))
			}
		}
	})
}
