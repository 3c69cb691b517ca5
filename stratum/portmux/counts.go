package portmux

import (
	"errors"
	"sync/atomic"

	"github.com/p2poold/p2poold/stratum/connlimit"
)

// Counts are what a Mux has seen since the start.
type Counts struct {
	Limits connlimit.Counts

	HTTP      uint64 // connections that spoke HTTP
	HTTPNow   int    // of those, open
	Secured   uint64 // TLS handshakes
	Proxied   uint64 // PROXY headers believed
	Silent    uint64 // connections that ended before they said anything that tells a protocol
	Unknown   uint64 // that spoke none of the protocols
	TLSFailed uint64 // TLS handshakes that failed
	NoProxy   uint64 // PROXY headers that were malformed or from strangers
}

// counters are the atomics behind Counts.
type counters struct {
	secured, proxied, silent, unknown, tlsFailed, noProxy atomic.Uint64
}

// failed counts why a connection ended before its protocol was known.
func (c *counters) failed(err error) {
	switch {
	case errors.Is(err, errEvicted), errors.Is(err, connlimit.ErrAddressFull), errors.Is(err, connlimit.ErrTooFast), errors.Is(err, connlimit.ErrFull):
		// connlimit counts them
	case errors.Is(err, errNotAProxy), errors.Is(err, errBadProxyHeader):
		c.noProxy.Add(1)
	case errors.Is(err, errTLS):
		c.tlsFailed.Add(1)
	case errors.Is(err, errNoProtocol), errors.Is(err, errNoTLS), errors.Is(err, errTLSOnly):
		c.unknown.Add(1)
	default:
		c.silent.Add(1)
	}
}

// Counts returns what was seen so far.
func (m *Mux) Counts() Counts {
	c := Counts{
		Limits:  m.cfg.Limits.Counts(),
		Secured: m.counts.secured.Load(), Proxied: m.counts.proxied.Load(), Silent: m.counts.silent.Load(),
		Unknown: m.counts.unknown.Load(), TLSFailed: m.counts.tlsFailed.Load(), NoProxy: m.counts.noProxy.Load(),
	}
	if m.http != nil {
		c.HTTP, c.HTTPNow = m.http.counts()
	}
	return c
}
