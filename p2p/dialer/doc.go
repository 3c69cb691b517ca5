// Package dialer makes outbound connections of the peer network over whichever
// network an address belongs to: IPv4 and IPv6 directly or through a SOCKS5
// proxy, Tor through the SOCKS5 port of a Tor daemon, I2P through that of an I2P
// router. It also marks connections that come in from the hidden services of
// those, so that nobody takes their forwarder on 127.0.0.1 for the peer.
//
// p2p.Server dials with it and wraps its listeners; cmd/p2poold fills the Config
// from --proxy, --onion, --i2p and --onlynet.
//
// # Ways
//
//	address                    --proxy set         --proxy not set
//	loopback, private, link    directly            directly
//	other IPv4, IPv6           --proxy             directly
//	other names                --proxy, by name    directly, the DNS is asked
//	.onion                     --onion or --proxy  --onion
//	.i2p                       --i2p               --i2p
//
// A name is given to the proxy as it is. No name is looked up on this machine
// while --proxy is set, and none that ends in .onion or .i2p ever is; the host of a
// proxy itself is the exception, for it may have a name.
//
// # Isolation
//
// Each connection through Tor or --proxy logs in with a user and password of its
// own, drawn at random. Tor (IsolateSOCKSAuth, its default) then takes a circuit of
// its own for each, so that an exit sees one connection of this node and not all. A
// proxy that wants no login does not ask for them. I2P has one local destination for
// all streams: nothing would be isolated, and no login is offered.
//
// # Hostile proxies
//
// A proxy can refuse, alter and drop, no more. The SOCKS5 handshake reads at most
// 266 bytes, and has to be done within ProxyTimeout however slowly they come. What
// follows comes from the peer as far as anybody can tell, and is bounded as a peer's
// bytes are.
//
// A Dialer does not change after New: all methods are safe for concurrent use. It
// has no locks and no goroutines but those of the dials.
package dialer
