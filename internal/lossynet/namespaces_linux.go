package lossynet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// device is the name of each host's TUN device.
const device = "lossy0"

// namespaces are hosts with the kernel's own TCP.
type namespaces struct {
	net   *Network
	hosts []*namespace
	pipes [][]chan packet // by source and destination
	done  chan struct{}
	wg    sync.WaitGroup
}

// namespace is one host.
type namespace struct {
	file *os.File // keeps the namespace; for setns
	tun  *os.File
}

// Namespaces returns a network of Linux network namespaces. It needs the right to
// make them (CAP_SYS_ADMIN, CAP_NET_ADMIN) and /dev/net/tun; without them the error
// wraps ErrUnavailable and says what is missing.
func Namespaces(hosts int, seed uint64) (*Network, error) {
	n := newNetwork(hosts, seed)
	b := &namespaces{net: n, done: make(chan struct{})}
	n.backend = b
	for i := range hosts {
		host, err := newNamespace(i)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, err), b.close())
		}
		b.hosts = append(b.hosts, host)
	}
	b.route()
	return n, nil
}

// onThread runs f on a thread that ends afterwards, for what f does to it cannot be
// undone for sure.
func onThread(f func() error) error {
	errs := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for ever
		errs <- f()
	}()
	return <-errs
}

// newNamespace makes a namespace in which a TUN device is the way to all others.
func newNamespace(host int) (*namespace, error) {
	ns := new(namespace)
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		ns.file = file
		if ns.tun, err = openTUN(); err != nil {
			return err
		}
		return configure(addrOf(host))
	})
	if err != nil {
		return nil, errors.Join(err, ns.close())
	}
	return ns, nil
}

func (ns *namespace) close() error {
	var err error
	for _, f := range []*os.File{ns.file, ns.tun} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// openTUN makes the device in the thread's namespace.
func openTUN() (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq(device)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("TUN device: %w", err)
	}
	return os.NewFile(uintptr(fd), "tun"), nil
}

// configure gives the device in the thread's namespace its address, in the network
// 10.0.0.0/8 of all hosts, and puts it up, with the loopback device.
func configure(addr netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	set := func(name string, request uint, fill func(*unix.Ifreq) error) {
		if err != nil {
			return
		}
		var req *unix.Ifreq
		if req, err = unix.NewIfreq(name); err != nil {
			return
		}
		if err = fill(req); err == nil {
			err = unix.IoctlIfreq(fd, request, req)
		}
	}
	up := func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }
	set(device, unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(addr.AsSlice()) })
	set(device, unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 0, 0, 0}) })
	set(device, unix.SIOCSIFFLAGS, up)
	set("lo", unix.SIOCSIFFLAGS, up)
	if err != nil {
		return fmt.Errorf("configuring the TUN device: %w", err)
	}
	return nil
}

// in runs f on a thread of the host.
func (b *namespaces) in(host int, f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(b.hosts[host].file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("setns: %w", err)
		}
		return f()
	})
}

func (b *namespaces) dial(ctx context.Context, host int, to netip.AddrPort) (conn net.Conn, err error) {
	err = b.in(host, func() error {
		// With a literal address it opens the socket in this very goroutine.
		conn, err = new(net.Dialer).DialContext(ctx, "tcp4", to.String())
		return err
	})
	return conn, err
}

func (b *namespaces) listen(host int, at netip.AddrPort) (l net.Listener, err error) {
	err = b.in(host, func() error {
		l, err = net.Listen("tcp4", at.String())
		return err
	})
	return l, err
}

func (b *namespaces) close() error {
	close(b.done)
	var err error
	for _, h := range b.hosts {
		err = errors.Join(err, h.close())
	}
	b.wg.Wait()
	return err
}
