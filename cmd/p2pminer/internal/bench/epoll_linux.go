package bench

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

const (
	// epollEvents is how many connections are looked at in one go.
	epollEvents = 256
	// readSize holds some dozens of messages. One buffer serves all connections.
	readSize = 64 << 10
	// muteBuffer is the receive buffer of clients that never read: the server feels it
	// sooner.
	muteBuffer = 4 << 10
	// bindNoPort (IP_BIND_ADDRESS_NO_PORT) leaves the choice of the port to connect,
	// which knows the destination: only with it all ports of a local address can be
	// used.
	bindNoPort = 24
)

// epoll is a poller with one epoll instance. The runtime's own poller watches that
// instance, so that waiting holds no thread.
type epoll struct {
	loop   *loop
	fd     int
	file   *os.File // of fd
	raw    syscall.RawConn
	events [epollEvents]syscall.EpollEvent
	links  []*fdLink // by slot
	buf    []byte
}

func newPoller(l *loop) (poller, error) {
	if l.run.cfg.TLS {
		return newNetPoller(l), nil
	}
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // or os.NewFile would not poll it
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &epoll{loop: l, fd: fd, file: os.NewFile(uintptr(fd), "epoll"), buf: make([]byte, readSize)}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

func (p *epoll) close() { p.file.Close() }

// fdLink is a connection of an epoll poller.
type fdLink struct {
	poller *epoll
	client *client
	fd     int // -1: closed
	slot   int32
	muted  bool
	unsent []byte
}

func (p *epoll) dial(c *client) (link, error) {
	addr, family := sockaddr(p.loop.run.server)
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := p.connect(fd, addr, c); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	k := &fdLink{poller: p, client: c, fd: fd, slot: int32(len(p.links))}
	event := syscall.EpollEvent{Events: syscall.EPOLLOUT, Fd: k.slot}
	if err := syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	p.links = append(p.links, k)
	return k, nil
}

func (p *epoll) connect(fd int, addr syscall.Sockaddr, c *client) error {
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if c.kind == mute {
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, muteBuffer)
	}
	if source := p.loop.run.source(c.number); source.IsValid() {
		syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, bindNoPort, 1)
		local, _ := sockaddr(netip.AddrPortFrom(source, 0))
		if err := syscall.Bind(fd, local); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	if err := syscall.Connect(fd, addr); err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

func sockaddr(a netip.AddrPort) (addr syscall.Sockaddr, family int) {
	if a.Addr().Is4() {
		return &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}, syscall.AF_INET
	}
	in6 := &syscall.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if zone, err := net.InterfaceByName(a.Addr().Zone()); err == nil {
		in6.ZoneId = uint32(zone.Index)
	}
	return in6, syscall.AF_INET6
}

// wait handles what there is, or what comes first.
func (p *epoll) wait(until int64) (waited time.Duration) {
	n := p.poll()
	if n == 0 {
		begun := p.loop.run.now()
		if begun >= until {
			return 0
		}
		p.file.SetReadDeadline(p.loop.run.epoch.Add(time.Duration(until)))
		// The error is that it is time, or that the file is closed, and then the run
		// is over.
		p.raw.Read(func(uintptr) bool {
			n = p.poll()
			return n > 0
		})
		waited = since(begun, p.loop.run.now())
	}
	for _, e := range p.events[:n] {
		p.handle(p.links[e.Fd], e.Events)
	}
	return waited
}

func (p *epoll) poll() int {
	n, _ := syscall.EpollWait(p.fd, p.events[:], 0)
	return max(n, 0) // EINTR does not happen without waiting
}

// handle does what has become possible on a connection.
func (p *epoll) handle(k *fdLink, events uint32) {
	if k == nil {
		return // closed by what came before in the batch
	}
	c, now := k.client, p.loop.run.now()
	if c.state == connecting {
		code, err := syscall.GetsockoptInt(k.fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
		if err == nil && code != 0 {
			err = syscall.Errno(code)
		}
		if err != nil {
			p.loop.lose(c, ioReason(os.NewSyscallError("connect", err)), now)
			return
		}
		k.watch()
		p.loop.opened(c, now)
		return
	}
	if events&syscall.EPOLLOUT != 0 && k.flush() != nil {
		p.loop.lose(c, "connection broken", now)
		return
	}
	if events&^syscall.EPOLLOUT == 0 {
		return
	}
	if k.muted {
		p.loop.lose(c, "closed by the server", now)
		return
	}
	switch n, err := syscall.Read(k.fd, p.buf); {
	case n > 0:
		p.loop.received(c, p.buf[:n], now)
	case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
	case err != nil:
		p.loop.lose(c, ioReason(err), now)
	default:
		p.loop.lose(c, "closed by the server", now)
	}
}

// watch sets what to be told of.
func (k *fdLink) watch() {
	event := syscall.EpollEvent{Events: syscall.EPOLLRDHUP, Fd: k.slot}
	if !k.muted {
		event.Events |= syscall.EPOLLIN
	}
	if len(k.unsent) > 0 {
		event.Events |= syscall.EPOLLOUT
	}
	syscall.EpollCtl(k.poller.fd, syscall.EPOLL_CTL_MOD, k.fd, &event)
}

func (k *fdLink) write(b []byte) error {
	if len(k.unsent) > 0 {
		if len(k.unsent)+len(b) > maxUnsent {
			return errUnsent
		}
		k.unsent = append(k.unsent, b...)
		return nil
	}
	n, err := syscall.Write(k.fd, b)
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		return err
	}
	if n = max(n, 0); n < len(b) {
		if k.muted {
			return nil // the server does not read what cannot be answered either
		}
		k.unsent = append(k.unsent, b[n:]...)
		k.watch()
	}
	return nil
}

// flush writes what is left.
func (k *fdLink) flush() error {
	n, err := syscall.Write(k.fd, k.unsent)
	if err != nil && !errors.Is(err, syscall.EAGAIN) {
		return err
	}
	if k.unsent = k.unsent[max(n, 0):]; len(k.unsent) == 0 {
		k.unsent = nil
		k.watch()
	}
	return nil
}

func (k *fdLink) mute() {
	k.muted = true
	k.watch()
}

func (k *fdLink) shut(reset bool) {
	if k.fd < 0 {
		return
	}
	if reset {
		syscall.SetsockoptLinger(k.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	}
	syscall.Close(k.fd)
	k.fd = -1
	k.poller.links[k.slot], k.poller, k.unsent = nil, nil, nil
}
