package banman

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

const (
	onion = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"
	i2p   = "udhdrtrcetjm5sxzskjyr5ztpeszydbh4dpl3pl4utgqqw2v4jna.b32.i2p"
)

// clock is a time that only the test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time          { return c.Time }
func (c *clock) advance(d time.Duration) { c.Time = c.Add(d) }

func newClock() *clock { return &clock{time.Unix(1_800_000_000, 999)} }

func addr(t testing.TB, text string) netaddr.Addr {
	t.Helper()
	a, err := netaddr.Parse(text, 9333)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func subject(t testing.TB, text string) Subject {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7":            "192.0.2.7",
		"192.0.2.7/32":         "192.0.2.7",
		"192.0.2.7/24":         "192.0.2.0/24",
		"0.0.0.0/0":            "0.0.0.0/0",
		"::ffff:192.0.2.7":     "192.0.2.7",
		"::ffff:192.0.2.7/120": "192.0.2.0/24",
		"2001:DB8::1":          "2001:db8::1",
		"[2001:db8::1]":        "2001:db8::1",
		"2001:db8:1:2:3::/64":  "2001:db8:1:2::/64",
		"::/0":                 "::/0",
		strings.ToUpper(onion): onion,
		i2p:                    i2p,
	} {
		s, err := Parse(text)
		if err != nil || s.String() != want || !s.IsValid() {
			t.Errorf("%s: %v, %v, want %s", text, s, err, want)
		}
		if again, err := Parse(s.String()); err != nil || again != s {
			t.Errorf("%s reads back as %v, %v", s, again, err)
		}
	}
	for _, text := range []string{"", "/", "x", "example.org", "192.0.2.7:9333", "[::1]:5", onion + ":1", "192.0.2.0/33", "192.0.2/24",
		"192.0.2.0/24/24", "192.0.2.0/255.255.255.0", "fe80::1%eth0", "fe80::1%eth0/64", onion + "/8", "-1"} {
		if s, err := Parse(text); !errors.Is(err, ErrSubject) || s.IsValid() {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
}

func TestUnit(t *testing.T) {
	for text, want := range map[string]string{
		"8.8.8.8":                "8.8.8.8",
		"2a00:1:2:3:4::5":        "2a00:1:2:3::/64",
		"fd00::1":                "fd00::1",
		"fe80::1":                "fe80::1",
		"[::ffff:8.8.8.8]:9":     "8.8.8.8",
		onion:                    onion,
		"2001:db8:ffff:1::1:1":   "2001:db8:ffff:1::1:1",
		"10.0.0.1":               "10.0.0.1",
		"[2a00:1:2:3:4::5]:9333": "2a00:1:2:3::/64",
	} {
		if got := Unit(addr(t, text)); got.String() != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	if Unit(netaddr.Addr{}).IsValid() || Host(netaddr.Named("seed")).IsValid() {
		t.Error("nothing is a subject")
	}
}

func TestContains(t *testing.T) {
	for _, tc := range []struct {
		outer, inner string
		want         bool
	}{
		{"192.0.2.0/24", "192.0.2.7", true}, {"192.0.2.0/24", "192.0.2.0/25", true}, {"192.0.2.0/24", "192.0.2.0/24", true},
		{"192.0.2.0/24", "192.0.2.0/23", false}, {"192.0.2.7", "192.0.2.0/24", false}, {"192.0.2.0/24", "192.0.3.1", false},
		{"::/0", "192.0.2.7", false}, {"0.0.0.0/0", "::1", false}, {onion, onion, true}, {onion, i2p, false}, {"::/0", onion, false},
	} {
		if got := subject(t, tc.outer).Contains(subject(t, tc.inner)); got != tc.want {
			t.Errorf("%s contains %s: %v", tc.outer, tc.inner, got)
		}
	}
	if (Subject{}).Contains(Subject{}) {
		t.Error("nothing contains itself")
	}
}

func TestBan(t *testing.T) {
	c := newClock()
	m := New(Config{Now: c.now})
	ban := func(text string, d time.Duration) error {
		return m.Ban(subject(t, text), c.Add(d), "because\x1b of \"it\"")
	}
	banned := func(text string) string {
		e, ok := m.Banned(addr(t, text))
		if ok != e.Subject.IsValid() {
			t.Errorf("%s: %v, %v", text, e, ok)
		}
		return fmt.Sprint(e.Subject)
	}
	for _, err := range []error{ban("192.0.2.0/24", time.Hour), ban("192.0.2.7", 2*time.Hour), ban("2a00:1::/32", time.Hour), ban(onion, time.Hour)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		"192.0.2.7:1": "192.0.2.7", "192.0.2.8:2": "192.0.2.0/24", "192.0.3.7": "none", "[2a00:1:2::3]:4": "2a00:1::/32",
		"2a00:2::": "none", onion: onion, i2p: "none",
	} {
		if got := banned(text); got != want {
			t.Errorf("%s is banned by %s, want %s", text, got, want)
		}
	}
	if e, _ := m.Banned(addr(t, "192.0.2.8")); e.Reason != `because? of "it"` || e.Automatic || !e.Created.Equal(c.Truncate(time.Second)) ||
		!e.Until.Equal(c.Truncate(time.Second).Add(time.Hour)) {
		t.Errorf("%+v", e)
	}
	if err := ban("192.0.2.9/24", time.Hour); err != ErrBanned {
		t.Errorf("twice: %v", err)
	}
	for _, d := range []time.Duration{0, -time.Hour, 100 * time.Millisecond, -100 * 365 * 24 * time.Hour} {
		if err := ban("192.0.2.99", d); err != ErrPast {
			t.Errorf("for %v: %v", d, err)
		}
	}
	if err := m.Ban(subject(t, "192.0.2.100"), time.Date(292277026596, 1, 1, 0, 0, 0, 0, time.UTC), ""); err != nil {
		t.Error(err)
	}
	c.advance(time.Hour)
	if got := banned("192.0.2.8"); got != "none" {
		t.Errorf("after its end: %s", got)
	}
	if got := banned("192.0.2.7"); got != "192.0.2.7" {
		t.Errorf("before its end: %s", got)
	}
	if err := ban("192.0.2.0/24", time.Hour); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := m.Unban(subject(t, "192.0.2.8")); !errors.Is(err, ErrNotBanned) || !strings.Contains(err.Error(), "part of 192.0.2.0/24") {
		t.Errorf("part of a ban: %v", err)
	}
	if err := m.Unban(subject(t, "8.8.8.8")); !errors.Is(err, ErrNotBanned) {
		t.Errorf("nothing: %v", err)
	}
	if err := m.Unban(subject(t, "192.0.2.0/24")); err != nil || banned("192.0.2.8") != "none" || banned("192.0.2.7") == "none" {
		t.Errorf("unban: %v", err)
	}
	m.Clear()
	if len(m.List()) != 0 || banned("192.0.2.7") != "none" {
		t.Error("not cleared")
	}
}

func TestMaxManual(t *testing.T) {
	c := newClock()
	m := New(Config{Now: c.now, Duration: time.Hour})
	for i := range MaxManual {
		if err := m.Ban(Network(netip.PrefixFrom(netip.AddrFrom4([4]byte{16, byte(i >> 8), byte(i), 0}), 24)), c.Add(time.Hour), ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Ban(subject(t, "192.0.2.1"), c.Add(time.Hour), ""); err != ErrFull {
		t.Errorf("one too many: %v", err)
	}
	if _, ok := m.Discourage(addr(t, "8.8.8.8"), ""); !ok {
		t.Error("bans leave no room for others")
	}
	c.advance(time.Hour)
	if err := m.Ban(subject(t, "192.0.2.1"), c.Add(time.Hour), ""); err != nil || len(m.List()) != 1 {
		t.Errorf("after all have ended: %v, %d", err, len(m.List()))
	}
}

// TestDiscourage runs on virtual time.
func TestDiscourage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Config{Duration: DefaultDuration})
		v4, v6, other := addr(t, "8.8.8.8:5"), addr(t, "2a00:1:2:3:4::5"), addr(t, "2a00:1:2:3::9")
		for _, a := range []netaddr.Addr{v4, v6} {
			if e, ok := m.Discourage(a, strings.Repeat("é", MaxReason)); !ok || len(e.Reason) > MaxReason || e.Reason == "" || !e.Automatic {
				t.Errorf("%+v, %v", e, ok)
			}
		}
		for a, want := range map[netaddr.Addr]bool{v4: true, v4.WithPort(1): true, v6: true, other: true, addr(t, "2a00:1:2:4::5"): false, addr(t, "8.8.8.9"): false} {
			if _, ok := m.Discouraged(a); ok != want {
				t.Errorf("%v: %v", a, ok)
			}
			if _, ok := m.Banned(a); ok {
				t.Errorf("%v is banned", a)
			}
		}
		time.Sleep(DefaultDuration - time.Second)
		m.Discourage(v6, "again") // begins anew
		time.Sleep(time.Second)
		e, ok := m.Discouraged(v6)
		if _, old := m.Discouraged(v4); old || !ok || e.Reason != "again" || len(m.List()) != 1 {
			t.Errorf("%+v, %v", e, ok)
		}
		if err := m.Unban(subject(t, "2a00:1:2:3::/64")); err != nil || len(m.List()) != 0 {
			t.Errorf("forgive: %v", err)
		}
		if e, ok := m.Discourage(netaddr.Addr{}, ""); ok {
			t.Errorf("no address: %v", e)
		}
		off := New(Config{})
		if e, ok := off.Discourage(v4, ""); ok || len(off.List()) != 0 {
			t.Errorf("without a duration: %v", e)
		}
	})
}

// nth returns the nth IPv4 address of a flood.
func nth(n int) netaddr.Addr {
	return netaddr.FromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{16, byte(n >> 16), byte(n >> 8), byte(n)}), 1))
}

// TestFlood: a hundred thousand violations neither grow the list nor displace a
// ban, and the latest ones stay.
func TestFlood(t *testing.T) {
	const flood = 100_000
	c := newClock()
	m := New(Config{Now: c.now, Duration: time.Hour})
	if err := m.Ban(subject(t, "192.0.2.0/24"), c.Add(time.Minute), ""); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := range flood {
		m.Discourage(nth(i), "ErrPayouts: the coinbase pays 5 to 0014, but 7 is owed")
		c.advance(time.Microsecond)
	}
	took := time.Since(began)
	list := m.List()
	if len(list) != MaxAutomatic+1 || list[0].Automatic {
		t.Fatalf("%d entries", len(list))
	}
	for i, want := range map[int]bool{0: false, flood - MaxAutomatic - 1: false, flood - MaxAutomatic: true, flood - 1: true} {
		if _, ok := m.Discouraged(nth(i)); ok != want {
			t.Errorf("%d: %v", i, ok)
		}
	}
	if _, ok := m.Banned(addr(t, "192.0.2.1")); !ok {
		t.Error("the ban is gone")
	}
	t.Logf("%d violations: %d kept, %v each, file of %d bytes", flood, len(list)-1, took/flood, len(encode(list)))
	c.advance(2 * time.Hour)
	if n := len(m.List()); n != 0 || m.automatic.order.Len() != 0 || m.automatic.bits4[32] != 0 {
		t.Errorf("%d left", n)
	}
}

// TestClockBack: a clock that goes back makes nothing worse.
func TestClockBack(t *testing.T) {
	c := newClock()
	m := New(Config{Now: c.now, Duration: time.Hour})
	m.Discourage(nth(1), "")
	c.advance(-30 * time.Minute)
	m.Discourage(nth(2), "")
	c.advance(time.Hour)
	_, one := m.Discouraged(nth(1))
	_, two := m.Discouraged(nth(2))
	if !one || two {
		t.Errorf("%v, %v", one, two)
	}
	if list := m.List(); len(list) != 1 || list[0].Subject != Host(nth(1)) {
		t.Errorf("%v", list)
	}
}

func TestListOrder(t *testing.T) {
	c := newClock()
	m := New(Config{Now: c.now, Duration: time.Hour})
	m.Discourage(addr(t, "1.2.3.4"), "")
	want := []string{"9.0.0.0/8", "9.0.0.0/9", "10.0.0.1", "::/0", "2001:db8::/32", onion, i2p}
	for i, text := range want {
		if err := m.Ban(subject(t, text), c.Add(time.Duration(len(want)-i)*time.Hour), ""); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, e := range m.List() {
		got = append(got, e.Subject.String())
	}
	if !slices.Equal(got, append(want, "1.2.3.4")) {
		t.Errorf("%q", got)
	}
}

func BenchmarkBanned(b *testing.B) {
	m := New(Config{Duration: time.Hour})
	for bits := 8; bits <= 32; bits++ {
		if err := m.Ban(Network(netip.PrefixFrom(netip.AddrFrom4([4]byte{16, 1, 1, 1}), bits)), time.Now().Add(time.Hour), ""); err != nil {
			b.Fatal(err)
		}
	}
	a := addr(b, "8.8.8.8")
	for b.Loop() {
		m.Banned(a)
	}
}
