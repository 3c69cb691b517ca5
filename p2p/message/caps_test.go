package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// TestCaps: no type may be longer than its own cap, whichever way it comes. A frame is
// refused for what it claims, before any of its payload is there.
func TestCaps(t *testing.T) {
	seen := make(map[string]bool)
	for _, v := range vectors {
		command := v.msg.Command()
		if seen[command] {
			continue
		}
		seen[command] = true
		long := make([]byte, v.msg.MaxPayload()+1)
		if _, err := Decode(command, long); !errors.Is(err, ErrPayloadSize) {
			t.Errorf("%s of %d bytes: %v", command, len(long), err)
		}

		kind := make([]byte, TypeSize)
		copy(kind[1:], command)
		if _, err := ParseContents(append(kind, long...)); !errors.Is(err, ErrPayloadSize) {
			t.Errorf("packet with %s of %d bytes: %v", command, len(long), err)
		}

		header := make([]byte, HeaderSize)
		binary.LittleEndian.PutUint32(header, uint32(magic))
		copy(header[4:], command)
		binary.LittleEndian.PutUint32(header[4+commandSize:], uint32(len(long)))
		r := NewReader(bytes.NewReader(header), magic)
		r.SetReserve(func(n int) error {
			t.Errorf("room for %d bytes of %s is made", n, command)
			return nil
		})
		if _, err := r.Next(); !errors.Is(err, ErrPayloadSize) {
			t.Errorf("frame with %s of %d bytes: %v", command, len(long), err)
		}
	}
	for _, command := range []string{
		CmdVersion, CmdVerAck, CmdPing, CmdPong, CmdInv, CmdGetShares, CmdShares, CmdNotFound, CmdGetLocator,
		CmdSetMode, CmdGetAddr, CmdAddr, CmdAddrMe, CmdCmpctShare, CmdGetShareTxn, CmdShareTxn, CmdBlock,
	} {
		if !seen[command] {
			t.Errorf("no vector for %s", command)
		}
	}
}
