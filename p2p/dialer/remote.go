package dialer

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/p2poold/p2poold/p2p/netaddr"
)

// Remote is the far end of a connection that something stands in between of: a
// proxy that this node dialed through, or the daemon of a hidden service that
// forwards to it. It implements net.Addr, and is comparable.
type Remote struct {
	// Text is the address that was dialed, "host:port". For an inbound connection it
	// is the network and the forwarder's port, as in "onion:54321": unlike any
	// address, and different for each connection.
	Text string
	// Net is the network that the peer is reached over, 0 if that is not known.
	Net netaddr.Network
	// Proxied is set for connections that this node dialed: the peer sees the
	// proxy's address, or none, but not this node's.
	Proxied bool
}

// Network returns "tcp", as for every net.Addr of TCP.
func (r Remote) Network() string { return "tcp" }

// String returns Text.
func (r Remote) String() string { return r.Text }

// RemoteOf describes the far end of any connection by its RemoteAddr.
func RemoteOf(addr net.Addr) Remote {
	if r, ok := addr.(Remote); ok {
		return r
	}
	r := Remote{Text: addr.String()}
	if ap, err := netip.ParseAddrPort(r.Text); err == nil {
		r.Net = networkOf(ap.Addr().Unmap().WithZone(""))
	}
	return r
}

// remoteConn is a connection with a Remote.
type remoteConn struct {
	net.Conn
	remote Remote
}

func (c *remoteConn) RemoteAddr() net.Addr { return c.remote }

// Hidden marks all connections of a listener as coming from a hidden service of
// Tor or I2P: their RemoteAddr is a Remote.
func Hidden(l net.Listener, n netaddr.Network) net.Listener { return &hidden{l, n} }

type hidden struct {
	net.Listener
	network netaddr.Network
}

// Accept implements net.Listener.
func (h *hidden) Accept() (net.Conn, error) {
	conn, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &remoteConn{conn, Remote{Text: h.network.String() + ":" + portOf(conn.RemoteAddr()), Net: h.network}}, nil
}

// portOf returns the port of a TCP address, "0" of any other.
func portOf(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return strconv.Itoa(tcp.Port)
	}
	return "0"
}
