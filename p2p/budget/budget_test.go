package budget

import (
	"errors"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

var start = time.Unix(1_700_000_000, 0)

func at(d time.Duration) time.Time { return start.Add(d) }

func shares(n int) *message.Shares {
	m := &message.Shares{}
	for range n {
		m.Raw = append(m.Raw, make([]byte, 800))
	}
	return m
}

func ids(n int) []chainhash.Hash { return make([]chainhash.Hash, n) }

// size is the length of a message with the frame of v2.
func size(m message.Message) int { return m.Size() + 33 }

// flood sends a message over and over for some time, as fast as it is taken, and
// returns how often it was taken and whether it became too much.
func flood(b *Budget, m message.Message, d time.Duration) (n int, tooMuch bool) {
	for now := start; now.Before(at(d)); n++ {
		v := b.Received(now, m, size(m))
		if v.TooMuch {
			return n, true
		}
		now = now.Add(v.Wait)
		now = now.Add(time.Microsecond) // for handling it
	}
	return n, false
}

func TestBucket(t *testing.T) {
	b := NewBucket(2, 10)
	if !b.Full(start) || !b.Holds(start, 10) || b.Holds(start, 11) {
		t.Fatal("it is not full at first")
	}
	b.Take(start, 14)
	if got := b.Wait(start); got != 2*time.Second || b.Level(start) != -4 {
		t.Errorf("overdrawn by 4 at 2/s it waits for %v", got)
	}
	if got := b.Wait(at(2 * time.Second)); got != 0 {
		t.Errorf("it still waits for %v", got)
	}
	if got := b.Level(at(-time.Hour)); got != 0 {
		t.Errorf("a clock that goes back makes it %v", got)
	}
	b = NewBucket(2, 10)
	b.Take(start, 9)
	b.Give(start, 100)
	if b.Level(start) != 10 || b.Level(at(time.Hour)) != 10 {
		t.Error("it holds more than its burst")
	}
	var none Bucket
	none.Take(start, 1)
	if none.Wait(start) != maxWait || none.Holds(at(time.Hour), 0) {
		t.Error("the zero bucket fills")
	}
}

// TestLimits checks the table.
func TestLimits(t *testing.T) {
	for command, l := range limits {
		if l.messages <= 0 || l.messageBurst < 1 || l.bytes <= 0 || l.byteBurst <= 0 {
			t.Errorf("%s lacks a limit: %+v", command, l)
		}
		if _, err := message.Decode(command, nil); errors.Is(err, message.ErrCommand) {
			t.Errorf("%s is no command", command)
		}
	}
	var rate float64
	for _, l := range limits {
		rate += l.bytes
	}
	rate += others.bytes
	t.Logf("a peer that floods with all types gets %.0f kB/s taken", rate/1000)
	if rate > 1.2*mib {
		t.Errorf("%.0f bytes a second are not what the package promises", rate)
	}
}

// TestNewcomer: a newcomer's requests at full speed, and what a peer gets in the long
// run.
func TestNewcomer(t *testing.T) {
	b := New(baseInterval)
	ask := &message.GetShares{IDs: ids(batch)}
	list := &message.GetLocator{Locator: ids(30), Max: message.MaxInv}
	now := start
	for i := range retained / batch {
		if i%(message.MaxInv/batch) == 0 {
			if v := b.Received(now, list, size(list)); v.Wait != 0 {
				t.Fatalf("getlocator after %d shares waits for %v", i*batch, v.Wait)
			}
			b.Served(now, time.Millisecond)
		}
		if v := b.Received(now, ask, size(ask)); v.Wait != 0 {
			t.Fatalf("getshares after %d shares waits for %v", i*batch, v.Wait)
		}
		b.Served(now, batch*28*time.Microsecond)
		now = now.Add(batch * 20 * time.Microsecond) // 50,000 shares a second
	}
	b = New(baseInterval)
	const long = 10 * time.Minute
	n, tooMuch := flood(b, ask, long)
	if rate := float64(n) * batch / long.Seconds(); rate < 20_000 || rate > 21_500 || tooMuch {
		t.Errorf("%.0f shares a second in the long run, too much: %v", rate, tooMuch)
	}
}

// TestSyncIsFree: the answers to our requests don't wait, whatever else comes in
// between, as long as their shares are valid.
func TestSyncIsFree(t *testing.T) {
	b := New(baseInterval)
	now := start
	answer := shares(batch)
	for i := range 3_000 {
		now = now.Add(time.Millisecond) // 128,000 shares a second
		if i%15 == 0 {
			b.Sent(now, &message.GetLocator{})
			inv := &message.Inv{IDs: ids(message.MaxInv)}
			if v := b.Received(now, inv, size(inv)); v.Wait != 0 {
				t.Fatalf("inv %d waits for %v", i, v.Wait)
			}
		}
		b.Sent(now, &message.GetShares{IDs: ids(batch)})
		v := b.Received(now, answer, size(answer))
		if v.Wait != 0 || v.Asked != batch {
			t.Fatalf("answer %d: %+v", i, v)
		}
		b.Verified(now, 4*time.Millisecond, batch, batch)
	}
	if st := b.Stats(); st.Verifying != 12*time.Second || st.Throttled != 0 {
		t.Errorf("%+v", st)
	}
}

// TestExpected: what was asked for, and not more, counts as asked; an answer may be
// late or in parts, but not for ever.
func TestExpected(t *testing.T) {
	b := New(baseInterval)
	asked := func(d time.Duration, n int) int { return b.Received(at(d), shares(n), 0).Asked }
	if got := asked(0, 5); got != 0 {
		t.Errorf("%d were asked for", got)
	}
	b.Sent(start, &message.GetShares{IDs: ids(10)})
	if got := []int{asked(0, 4), asked(expectFor-1, 4), asked(expectFor-1, 4), asked(expectFor-1, 4)}; got[0] != 4 || got[1] != 4 || got[2] != 2 || got[3] != 0 {
		t.Errorf("of ten, %v were asked for", got)
	}
	b.Sent(start, &message.GetShares{IDs: ids(10)})
	if got := asked(expectFor, 4); got != 0 {
		t.Errorf("%d are awaited after so long", got)
	}
	b.Sent(start, &message.GetShares{IDs: ids(4)})
	b.Received(start, &message.NotFound{IDs: ids(3)}, 0)
	if got := asked(0, 4); got != 1 {
		t.Errorf("besides a notfound, %d were asked for", got)
	}
	b.Sent(start, &message.GetShares{IDs: ids(2), Parents: 16})
	if got := asked(0, message.MaxShares); got < 2*17 {
		t.Errorf("of the ancestors %d were asked for", got)
	}
	for range 1000 {
		b.Sent(at(time.Hour), &message.GetShares{IDs: ids(batch)})
		b.Sent(at(time.Hour), &message.GetLocator{})
	}
	if got := b.expected[message.CmdShares].n; got != maxExpectedShares {
		t.Errorf("%d shares are awaited, at most %d", got, maxExpectedShares)
	}
	if got := b.expected[message.CmdInv].n; got != maxExpected {
		t.Errorf("%d invs are awaited, at most %d", got, maxExpected)
	}
}

// TestGarbage: shares that turn out worthless use the peer's time up, and then come in
// at that rate; valid ones do not.
func TestGarbage(t *testing.T) {
	const each = 100 * time.Microsecond
	judge := func(valid int) time.Duration {
		b := New(baseInterval)
		now, spent := start, time.Duration(0)
		for now.Before(at(time.Minute)) {
			b.Sent(now, &message.GetShares{IDs: ids(50)})
			now = now.Add(b.Received(now, shares(50), 0).Wait).Add(50 * each)
			b.Verified(now, 50*each, 50, valid)
			spent += 50 * each
		}
		return spent
	}
	if got := judge(50); got < 59*time.Second {
		t.Errorf("valid shares are verified for %v in a minute", got)
	}
	most := time.Duration((verifyBurst + 60*verifyRate + 0.01) * float64(time.Second))
	if got := judge(0); got > most {
		t.Errorf("garbage is verified for %v in a minute, at most %v", got, most)
	}
	if got := judge(25); got < 3*most/2 || got > 3*most {
		t.Errorf("half of it valid: verified for %v in a minute", got)
	}
}

// TestTooMuch: who floods with what nobody asked for is first slowed down and then
// sent away, whichever type it is. Requests, and floods that end, are no reason.
func TestTooMuch(t *testing.T) {
	for _, m := range []message.Message{
		&message.Ping{}, &message.Pong{}, &message.Inv{IDs: ids(1)}, &message.Inv{IDs: ids(message.MaxInv)}, shares(1), shares(250),
		&message.NotFound{IDs: ids(5)}, &message.SetMode{}, &message.GetAddr{}, &message.Addr{}, &message.AddrMe{Port: 1},
		&message.CmpctShare{}, &message.ShareTxn{}, &message.Block{}, &message.Unknown{Name: "new", Bytes: 100}, &message.Unknown{Name: "newer", Bytes: 1 << 20},
	} {
		n, tooMuch := flood(New(baseInterval), m, 2*Patience)
		if !tooMuch {
			t.Errorf("%s: %d are not too much", m.Command(), n)
		}
		b := New(baseInterval)
		if n, tooMuch := flood(b, m, Patience*9/10); tooMuch {
			t.Errorf("%s: %d are too much before the time", m.Command(), n)
		}
		if v := b.Received(at(Patience+10*time.Minute), m, size(m)); v.TooMuch {
			t.Errorf("%s: too much after a pause", m.Command())
		}
	}
	for _, m := range []message.Message{&message.GetShares{IDs: ids(1)}, &message.GetLocator{}, &message.GetShareTxn{}} {
		b := New(baseInterval)
		if n, tooMuch := flood(b, m, 2*Patience); tooMuch || b.Stats().Throttled == 0 {
			t.Errorf("%s: %d, too much: %v, %+v", m.Command(), n, tooMuch, b.Stats())
		}
	}
}

// TestUnlimited: who is vouched for never waits, but what it costs is counted.
func TestUnlimited(t *testing.T) {
	b := Unlimited()
	if _, tooMuch := flood(b, &message.Ping{}, 10*time.Millisecond); tooMuch {
		t.Error("pings are too much")
	}
	b.Verified(start, time.Minute, 1, 0)
	v := b.Received(start, shares(1), 1<<30)
	if st := b.Stats(); v.Wait != 0 || st.Verifying != time.Minute || st.Throttled != 0 || b.VerifyRank(start) >= 0 {
		t.Errorf("%+v, %+v", v, st)
	}
}

// TestUnknownCommands share one budget: a thousand names bring no more than one, and
// no memory.
func TestUnknownCommands(t *testing.T) {
	b := New(baseInterval)
	held := false
	for i := range 5000 {
		m := &message.Unknown{Name: string(rune('a'+i%26)) + string(rune('a'+i/26%26)), Bytes: 10}
		held = held || b.Received(start, m, size(m)).Wait > 0
	}
	if !held || len(b.account.purse.lanes) != 1 {
		t.Errorf("held back: %v, %d lanes", held, len(b.account.purse.lanes))
	}
}

// TestHonest: an hour of a busy link at a tenth of the interval costs no waiting.
func TestHonest(t *testing.T) {
	for _, interval := range []time.Duration{baseInterval, 2 * time.Second} {
		b := New(interval)
		for now := start; now.Before(at(time.Hour)); now = now.Add(interval / 10) {
			for _, m := range []message.Message{
				shares(1), &message.Inv{IDs: ids(1)}, &message.CmpctShare{}, &message.GetShareTxn{}, &message.Block{}, &message.GetLocator{Locator: ids(30)},
			} {
				if v := b.Received(now, m, size(m)); v.Wait != 0 {
					t.Fatalf("%v: %s waits for %v", interval, m.Command(), v.Wait)
				}
			}
			b.Verified(now, 10*time.Microsecond, 1, 0)
		}
	}
}
