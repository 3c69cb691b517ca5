package lan

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
)

// fakeNet is a local network in memory.
type fakeNet struct {
	mu      sync.Mutex
	sockets []*fakeSocket
	sent    []sending
}

// sending is a datagram that was sent.
type sending struct {
	from netip.AddrPort
	text []byte
}

// fakeHost is a machine in the network, a system.
type fakeHost struct {
	net *fakeNet

	mu       sync.Mutex
	prefixes []netip.Prefix // of its only interface; none: it has none
	broken   error          // what opening a socket gives
}

func (n *fakeNet) host(prefixes ...string) *fakeHost {
	h := &fakeHost{net: n}
	h.move(prefixes...)
	return h
}

// move gives the host other addresses.
func (h *fakeHost) move(prefixes ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.prefixes = nil
	for _, p := range prefixes {
		h.prefixes = append(h.prefixes, netip.MustParsePrefix(p))
	}
}

// breakDown makes opening a socket fail.
func (h *fakeHost) breakDown() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.broken = errors.New("no")
}

func (h *fakeHost) interfaces() ([]iface, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.prefixes) == 0 {
		return nil, errors.New("no interface")
	}
	return []iface{{index: 1, name: "eth0", prefixes: slices.Clone(h.prefixes)}}, nil
}

func (h *fakeHost) open(i iface) (socket, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.broken != nil {
		return nil, h.broken
	}
	s := &fakeSocket{net: h.net, addr: netip.AddrPortFrom(i.prefixes[0].Addr(), group.Port()), in: make(chan datagram, 1000), closed: make(chan struct{})}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.net.sockets = append(h.net.sockets, s)
	return s, nil
}

// fakeSocket hears all that is sent in the network, itself too.
type fakeSocket struct {
	net    *fakeNet
	addr   netip.AddrPort
	in     chan datagram
	once   sync.Once
	closed chan struct{}
}

type datagram struct {
	from    netip.AddrPort
	toGroup bool
	text    []byte
}

func (s *fakeSocket) join(iface) error { return nil }

func (s *fakeSocket) send(_ iface, b []byte) error {
	s.net.send(s.addr, true, b)
	return nil
}

// send delivers a datagram to everybody who has room for it.
func (n *fakeNet) send(from netip.AddrPort, toGroup bool, b []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent = append(n.sent, sending{from, slices.Clone(b)})
	for _, s := range n.sockets {
		select {
		case s.in <- datagram{from, toGroup, slices.Clone(b)}:
		default:
		}
	}
}

func (s *fakeSocket) read(buf []byte) (int, netip.AddrPort, bool, error) {
	select {
	case d := <-s.in:
		return copy(buf, d.text), d.from, d.toGroup, nil
	case <-s.closed:
		return 0, netip.AddrPort{}, false, net.ErrClosed
	}
}

func (s *fakeSocket) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// sentBy returns how many questions and announcements a host has sent.
func (n *fakeNet) sentBy(addr string) (questions, announcements int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sent {
		if s.from.Addr().String() == addr {
			if s.text[2]&0x80 == 0 {
				questions++
			} else {
				announcements++
			}
		}
	}
	return questions, announcements
}

// forget drops what was sent, which would count as memory of the test.
func (n *fakeNet) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent = nil
}

// text is a log.
type text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(b)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

// foundList collects what a Finder finds.
type foundList struct {
	mu   sync.Mutex
	list []string
}

func (l *foundList) add(a netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, a.String())
}

// distinct returns the addresses, sorted.
func (l *foundList) distinct() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Clone(l.list)
	slices.Sort(list)
	return slices.Compact(list)
}

func (l *foundList) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.list)
}

var chainID = []byte("0123456789abcdef0123456789abcdef")

// newFinder returns a Finder on a host.
func newFinder(sys system, chainID []byte, port uint16) (*Finder, *foundList) {
	found := new(foundList)
	f := New(Config{ChainID: chainID, Port: port, OnFound: found.add})
	f.system = sys
	return f, found
}

// equalStrings fails the test if two lists differ.
func equalStrings(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
