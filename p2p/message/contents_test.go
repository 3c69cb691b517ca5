package message

import (
	"errors"
	"reflect"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
)

func TestContents(t *testing.T) {
	for _, m := range []Message{&VerAck{}, &Ping{Nonce: 5}, &Inv{IDs: make([]chainhash.Hash, 3)}, &SetMode{Mode: LowLatency}} {
		b, err := AppendContents([]byte("kept"), m)
		if err != nil || string(b[:4]) != "kept" || len(b) != 4+TypeSize+m.Size() {
			t.Fatalf("%s: %x, %v", m.Command(), b, err)
		}
		if got, err := ParseContents(b[4:]); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: %v, %v", m.Command(), got, err)
		}
		for n := range b[4:] {
			if _, err := ParseContents(b[4 : 4+n]); err == nil {
				t.Errorf("%s: %d of %d bytes are accepted", m.Command(), n, len(b)-4)
			}
		}
		if _, err := ParseContents(append(b[4:], 0)); err == nil {
			t.Errorf("%s: a trailing byte is accepted", m.Command())
		}
	}
	if b, err := AppendContents(nil, &Inv{IDs: make([]chainhash.Hash, 2001)}); err == nil || b != nil {
		t.Errorf("an oversize message is sent: %d bytes", len(b))
	}
}

func TestContentsUnknown(t *testing.T) {
	tests := []struct {
		contents string
		name     string // "" if refused
		bytes    int
	}{
		{"\x00newthing\x00\x00\x00\x00abc", "newthing", 3},
		{"\x01", "#1", 0},
		{"\xffping", "#255", 4},
		{"", "", 0},
		{"\x00", "", 0},
		{"\x00ping", "", 0},
		{"\x00pi\x00ng\x00\x00\x00\x00\x00\x00\x00", "", 0},
		{"\x00Ping\x00\x00\x00\x00\x00\x00\x00\x00", "", 0},
		{"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "", 0},
	}
	for _, test := range tests {
		m, err := ParseContents([]byte(test.contents))
		if test.name == "" {
			if rule, ok := errors.AsType[share.RuleError](err); !ok || rule.Kind != ErrCommand {
				t.Errorf("%q: %v, %v", test.contents, m, err)
			}
			continue
		}
		if u, ok := m.(*Unknown); err != nil || !ok || u.Name != test.name || u.Bytes != test.bytes {
			t.Errorf("%q: %+v, %v", test.contents, m, err)
		}
	}
}

func FuzzParseContents(f *testing.F) {
	for _, m := range []Message{&VerAck{}, &Ping{}, &Inv{IDs: make([]chainhash.Hash, 2)}} {
		b, _ := AppendContents(nil, m)
		f.Add(b)
	}
	f.Add([]byte{17, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseContents(b)
		if err != nil {
			if _, ok := errors.AsType[share.RuleError](err); !ok {
				t.Errorf("%v is not the sender's fault", err)
			}
			return
		}
		if _, unknown := m.(*Unknown); unknown {
			return
		}
		if again, err := AppendContents(nil, m); err != nil || string(again) != string(b) {
			if _, tail := m.(extensible); !tail {
				t.Errorf("%x becomes %x, %v", b, again, err)
			}
		}
	})
}
