package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
	"github.com/p2poold/p2poold/p2p/peer/peertest"
)

// hostAt returns a loopback address that dials as host c of group n. The victim sees
// it as n's own address group of the Internet: all of 127.0.0.0/8 is this machine, but
// what comes from this machine is exempt from the limits on groups, and from blame.
func hostAt(n, c int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(firstGroup + n/250), byte(1 + n%250), byte(c)})
}

// disguised returns what the victim sees instead of a loopback address.
func disguised(a netip.Addr) netip.Addr {
	b := a.As4()
	return netip.AddrFrom4([4]byte{b[1], b[2], b[3], 7})
}

const (
	// firstGroup is the first byte of the addresses of attackers as the victim sees
	// them, honestGroup that of honest nodes.
	firstGroup  = 20
	honestGroup = 100
)

// honestAt returns the loopback address of an honest node, in a group of its own.
func honestAt(n int) netip.Addr { return netip.AddrFrom4([4]byte{127, honestGroup, byte(1 + n), 1}) }

// dialFrom returns a function that dials from one of the addresses above.
func dialFrom(host netip.Addr) func(context.Context, string, string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: host.AsSlice()}}
	return d.DialContext
}

// doorway is the victim's listener. It disguises who comes in.
type doorway struct {
	net.Listener
	taken atomic.Int64 // bytes that the victim has read from attackers
	hurry int          // how many times shorter deadlines of attackers' connections are
}

// Accept implements net.Listener.
func (d *doorway) Accept() (net.Conn, error) {
	conn, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	from := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	host := disguised(from.Addr().Unmap())
	return &guest{conn, d, net.TCPAddrFromAddrPort(netip.AddrPortFrom(host, from.Port())), host.As4()[0] < honestGroup}, nil
}

// guest is the victim's end of a connection.
type guest struct {
	net.Conn
	door   *doorway
	remote net.Addr
	foe    bool
}

// RemoteAddr implements net.Conn.
func (g *guest) RemoteAddr() net.Addr { return g.remote }

// Read implements net.Conn.
func (g *guest) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if g.foe {
		g.door.taken.Add(int64(n))
	}
	return n, err
}

func (g *guest) sooner(t time.Time) time.Time {
	if !g.foe || g.door.hurry <= 1 || t.IsZero() {
		return t
	}
	return time.Now().Add(time.Until(t) / time.Duration(g.door.hurry))
}

// SetDeadline implements net.Conn.
func (g *guest) SetDeadline(t time.Time) error { return g.Conn.SetDeadline(g.sooner(t)) }

// SetReadDeadline implements net.Conn.
func (g *guest) SetReadDeadline(t time.Time) error { return g.Conn.SetReadDeadline(g.sooner(t)) }

// SetWriteDeadline implements net.Conn.
func (g *guest) SetWriteDeadline(t time.Time) error { return g.Conn.SetWriteDeadline(g.sooner(t)) }

// journal is the victim's log: why connections of attackers ended or were not taken,
// and what an operator would get to see.
type journal struct {
	mu   sync.Mutex
	ends map[string]map[string]int // by host as the victim sees it, by reason
	loud []string                  // lines of level info and above
}

// Write implements io.Writer. Each call is a line.
func (j *journal) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	j.mu.Lock()
	defer j.mu.Unlock()
	if !strings.Contains(text, "[DBG]") {
		j.loud = append(j.loud, text)
	}
	if _, rest, ok := strings.Cut(text, "nbound peer "); ok {
		addr, why, ok := strings.Cut(rest, ": ")
		ap, err := netip.ParseAddrPort(addr)
		if ok && err == nil && ap.Addr().As4()[0] < honestGroup {
			if why, _, _ = strings.Cut(why, ": "); strings.Contains(why, "discouraged") {
				why = "discouraged before, and little room"
			}
			host := ap.Addr().String()
			if j.ends[host] == nil {
				j.ends[host] = make(map[string]int)
			}
			j.ends[host][why]++
		}
	}
	return len(line), nil
}

// loudLines returns what an operator would have seen.
func (j *journal) loudLines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.loud)
}

// reset begins anew.
func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ends, j.loud = make(map[string]map[string]int), nil
}

// endings returns how often connections ended for which reason, of one host or, for
// the zero address, of all.
func (j *journal) endings(host netip.Addr) map[string]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	sum := make(map[string]int)
	for of, ends := range j.ends {
		if host.IsValid() && of != host.String() {
			continue
		}
		for why, n := range ends {
			sum[why] += n
		}
	}
	return sum
}

// describe words endings, the most frequent first.
func describe(ends map[string]int) string {
	var parts []string
	for _, why := range slices.SortedFunc(maps.Keys(ends), func(a, b string) int { return ends[b] - ends[a] }) {
		parts = append(parts, fmt.Sprintf("%s ×%d", why, ends[why]))
	}
	if len(parts) == 0 {
		return "held back"
	}
	return strings.Join(parts, ", ")
}

// foe is one attacker, a host in an address group of its own.
type foe struct {
	*siege
	ctx   context.Context // of the attack
	n     int             // which of them
	host  netip.Addr      // that it dials from
	rng   *rand.Rand
	tally *tally
	rate  int             // of its link each way, in bytes a second; 0: no limit
	wg    *sync.WaitGroup // of all goroutines of the attack
}

// tally counts what attackers did.
type tally struct{ conns, messages, bytes atomic.Int64 }

// dial opens a connection, which ends with the attack.
func (f *foe) dial() (*line, error) { return f.dialAs(f.host) }

func (f *foe) dialAs(host netip.Addr) (*line, error) {
	conn, err := dialFrom(host)(f.ctx, "tcp", f.victim.addr())
	if err != nil {
		return nil, err
	}
	f.tally.conns.Add(1)
	l := &line{Conn: conn, f: f}
	l.r = message.NewReader(l, f.params.Magic)
	l.stop = context.AfterFunc(f.ctx, func() { conn.Close() })
	return l, nil
}

// meet opens a connection and introduces itself as any node does, but for change.
func (f *foe) meet(change ...func(*message.Version)) (*line, error) {
	l, err := f.dial()
	if err != nil {
		return nil, err
	}
	return l, l.introduce(change...)
}

// meetV2 is meet over the v2 transport.
func (f *foe) meetV2() (*peertest.Conn, *line, error) {
	l, err := f.dial()
	if err != nil {
		return nil, nil, err
	}
	c, err := peertest.Dial(l, f.params.Magic)
	if err == nil {
		err = c.Send(f.version())
	}
	for _, reply := range []message.Message{nil, &message.VerAck{}} {
		if reply != nil && err == nil {
			err = c.Send(reply)
		}
		if err == nil {
			_, err = c.Next()
		}
	}
	if err != nil {
		l.Close()
	}
	return c, l, err
}

// again lives one life after the other, at most fifty a second, while the attack lasts.
func (f *foe) again(life func() error) { f.every(20*time.Millisecond, life) }

// every is again with another pause between two lives.
func (f *foe) every(pause time.Duration, life func() error) {
	for f.ctx.Err() == nil {
		_ = life() // however it ends: the victim's journal tells
		if f.pause(pause) != nil {
			return
		}
	}
}

// pause waits and returns an error when the attack has ended.
func (f *foe) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
}

// foeAgent is the user agent of attackers.
const foeAgent = "/foe/"

// newRand returns a source of the same numbers each time.
func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// version is what an attacker says of itself.
func (f *foe) version() *message.Version {
	return &message.Version{
		Protocol: message.ProtocolVersion, Nonce: rand.Uint64(), UserAgent: foeAgent,
		ChainID: f.params.ChainID, Mode: message.LowLatency,
	}
}
