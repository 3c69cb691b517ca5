package lan

import (
	"net/netip"
	"time"
)

// reader hears what others say.
type reader struct {
	finder *Finder
	socket socket
	list   []iface
	asked  chan struct{} // an answer is wanted; one that waits stands for all

	tokens   float64 // datagrams that may be read
	refilled time.Time
}

func newReader(f *Finder, s socket, list []iface) *reader {
	return &reader{finder: f, socket: s, list: list, asked: make(chan struct{}, 1), tokens: maxBurst, refilled: time.Now()}
}

// run hears until the socket is closed or fails, and returns its error.
func (r *reader) run() error {
	buf := make([]byte, maxDatagram)
	for {
		n, from, toGroup, err := r.socket.read(buf)
		if err != nil {
			return err
		}
		if toGroup && r.isNeighbour(from) && r.allowed(time.Now()) {
			r.hear(buf[:n], from.Addr().Unmap())
		}
	}
}

// isNeighbour reports whether a sender speaks multicast DNS and is in a network of
// this machine.
func (r *reader) isNeighbour(from netip.AddrPort) bool {
	addr := from.Addr().Unmap()
	if from.Port() != group.Port() {
		return false
	}
	for _, i := range r.list {
		for _, p := range i.prefixes {
			if p.Masked().Contains(addr) {
				return true
			}
		}
	}
	return false
}

// allowed reports whether another datagram may be read now.
func (r *reader) allowed(now time.Time) bool {
	r.tokens = min(maxBurst, r.tokens+max(0, now.Sub(r.refilled).Seconds())*maxRate)
	r.refilled = now
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}

// hear acts on a message.
func (r *reader) hear(raw []byte, from netip.Addr) {
	h := r.finder.self.read(raw)
	if h.asked {
		select {
		case r.asked <- struct{}{}:
		default:
		}
	}
	for _, port := range h.ports {
		r.finder.cfg.OnFound(netip.AddrPortFrom(from, port))
	}
}
