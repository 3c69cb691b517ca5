package main

import (
	"cmp"
	"io"
	"strconv"
	"time"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

// networkTable lists the networks, then this node's addresses.
func networkTable(w io.Writer, v rpcserver.NetworkInfo, _ time.Time) {
	row(w, "NETWORK", "FOUND NODES", "PROXY", "IN", "OUT")
	for _, n := range v.Networks {
		found := "dialed"
		switch {
		case n.Limited:
			found = "left out"
		case !n.Reachable:
			found = "out of reach"
		}
		row(w, n.Name, found, cmp.Or(n.Proxy, "-"), n.ConnectionsIn, n.ConnectionsOut)
	}
	row(w, "all", "", "", v.ConnectionsIn, v.ConnectionsOut)
	for i, a := range v.LocalAddresses {
		title := ""
		if i == 0 {
			title = "own"
		}
		row(w, title, a.Address, a.Source)
	}
	switch m := v.PortMapping; {
	case m.Port != 0:
		row(w, "router", "forwards port "+strconv.Itoa(m.Port), m.Protocol)
	case m.Error != "":
		row(w, "router", m.Error)
	}
}
