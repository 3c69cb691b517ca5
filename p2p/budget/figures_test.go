package budget

import (
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// TestFigures: the limits are those of the tables in docs/p2p.md. Other tests use the
// constants themselves, and would follow them anywhere.
func TestFigures(t *testing.T) {
	if verifyRate != 0.010 || verifyBurst != 0.5 {
		t.Errorf("%v s/s for verifying, %v s at once: documented are 10 ms/s and 0.5 s", verifyRate, verifyBurst)
	}
	if serveRate != 0.6 || serveBurst != 9 {
		t.Errorf("%v s/s for answers, %v s at once: documented are 0.6 s/s and 9 s", serveRate, serveBurst)
	}
	documented := map[string]limit{
		message.CmdPing:        {messages: 1, messageBurst: 60, bytes: 64, byteBurst: 4_096},
		message.CmdPong:        {messages: 1, messageBurst: 60, bytes: 64, byteBurst: 4_096},
		message.CmdInv:         {messages: 20, messageBurst: 2_000, bytes: 16_384, byteBurst: 262_144},
		message.CmdShares:      {messages: 20, messageBurst: 2_000, bytes: 65_536, byteBurst: 1_048_576},
		message.CmdCmpctShare:  {messages: 20, messageBurst: 2_000, bytes: 65_536, byteBurst: 4_194_304},
		message.CmdBlock:       {messages: 5, messageBurst: 200, bytes: 65_536, byteBurst: 4_194_304},
		message.CmdNotFound:    {messages: 1, messageBurst: 50, bytes: 8_192, byteBurst: 262_144},
		message.CmdShareTxn:    {messages: 1, messageBurst: 64, bytes: 16_384, byteBurst: 1_048_576},
		message.CmdAddr:        {messages: 1, messageBurst: 40, bytes: 4_096, byteBurst: 131_072},
		message.CmdGetShareTxn: {messages: 20, messageBurst: 2_000, bytes: 32_768, byteBurst: 1_048_576},
	}
	for name, want := range documented {
		got := limits[name]
		got = limit{messages: got.messages, messageBurst: got.messageBurst, bytes: got.bytes, byteBurst: got.byteBurst}
		if got != want {
			t.Errorf("%s: %+v, documented is %+v", name, got, want)
		}
	}
}

// TestServeTime: the time that a peer's requests cost is bounded, however few they are.
func TestServeTime(t *testing.T) {
	const minute = 60 * time.Second
	for _, m := range []message.Message{&message.GetShares{IDs: ids(1)}, &message.GetLocator{Locator: ids(1), Max: message.MaxInv}} {
		b := New(baseInterval)
		served := 0
		for now := start; now.Sub(start) < minute; served++ {
			v := b.Received(now, m, size(m))
			now = now.Add(v.Wait)
			b.Served(now, time.Second)
		}
		// 9 s at once, 36 s in the minute, and one more that ends in debt.
		if served < 40 || served > 47 {
			t.Errorf("%s: answered for %d s in a minute, 45 s are meant", m.Command(), served)
		}
	}
}
