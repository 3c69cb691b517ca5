package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/decred/slog"
)

// Parts of the node that listen.
const (
	portsP2P     = "p2p"
	portsStratum = "stratum"
	portsRPC     = "rpc"
)

// Environment variables that name sockets to listen on.
const (
	// envSockets is our own, for a restart: the process's number, then for each socket
	// DESCRIPTOR,PART,ADDRESS with the address as configured.
	envSockets = "P2POOLD_SOCKETS"
	// envPID and envFDs are systemd's, see sd_listen_fds(3). The first descriptor is 3.
	envPID, envFDs, envNames = "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"
	firstFD                  = 3
)

// maxSockets bounds the sockets that are taken over: maxAddresses for each part.
const maxSockets = 3 * maxAddresses

// socket is one to listen on that this process has inherited.
type socket struct {
	fd         uintptr
	part, addr string // whose it is; empty if its own address decides
}

// inheritedSockets reads the environment of the process with number pid.
func inheritedSockets(getenv func(string) string, pid int) ([]socket, error) {
	if text := getenv(envSockets); text != "" {
		return parseSockets(text, pid)
	}
	if getenv(envPID) != strconv.Itoa(pid) {
		return nil, nil // meant for nobody, or for another process
	}
	n, err := strconv.Atoi(getenv(envFDs))
	if err != nil || n < 0 || n > maxSockets {
		return nil, fmt.Errorf("%s is %q, it must be a number up to %d", envFDs, getenv(envFDs), maxSockets)
	}
	list := make([]socket, n)
	for i := range list {
		list[i].fd = uintptr(firstFD + i)
	}
	return list, nil
}

// errSockets means that envSockets is not as it was written.
var errSockets = errors.New(envSockets + " is damaged; unset it")

// parseSockets reads envSockets.
func parseSockets(text string, pid int) ([]socket, error) {
	fields := strings.Fields(text)
	switch {
	case len(fields) == 0 || len(fields) > 1+maxSockets:
		return nil, errSockets
	case fields[0] != strconv.Itoa(pid):
		return nil, nil
	}
	var list []socket
	for _, field := range fields[1:] {
		parts := strings.SplitN(field, ",", 3)
		if len(parts) != 3 {
			return nil, errSockets
		}
		fd, err := strconv.ParseUint(parts[0], 10, 31)
		if err != nil || fd < firstFD {
			return nil, errSockets
		}
		list = append(list, socket{uintptr(fd), parts[1], parts[2]})
	}
	return list, nil
}

// formatSockets is the inverse.
func formatSockets(list []socket, pid int) string {
	text := strconv.Itoa(pid)
	for _, s := range list {
		text += fmt.Sprintf(" %d,%s,%s", s.fd, s.part, s.addr)
	}
	return text
}

// ports opens the sockets to listen on, or takes them from those that the process has
// inherited, and knows all of them for the next restart. Safe for concurrent use.
type ports struct {
	mu        sync.Mutex
	inherited []inheritedPort
	open      []openPort
}

type inheritedPort struct {
	socket
	net.Listener
}

type openPort struct {
	part, addr string
	net.Listener
}

// listenFunc opens a socket.
type listenFunc = func(network, addr string) (net.Listener, error)

// listener returns what a part listens with. fresh opens a socket that was not inherited;
// nil: net.Listen.
func (p *ports) listener(part string, fresh listenFunc) listenFunc {
	if fresh == nil {
		fresh = net.Listen
	}
	if p == nil {
		return fresh
	}
	return func(network, addr string) (net.Listener, error) {
		l := p.take(part, addr)
		if l == nil {
			var err error
			if l, err = fresh(network, addr); err != nil {
				return nil, err
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.open = append(p.open, openPort{part, addr, l})
		return l, nil
	}
}

// take returns the inherited socket for an address of a part, nil if there is none.
func (p *ports) take(part, addr string) net.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, in := range p.inherited {
		if in.part == part && in.addr == addr || in.part == "" && serves(in.Addr(), addr) {
			p.inherited = append(p.inherited[:i], p.inherited[i+1:]...)
			return in.Listener
		}
	}
	return nil
}

// serves reports whether a socket is bound to what an address to listen on says.
func serves(bound net.Addr, addr string) bool {
	tcp, ok := bound.(*net.TCPAddr)
	want, err := net.ResolveTCPAddr("tcp", addr)
	if !ok || err != nil || want.Port == 0 || want.Port != tcp.Port {
		return false
	}
	if want.IP == nil || want.IP.IsUnspecified() {
		return tcp.IP.IsUnspecified()
	}
	return want.IP.Equal(tcp.IP)
}

// closeRest closes inherited sockets that nobody listens on.
func (p *ports) closeRest(log slog.Logger) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.inherited {
		log.Warnf("Nothing is configured to listen on %v, which was handed over: it is closed", in.Addr())
		in.Close()
	}
	p.inherited = nil
}
