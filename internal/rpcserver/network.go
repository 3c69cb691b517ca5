package rpcserver

import "context"

// NetworkBackend tells how the node is connected.
type NetworkBackend interface {
	// NetworkInfo returns the ways into the networks.
	NetworkInfo(ctx context.Context) (*NetworkInfo, error)
}

// NetworkInfo is the answer of getnetworkinfo.
type NetworkInfo struct {
	UserAgent       string `json:"useragent"`       // as peers are told
	ProtocolVersion uint32 `json:"protocolversion"` // of the peer-to-peer protocol
	Services        string `json:"services"`        // what peers are offered, 16 hex digits

	Connections    int `json:"connections"`    // both directions
	ConnectionsIn  int `json:"connectionsin"`  // of peers that connected to us
	ConnectionsOut int `json:"connectionsout"` // of peers we connected to

	Networks       []NetworkState `json:"networks"`       // ipv4, ipv6, onion, i2p and cjdns, in this order
	LocalAddresses []LocalAddress `json:"localaddresses"` // where others reach this node, as far as known
	PortMapping    PortMapping    `json:"portmapping"`    // what the router forwards for --upnp and --natpmp
}

// PortMapping is what the router forwards to the node.
type PortMapping struct {
	Enabled  bool   `json:"enabled"`  // it is asked for, and the node listens on an address that a router can forward to
	Protocol string `json:"protocol"` // NAT-PMP or UPnP; empty: nothing is forwarded
	Port     int    `json:"port"`     // on the router; 0: nothing is forwarded
	Address  string `json:"address"`  // the router's on the Internet; empty: not known, or a private one
	Error    string `json:"error"`    // why the last attempt failed; empty: it did not
}

// NetworkState is a network and the way into it.
type NetworkState struct {
	Name           string `json:"name"`
	Limited        bool   `json:"limited"`        // left out by --onlynet: only nodes that are named are connected to there
	Reachable      bool   `json:"reachable"`      // found nodes are connected to there
	Proxy          string `json:"proxy"`          // SOCKS5 proxy that leads there, host:port; empty: none
	Isolated       bool   `json:"isolated"`       // each connection through the proxy has a login of its own
	ConnectionsIn  int    `json:"connectionsin"`  // of peers of this network that connected to us
	ConnectionsOut int    `json:"connectionsout"` // of peers of this network we connected to
}

// LocalAddress is an address of the node.
type LocalAddress struct {
	Address string `json:"address"` // host:port; the port is 0 in I2P
	Network string `json:"network"` // as in getpeerinfo
	Source  string `json:"source"`  // externalip: named by the operator; portmap: of the router that forwards the port; selfdial: somebody told it, and it led here
}

func networkMethods() []method {
	return []method{{
		name: "getnetworkinfo", area: areaPeers,
		summary: "Returns the networks that nodes are found in, with their proxies, and this node's addresses there.",
		result:  "object",
		handle: func(ctx context.Context, b Backend, _ arguments) (any, error) {
			return b.NetworkInfo(ctx)
		},
	}}
}
