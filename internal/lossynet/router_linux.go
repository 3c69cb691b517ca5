package lossynet

import (
	"net/netip"
	"time"
)

const (
	// maxPacket is the longest packet: the device's MTU is 1,500 bytes.
	maxPacket = 2048
	// maxWaiting is how many packets a link holds that are delayed: at 500 ms 3 MB/s.
	// More are dropped, as by any router.
	maxWaiting = 1024
)

// packet is an IP packet on its way.
type packet struct {
	due  time.Time
	data []byte
}

// route starts what moves packets between the hosts: a reader for each, and a pipe
// for each direction of a link, which keeps their order.
func (b *namespaces) route() {
	for from := range b.hosts {
		pipes := make([]chan packet, len(b.hosts))
		for to := range pipes {
			pipes[to] = make(chan packet, maxWaiting)
			b.wg.Go(func() { b.carry(pipes[to], to) })
		}
		b.pipes = append(b.pipes, pipes)
		b.wg.Go(func() { b.read(from, pipes) })
	}
}

// read takes the packets that a host sends and decides on each.
func (b *namespaces) read(from int, pipes []chan packet) {
	buf := make([]byte, maxPacket)
	for {
		n, err := b.hosts[from].tun.Read(buf)
		if err != nil {
			return // closed
		}
		to, ok := destination(buf[:n])
		if !ok || to >= len(pipes) {
			continue
		}
		delay, ok := b.net.pass(from, to)
		if !ok {
			continue
		}
		select {
		case pipes[to] <- packet{time.Now().Add(delay), append([]byte(nil), buf[:n]...)}:
		default:
		}
	}
}

// destination returns the host that an IPv4 packet is for.
func destination(data []byte) (int, bool) {
	const header, at = 20, 16
	if len(data) < header || data[0]>>4 != 4 {
		return 0, false
	}
	return hostOf(netip.AddrFrom4([4]byte(data[at : at+4])))
}

// carry delivers the packets of one link when they are due.
func (b *namespaces) carry(pipe <-chan packet, to int) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-b.done:
			return
		case p := <-pipe:
			timer.Reset(time.Until(p.due))
			select {
			case <-b.done:
				return
			case <-timer.C:
			}
			// A full device drops packets as well.
			_, _ = b.hosts[to].tun.Write(p.data)
		}
	}
}
