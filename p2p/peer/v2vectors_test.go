package peer

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"os"
	"strconv"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// vector is a row of BIP 324's packet_encoding_test_vectors.csv, which is in the
// folder testdata as published, under the document's licence, BSD-3-Clause.
type vector struct {
	t    *testing.T
	cols map[string]string
}

func (v vector) bytes(name string) []byte {
	v.t.Helper()
	b, err := hex.DecodeString(v.cols[name])
	if err != nil {
		v.t.Fatalf("%s: %v", name, err)
	}
	return b
}

func (v vector) int(name string) int {
	v.t.Helper()
	n, err := strconv.Atoi(v.cols[name])
	if err != nil {
		v.t.Fatalf("%s: %v", name, err)
	}
	return n
}

func vectors(t *testing.T) (list []vector) {
	f, err := os.Open("testdata/bip324_packet_encoding.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		v := vector{t, make(map[string]string)}
		for i, name := range rows[0] {
			v.cols[name] = row[i]
		}
		list = append(list, v)
	}
	return list
}

// TestBIP324Vectors: keys, session id, garbage terminators and packets are those of
// the document, on Bitcoin's mainnet, and both sides of each connection agree.
func TestBIP324Vectors(t *testing.T) {
	list := vectors(t)
	if len(list) != 7 {
		t.Fatalf("%d vectors", len(list))
	}
	for _, v := range list {
		private, _ := btcec.PrivKeyFromBytes(v.bytes("in_priv_ours"))
		key := keyPair{private, [keySize]byte(v.bytes("in_ellswift_ours"))}
		theirs := [keySize]byte(v.bytes("in_ellswift_theirs"))
		initiator := v.int("in_initiating") == 1
		keys, err := key.derive(&theirs, initiator, wire.MainNet)
		if err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string][]byte{
			"out_session_id":              keys.session[:],
			"mid_send_garbage_terminator": keys.send.terminator[:],
			"mid_recv_garbage_terminator": keys.recv.terminator[:],
		} {
			if !bytes.Equal(got, v.bytes(name)) {
				t.Errorf("%s is %x, want %s", name, got, v.cols[name])
			}
		}
		sender := newV2(nil, keys)
		var stream, last []byte
		index := v.int("in_idx")
		for range index {
			if stream, err = sender.seal(stream, nil, nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		contents := bytes.Repeat(v.bytes("in_contents"), v.int("in_multiply"))
		header := byte(v.int("in_ignore")) * ignoreBit
		if last, err = sender.seal(nil, contents, v.bytes("in_aad"), header); err != nil {
			t.Fatal(err)
		}
		if want := v.bytes("out_ciphertext"); len(want) > 0 && !bytes.Equal(last, want) {
			t.Errorf("packet %d is %x, want %x", index, last, want)
		}
		if want := v.bytes("out_ciphertext_endswith"); !bytes.HasSuffix(last, want) {
			t.Errorf("packet %d does not end in %x", index, want)
		}

		// The other side, by the document's shared secret.
		keys, err = newKeySchedule(v.bytes("mid_shared_secret"), !initiator, wire.MainNet)
		if err != nil {
			t.Fatal(err)
		}
		receiver := newV2(bufio.NewReader(bytes.NewReader(append(stream, last...))), keys)
		receiver.limit = 1<<24 - 1
		for range index {
			if b, err := receiver.open(nil); err != nil || len(b) != headerSize {
				t.Fatalf("%x, %v", b, err)
			}
		}
		got, err := receiver.open(v.bytes("in_aad"))
		if err != nil || got[0] != header || !bytes.Equal(got[headerSize:], contents) {
			t.Errorf("packet %d is not received as sent: %v", index, err)
		}
	}
}

// TestStrangeKeys: every 64 bytes are a key, those with u or t of zero, above the
// field's size or of a degenerate form included.
func TestStrangeKeys(t *testing.T) {
	key, err := newKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	var all [][keySize]byte
	for _, u := range []string{"00", "01", "ff"} {
		for _, v := range []string{"00", "01", "ff"} {
			b, _ := hex.DecodeString(u + v)
			all = append(all, [keySize]byte(append(bytes.Repeat(b[:1], 32), bytes.Repeat(b[1:], 32)...)))
		}
	}
	for _, v := range vectors(t) {
		all = append(all, [keySize]byte(v.bytes("in_ellswift_theirs")))
	}
	for i := range 64 {
		k := key.public
		k[i] ^= 0x80
		all = append(all, k)
	}
	for _, k := range all {
		if _, err := key.derive(&k, false, testMagic); err != nil {
			t.Errorf("%x: %v", k, err)
		}
	}
}
