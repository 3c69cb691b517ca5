package portmap

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	natpmp "github.com/jackpal/go-nat-pmp"
)

// natPMP asks the gateway by NAT-PMP. The library takes only answers that come
// from the gateway's address and port, of 16 bytes at most, and checks their form.
type natPMP struct {
	port    uint16
	local   netip.Addr                 // to ask from; zero: as the route says
	gateway func() (netip.Addr, error) // replaced in tests
	calls   int                        // pmpCalls, fewer in tests
}

func newNATPMP(port uint16, local netip.Addr) *natPMP {
	return &natPMP{port: port, local: local, gateway: defaultGateway, calls: pmpCalls}
}

func (n *natPMP) name() string { return "NAT-PMP" }

func (n *natPMP) add(ctx context.Context, want uint16) (grant, error) {
	var res *natpmp.AddPortMappingResult
	err := n.call(ctx, n.calls, func(c *natpmp.Client) (err error) {
		res, err = c.AddPortMapping("tcp", int(n.port), int(want), int(lease/time.Second))
		return err
	})
	if err != nil {
		return grant{}, err
	}
	if res.InternalPort != n.port || res.PortMappingLifetimeInSeconds == 0 {
		return grant{}, fmt.Errorf("the router answered for port %d and %d s", res.InternalPort, res.PortMappingLifetimeInSeconds)
	}
	g := grant{port: res.MappedExternalPort, lease: time.Duration(res.PortMappingLifetimeInSeconds) * time.Second}
	// Without the address the mapping serves all the same.
	_ = n.call(ctx, n.calls, func(c *natpmp.Client) error {
		res, err := c.GetExternalAddress()
		if err == nil {
			g.addr = netip.AddrFrom4(res.ExternalIPAddress)
		}
		return err
	})
	return g, nil
}

// remove ends all mappings of the internal port, as the RFC has it.
func (n *natPMP) remove(ctx context.Context, _ uint16) error {
	return n.call(ctx, 1, func(c *natpmp.Client) error {
		_, err := c.AddPortMapping("tcp", int(n.port), 0, 0)
		return err
	})
}

// call makes a request, again when there is no answer.
func (n *natPMP) call(ctx context.Context, calls int, request func(*natpmp.Client) error) error {
	gateway, err := n.gateway()
	switch {
	case err != nil:
		return err
	case !isLocal(gateway):
		return fmt.Errorf("the gateway %v has no private address: it does not translate addresses", gateway)
	}
	for range calls {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		client := natpmp.NewClientWithTimeout(gateway.AsSlice(), pmpTimeout)
		if n.local.IsValid() {
			client = natpmp.NewClientWithLocalAndTimeout(gateway.AsSlice(), n.local.AsSlice(), pmpTimeout)
		}
		start := time.Now()
		if err = request(client); err == nil || time.Since(start) < pmpTimeout {
			return err // anything but silence is final
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("no answer from the gateway %v", gateway)
}

// isLocal reports whether an address is one of a local network, or this machine's.
func isLocal(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback()
}
