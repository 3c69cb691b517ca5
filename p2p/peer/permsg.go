package peer

import (
	"maps"
	"sync"

	"github.com/p2poold/p2poold/p2p/message"
)

// OtherMessages stands for all unknown commands in the counters by message type, as
// in Bitcoin Core.
const OtherMessages = "*other*"

// perMessage counts bytes by command. The known commands bound its size.
type perMessage struct {
	mu    sync.Mutex // a leaf
	bytes map[string]uint64
}

func (c *perMessage) add(m message.Message, size int) {
	command := m.Command()
	if _, unknown := m.(*message.Unknown); unknown {
		command = OtherMessages
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes == nil {
		c.bytes = make(map[string]uint64)
	}
	c.bytes[command] += uint64(size)
}

// copy returns the counters, never nil.
func (c *perMessage) copy() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]uint64, len(c.bytes))
	maps.Copy(out, c.bytes)
	return out
}

// BytesPerMessage returns the bytes received and sent by command, with their frames;
// those of unknown commands together are OtherMessages. What else travels, such as
// key exchanges and decoys, is in none of them. The caller may change the maps.
func (p *Peer) BytesPerMessage() (in, out map[string]uint64) {
	return p.count.inPer.copy(), p.count.outPer.copy()
}

// wireSize returns the length of a message as it travels on this connection, with
// its frame or packet.
func (p *Peer) wireSize(m message.Message) int {
	if p.session.Load() == nil {
		return message.HeaderSize + m.Size()
	}
	return packetOverhead + message.TypeSize + m.Size()
}
