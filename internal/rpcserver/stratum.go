package rpcserver

import "context"

// StratumInfo is the answer of getstratuminfo. What counts something counts since the
// start, but for the connections that are open now.
type StratumInfo struct {
	Listen      []string `json:"listen"`      // addresses
	ListenTLS   []string `json:"listentls"`   // those for TLS only
	Miners      int      `json:"miners"`      // connections that speak Stratum
	Connections int      `json:"connections"` // all on these ports, HTTP and undecided ones included
	Pending     int      `json:"pending"`     // of those, the ones that have not logged in: they make room first if all places are taken
	HTTP        int      `json:"http"`        // of those, the ones that speak HTTP

	MaxConnections int              `json:"maxconnections"` // places
	MaxPerIP       int              `json:"maxperip"`       // of those, for one IP address or IPv6 network of 64 bits
	Addresses      int              `json:"addresses"`      // with connections, without loopback and whitelisted ones
	Largest        []StratumAddress `json:"largest"`        // addresses with the most connections, 20 at most

	TLS         bool     `json:"tls"`         // encrypted connections are accepted
	Fingerprint string   `json:"fingerprint"` // SHA-256 of the certificate, hex; empty without TLS
	NotAfter    int64    `json:"notafter"`    // end of the certificate
	Names       []string `json:"names"`       // that the certificate is good for
	SelfMade    bool     `json:"selfmade"`    // the node made the certificate

	Counts StratumCounts `json:"counts"` // what became of connections
}

// StratumAddress is an address of miners.
type StratumAddress struct {
	Address     string `json:"address"`     // IP address, or IPv6 network of 64 bits
	Connections int    `json:"connections"` // open
}

// StratumCounts counts connections since the start.
type StratumCounts struct {
	Accepted    uint64 `json:"accepted"`    // that got a place
	Full        uint64 `json:"full"`        // refused as all places were taken by miners that work or have just logged in
	PerIP       uint64 `json:"perip"`       // refused as their address had its most
	TooFast     uint64 `json:"toofast"`     // refused as their address opened too many at a time
	Evicted     uint64 `json:"evicted"`     // ended to make room
	TLS         uint64 `json:"tls"`         // handshakes that succeeded
	TLSFailed   uint64 `json:"tlsfailed"`   // handshakes that failed
	HTTP        uint64 `json:"http"`        // that spoke HTTP
	Proxied     uint64 `json:"proxied"`     // PROXY headers believed
	ProxyFailed uint64 `json:"proxyfailed"` // PROXY headers malformed, or from addresses that --proxyprotocol does not name
	Unknown     uint64 `json:"unknown"`     // that spoke nothing known, or what is turned off
	Silent      uint64 `json:"silent"`      // that ended before it was known what they speak
}

func stratumMethods() []method {
	return []method{{
		name: "getstratuminfo", area: areaMining,
		summary: "Returns the state of the miners' ports: connections, limits, certificate, what was refused.",
		result:  "object",
		handle:  func(ctx context.Context, b Backend, _ arguments) (any, error) { return b.StratumInfo(ctx) },
	}}
}
