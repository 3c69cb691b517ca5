// Package portmap has the router forward a TCP port to this machine, by NAT-PMP
// (RFC 6886) or UPnP (Internet Gateway Device 1 and 2), and learns the router's
// address on the Internet. Both are for IPv4 only, as is what they work around.
//
// Package p2p makes a Mapper for the port it listens on, calls Run, and tells
// peers what OnChange reports. The protocols are those of
// github.com/jackpal/go-nat-pmp and github.com/huin/goupnp; what is here bounds
// what they do.
//
// # Whom it believes
//
// Any machine of the local network can claim to be the router. It can refuse, lie
// about the address, or give a mapping that leads nowhere: then nobody connects, as
// without a mapping. More it cannot do:
//
//   - the gateway must have a private address, and an answer to the search for UPnP
//     devices must come from one of the networks that this machine is in;
//   - requests go to the very address that the answer came from: a description that
//     names others, redirects and proxies are not followed, so that no device can
//     have this node send requests elsewhere;
//   - the number of answers, of routers tried and of connections of a router, the
//     size of each answer and the time of everything have limits, see limits.go;
//   - an address that is not routable is not reported.
//
// # Concurrency
//
// Everything runs in the goroutine of Run, except that the search for UPnP devices
// has one for each network while it lasts. State may be called at any time; its
// mutex is a leaf.
package portmap
