package connmgr

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/addrmgr"
	"github.com/p2poold/p2poold/p2p/netaddr"
)

// world is a book and a Chooser on time that only the test moves.
type world struct {
	*Chooser
	t    testing.TB
	now  time.Time
	book *addrmgr.Manager
}

func newRand(seed byte) *rand.Rand { return rand.New(rand.NewChaCha8([32]byte{seed})) }

func newWorld(t testing.TB, full int, book *addrmgr.Manager) *world {
	w := &world{t: t, now: time.Unix(1_800_000_000, 0), book: book}
	if book == nil {
		w.book = addrmgr.New(addrmgr.Config{Now: func() time.Time { return w.now }, Rand: newRand(1)})
	}
	w.Chooser = New(Config{Book: w.book, Full: full, Rand: newRand(2)})
	return w
}

// ip returns a routable IPv4 address of a group.
func ip(group, host int) netaddr.Addr {
	b := binary.BigEndian.AppendUint16(nil, uint16(0x1000+group))
	a, err := netaddr.New(netaddr.IPv4, binary.BigEndian.AppendUint16(b, uint16(host)), 9333)
	if err != nil {
		panic(err)
	}
	return a
}

func (w *world) add(list ...netaddr.Addr) {
	for _, a := range list {
		w.book.Add([]netaddr.Record{{Addr: a, Seen: uint32(w.now.Unix())}}, a)
	}
}

func nobody(netaddr.Addr) bool { return false }

// next returns the next dial; ok tells whether there must be one.
func (w *world) next(ok bool) Dial {
	w.t.Helper()
	d, got := w.Next(w.now, nobody)
	if got != ok {
		w.t.Fatalf("dial %v %v: %v, want %v", d.Kind, d.Addr, got, ok)
	}
	return d
}

// connect dials whatever is chosen until nothing is, and every dial gets through.
func (w *world) connect() (list []Dial) {
	for {
		d, ok := w.Next(w.now, nobody)
		if !ok {
			return list
		}
		w.book.Good(d.Addr, 0)
		w.Ready(w.now, d.Addr)
		list = append(list, d)
		w.now = w.now.Add(time.Millisecond)
	}
}

func TestFull(t *testing.T) {
	w := newWorld(t, DefaultFull, nil)
	w.next(false)
	for g := range 40 {
		w.add(ip(g, 1))
	}
	list := w.connect()
	if len(list) != DefaultFull {
		t.Fatalf("%d connections", len(list))
	}
	for _, d := range list {
		if d.Kind != Full {
			t.Errorf("%v is a %v connection", d.Addr, d.Kind)
		}
	}
	// One that ends is replaced, but not by itself at once.
	w.Ended(list[0].Addr)
	if d := w.next(true); d.Addr == list[0].Addr {
		t.Error("dialed again at once")
	}
	if got := w.Standing(w.now); len(got) != DefaultFull-1 || got[0] != list[1].Addr {
		t.Errorf("standing: %v", got)
	}
	none := newWorld(t, 0, nil)
	none.add(ip(1, 1))
	none.now = none.now.Add(time.Hour)
	none.next(false)
}

// TestOneGroup: however many addresses a group has in the book, it gets one
// connection. With the rule off it gets all.
func TestOneGroup(t *testing.T) {
	for _, rule := range []bool{true, false} {
		w := newWorld(t, DefaultFull, nil)
		for host := range 3000 {
			if rule {
				w.add(ip(7, host))
			} else {
				w.add(ip(host, 7))
			}
		}
		if n := len(w.connect()); n != map[bool]int{true: 1, false: DefaultFull}[rule] {
			t.Errorf("groups heeded %v: %d connections", rule, n)
		}
	}
	// Groups of dials under way and of anchors count too.
	w := newWorld(t, DefaultFull, nil)
	w.add(ip(1, 1), ip(1, 2))
	w.next(true)
	w.next(false)
}

func TestAvoidAndReach(t *testing.T) {
	w := newWorld(t, DefaultFull, nil)
	onion, err := netaddr.Parse("pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion", 9333)
	if err != nil {
		t.Fatal(err)
	}
	w.add(ip(1, 1), onion)
	if d, ok := w.Next(w.now, func(a netaddr.Addr) bool { return a == ip(1, 1) }); ok {
		t.Errorf("dials %v", d.Addr)
	}
	if d := w.next(true); d.Addr != ip(1, 1) {
		t.Errorf("dials %v", d.Addr)
	}
	w.next(false)
	tor := New(Config{Book: w.book, Full: 1, Rand: newRand(3), Reachable: func(n netaddr.Network) bool { return n == netaddr.TorV3 }})
	if d, ok := tor.Next(w.now, nobody); !ok || d.Addr != onion {
		t.Errorf("dials %v", d.Addr)
	}
}

// TestBackoff: an address that does not answer is dialed ever more rarely.
func TestBackoff(t *testing.T) {
	w := newWorld(t, DefaultFull, nil)
	w.add(ip(1, 1))
	var at []time.Duration
	for begin := w.now; w.now.Sub(begin) < 12*time.Hour; w.now = w.now.Add(5 * time.Second) {
		if d, ok := w.Next(w.now, nobody); ok {
			at = append(at, w.now.Sub(begin))
			w.Ended(d.Addr)
		}
	}
	if len(at) < 12 || len(at) > 18 {
		t.Errorf("%d dials in twelve hours: %v", len(at), at)
	}
	for i, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute} {
		if got := at[i+1] - at[i]; got < want || got > want+15*time.Second {
			t.Errorf("pause %d is %v, want %v", i, got, want)
		}
	}
	if got := at[len(at)-1] - at[len(at)-2]; got < BackoffMax || got > BackoffMax+time.Minute {
		t.Errorf("the last pause is %v", got)
	}
}

// TestOffline: dials in vain are held against an address only while others are
// reached.
func TestOffline(t *testing.T) {
	for _, online := range []bool{false, true} {
		w := newWorld(t, DefaultFull, nil)
		if online {
			w.add(ip(10, 1), ip(11, 1))
			w.connect()
		}
		w.add(ip(1, 1))
		for range 3 {
			w.now = w.now.Add(2 * BackoffMax)
			w.book.Good(ip(20, 1), 0) // an earlier attempt has been counted already
			w.now = w.now.Add(time.Second)
			d := Dial{}
			for d.Addr != ip(1, 1) {
				d = w.next(true)
				w.Ended(d.Addr)
			}
		}
		w.now = w.now.Add(time.Hour)
		known := slices.ContainsFunc(w.book.Sample(100, 0), func(r netaddr.Record) bool { return r.Addr == ip(1, 1) })
		if known == online {
			t.Errorf("online %v: still worth something %v", online, known)
		}
	}
}

func TestAnchors(t *testing.T) {
	w := newWorld(t, DefaultFull, nil)
	anchors := []netaddr.Addr{ip(90, 1), ip(91, 1), ip(91, 2)}
	w.book.SetAnchors(anchors)
	w.Chooser = New(Config{Book: w.book, Full: DefaultFull, Rand: newRand(2)})
	for g := range 20 {
		w.add(ip(g, 1))
	}
	list := w.connect()
	if len(list) != DefaultFull || list[0] != (Dial{anchors[0], Anchor}) || list[1] != (Dial{anchors[1], Anchor}) {
		t.Errorf("%v", list)
	}
	if slices.ContainsFunc(list, func(d Dial) bool { return d.Addr == anchors[2] }) {
		t.Error("two anchors of one group")
	}
}

// TestFeelers: one at a time, about every two minutes, of addresses that were
// never tried.
func TestFeelers(t *testing.T) {
	w := newWorld(t, 2, nil)
	for g := range 400 {
		w.add(ip(g, 1))
	}
	full := w.connect()
	feelers := 0
	for range 6 * 3600 {
		w.now = w.now.Add(time.Second)
		d, ok := w.Next(w.now, nobody)
		if !ok {
			continue
		}
		feelers++
		if d.Kind != Feeler || d.Addr == full[0].Addr || d.Addr == full[1].Addr {
			t.Fatalf("%v %v", d.Kind, d.Addr)
		}
		due := w.feeler
		w.feeler = w.now
		if _, again := w.Next(w.now, nobody); again {
			t.Fatal("two feelers at a time")
		}
		w.feeler = due
		w.Ready(w.now, d.Addr)
		w.book.Good(d.Addr, 0)
		w.Ended(d.Addr)
	}
	if feelers < 120 || feelers > 240 {
		t.Errorf("%d feelers in six hours", feelers)
	}
	if _, tried := w.book.Len(); tried < feelers-10 { // a few collide
		t.Errorf("%d tried after %d feelers", tried, feelers)
	}
}

// TestFeelerTests: an address in the way of another is what the next feeler
// tests, and it is decided by that.
func TestFeelerTests(t *testing.T) {
	for _, answers := range []bool{true, false} {
		w := newWorld(t, 1, nil)
		w.add(ip(50_000, 1))
		w.connect()
		for g := range 2000 {
			w.book.Good(ip(g, 1), 0)
		}
		w.book.Resolve() // all have just answered: they stay
		w.now = w.now.Add(5 * time.Hour)
		var old addrmgr.Candidate
		for g, found := 2000, false; !found; g++ {
			w.book.Good(ip(g, 1), 0)
			old, found = w.book.Collision()
		}
		w.feeler = w.now
		if d := w.next(true); d != (Dial{old.Addr, Feeler}) {
			t.Fatalf("%v %v, want %v", d.Kind, d.Addr, old.Addr)
		}
		if answers {
			w.Ready(w.now, old.Addr)
			w.book.Good(old.Addr, 0)
		}
		w.Ended(old.Addr)
		_, before := w.book.Len()
		w.now = w.now.Add(5 * time.Minute)
		w.book.Resolve()
		if _, open := w.book.Collision(); open {
			t.Errorf("answers %v: still open", answers)
		}
		if _, after := w.book.Len(); after != before {
			t.Errorf("answers %v: %d tried, before %d", answers, after, before)
		}
	}
	// The connection that there is anyway counts as a test.
	w := newWorld(t, 1, nil)
	w.add(ip(1, 1))
	w.connect()
	w.now = w.now.Add(5 * time.Hour)
	for g, found := 2, false; !found; g++ {
		w.book.Good(ip(g%4000, 2+g/4000), 0)
		old, ok := w.book.Collision()
		found = ok && old.Addr == ip(1, 1)
		w.book.Resolve() // all others have just answered
	}
	w.feeler = w.now
	d, _ := w.Next(w.now, nobody)
	w.book.Resolve()
	if old, open := w.book.Collision(); open || d.Addr == ip(1, 1) {
		t.Errorf("dials %v, tests %v, which is connected", d.Addr, old.Addr)
	}
}

// TestShareOnly: beside the full connections there are share-only ones in groups of
// their own. They come first among the anchors, and are share-only again.
func TestShareOnly(t *testing.T) {
	w := newWorld(t, 5, nil)
	w.cfg.ShareOnly = 2
	for g := range 60 {
		w.add(ip(g, 1), ip(g, 2))
	}
	list := w.connect()
	groups := make(map[netaddr.Group]bool)
	for i, d := range list {
		groups[d.Addr.Group()] = true
		if (d.Kind == ShareOnly) != (i >= 5) || d.Kind != ShareOnly && d.Kind != Full {
			t.Errorf("no. %d is %v", i, d.Kind)
		}
	}
	if len(list) != 7 || len(groups) != 7 {
		t.Fatalf("%d connections in %d groups", len(list), len(groups))
	}
	want := []netaddr.Addr{list[5].Addr, list[6].Addr, list[0].Addr, list[1].Addr}
	if got := w.Standing(w.now); !slices.Equal(got[:4], want) {
		t.Errorf("anchors %v, want %v", got[:4], want)
	}
	// One too many is a matter of the full ones.
	w.SetStale(true)
	if d := w.next(true); d.Kind != Extra {
		t.Errorf("%v", d.Kind)
	} else {
		w.Ready(w.now, d.Addr)
	}
	w.now = w.now.Add(minLife)
	none := func(netaddr.Addr) time.Time { return time.Time{} }
	for range 2 {
		a, ok := w.Excess(w.now, func(a netaddr.Addr) time.Time {
			if a == list[5].Addr || a == list[6].Addr {
				return time.Time{}
			}
			return w.now
		})
		if !ok || a == list[5].Addr || a == list[6].Addr {
			t.Errorf("lets go %v %v", a, ok)
		}
	}
	a, _ := w.Excess(w.now, none)
	w.Ended(a)
	w.SetStale(false)
	// One that ends is replaced.
	w.Ended(list[6].Addr)
	w.now = w.now.Add(BackoffMin)
	if d := w.next(true); d.Kind != ShareOnly {
		t.Errorf("%v", d.Kind)
	}

	w.book.SetAnchors(want)
	w.Chooser = New(Config{Book: w.book, Full: 5, ShareOnly: 2, Rand: newRand(2)})
	kinds := map[Kind]int{}
	for i, d := range w.connect() {
		kinds[d.Kind]++
		if i < 4 && d.Addr != want[i] || (i < 2) != (d.Kind == ShareOnly) {
			t.Errorf("no. %d after the start is %v %v", i, d.Kind, d.Addr)
		}
	}
	if kinds[ShareOnly] != 2 || kinds[Anchor] != 2 || kinds[Full] != 3 {
		t.Errorf("after the start: %v", kinds)
	}
	// An anchor that can't be reached is not waited for.
	w.Chooser = New(Config{Book: w.book, Full: 5, ShareOnly: 2, Rand: newRand(2)})
	for _, kind := range []Kind{ShareOnly, ShareOnly, ShareOnly, ShareOnly, Full} {
		d := w.next(true)
		if d.Kind != kind {
			t.Errorf("%v, want %v", d.Kind, kind)
		}
		w.Ended(d.Addr)
	}
}

// TestExtra: while no share comes, one connection more; then the idlest goes.
func TestExtra(t *testing.T) {
	w := newWorld(t, 3, nil)
	for g := range 60 {
		w.add(ip(g, 1))
	}
	list := w.connect()
	w.feeler = w.now.Add(24 * time.Hour)
	w.next(false)
	w.SetStale(true)
	extra := w.next(true)
	if extra.Kind != Extra {
		t.Fatalf("%v", extra)
	}
	w.next(false) // only one
	news := func(a netaddr.Addr) time.Time {
		if a == list[1].Addr {
			return time.Time{}
		}
		return w.now
	}
	if _, ok := w.Excess(w.now, news); ok {
		t.Error("something is too many before the extra one stands")
	}
	w.now = w.now.Add(minLife)
	w.Ready(w.now, extra.Addr)
	if a, ok := w.Excess(w.now, news); !ok || a != list[1].Addr {
		t.Errorf("lets go %v %v", a, ok)
	}
	// Without any news of any, the youngest of those that have had their time.
	none := func(netaddr.Addr) time.Time { return time.Time{} }
	if a, ok := w.Excess(w.now, none); !ok || a != list[2].Addr {
		t.Errorf("lets go %v %v", a, ok)
	}
	w.Ended(list[1].Addr)
	if _, ok := w.Excess(w.now, none); ok || len(w.Standing(w.now)) != 3 {
		t.Error("still too many")
	}
	w.next(false) // not before ten minutes
	w.now = w.now.Add(ExtraInterval)
	if d := w.next(true); d.Kind != Extra {
		t.Errorf("%v", d)
	}
	young := newWorld(t, 0, nil)
	young.slots[ip(1, 1)] = &slot{since: young.now}
	if _, ok := young.Excess(young.now, none); ok {
		t.Error("lets go a connection that has just begun")
	}
}

func TestKind(t *testing.T) {
	for k, want := range map[Kind]string{Full: "full", Anchor: "anchor", Extra: "extra", ShareOnly: "share-only", Feeler: "feeler"} {
		if k.String() != want {
			t.Errorf("%v", k)
		}
	}
}
