package peer

import (
	"testing"
	"time"
)

// TestFigures: the limits are those of the tables in docs/p2p.md. Other tests use the
// constants themselves, and would follow them anywhere.
func TestFigures(t *testing.T) {
	for _, f := range []struct {
		name      string
		got, want int
	}{
		{"answers waiting to be sent", MaxQueueBytes, 64 << 10},
		{"announcements waiting to be sent", maxQueueNews, 256 << 10},
		{"messages waiting to be sent", MaxQueueMessages, 2048},
		{"one write", writeBatch, 64 << 10},
		{"large messages", maxLarge, 8},
		{"large messages of inbound peers", maxLargeInbound, 4},
		{"start of a large message", largeStart, 64 << 10},
		{"its steps", largeStep, 64 << 10},
		{"unknown messages before verack", maxEarlyUnknown, 16},
		{"payload before verack", handshakePayload, 4096},
		{"read buffer", readBuffer, 16 << 10},
		{"buffers kept", packetStep, 64 << 10},
		{"key exchanges a second", ExchangesPerSecond, 40},
		{"key exchanges at once", exchangeBurst, 16},
	} {
		if f.got != f.want {
			t.Errorf("%s: %d, documented are %d", f.name, f.got, f.want)
		}
	}
	for _, f := range []struct {
		name      string
		got, want time.Duration
	}{
		{"steps of a large message", largePatience, 10 * time.Second},
		{"handshake", HandshakeTimeout, time.Minute},
		{"pings", PingInterval, 30 * time.Second},
		{"silence", SilenceTimeout, 90 * time.Second},
		{"no complete message", IdleTimeout, 5 * time.Minute},
		{"one write", WriteTimeout, 2 * time.Minute},
		{"wait for a key exchange", maxExchangeWait, 30 * time.Second},
	} {
		if f.got != f.want {
			t.Errorf("%s: %v, documented are %v", f.name, f.got, f.want)
		}
	}
}
