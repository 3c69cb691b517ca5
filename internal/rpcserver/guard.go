package rpcserver

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// guard decides from the connection and the headers alone whether a request may
// go on to authentication. It is immutable.
type guard struct {
	allow []netip.Prefix      // client addresses besides loopback
	names map[string]struct{} // host names and addresses we listen on
}

// refusal is the HTTP status and the text with which a request is turned away.
type refusal struct {
	status int
	text   string
}

// newGuard builds the guard for the configured listening addresses.
func newGuard(listen []string, allow []netip.Prefix) *guard {
	g := &guard{names: map[string]struct{}{"localhost": {}}}
	for _, p := range allow {
		g.allow = append(g.allow, p.Masked())
	}
	for _, hostport := range listen {
		host, _, err := net.SplitHostPort(hostport)
		if err != nil || host == "" {
			continue
		}
		ip, err := netip.ParseAddr(host)
		switch {
		case err != nil:
			g.names[canonicalName(host)] = struct{}{}
		case !ip.IsUnspecified():
			g.names[ip.Unmap().String()] = struct{}{}
		}
	}
	return g
}

// check returns why the request is refused, nil if it is not.
func (g *guard) check(r *http.Request) *refusal {
	switch {
	case !g.clientAllowed(r.RemoteAddr):
		return &refusal{http.StatusForbidden, "this client address is not allowed; see --rpcallowip"}
	case !g.hostAllowed(r):
		return &refusal{http.StatusForbidden, "the Host header is not a name of this server; use localhost or an address it listens on"}
	case len(r.Header["Origin"]) > 0:
		return &refusal{http.StatusForbidden, "requests from web pages are not allowed"}
	case r.Method != http.MethodPost:
		return &refusal{http.StatusMethodNotAllowed, "use POST with a JSON-RPC request"}
	case r.URL.Path != "/":
		return &refusal{http.StatusNotFound, "use the path /"}
	}
	return nil
}

// clientAllowed reports whether hostport is on loopback or in the allow list.
func (g *guard) clientAllowed(hostport string) bool {
	ap, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return false
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.IsLoopback() {
		return true
	}
	for _, p := range g.allow {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// hostAllowed reports whether the Host header names this server: by a loopback
// name or address, by a name or address it listens on, or by the very address
// the client connected to. A page on another site that has its own name resolve
// to this machine fails here, as the browser sends that name.
func (g *guard) hostAllowed(r *http.Request) bool {
	host, ok := splitHost(r.Host)
	if !ok {
		return false
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		_, ok := g.names[canonicalName(host)]
		return ok
	}
	ip = ip.Unmap()
	if ip.Zone() != "" {
		return false
	}
	if ip.IsLoopback() {
		return true
	}
	if _, ok := g.names[ip.String()]; ok {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	ap, err := netip.ParseAddrPort(local.String())
	return err == nil && ap.Addr().Unmap().WithZone("") == ip
}

// splitHost separates the host of a Host header from an optional port, which
// must be a number.
func splitHost(hostport string) (host string, ok bool) {
	host = hostport
	switch {
	case strings.HasPrefix(hostport, "["):
		end := strings.IndexByte(hostport, ']')
		if end < 0 {
			return "", false
		}
		host = hostport[1:end]
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return "", false
		}
		if rest := hostport[end+1:]; rest != "" && (rest[0] != ':' || !isPort(rest[1:])) {
			return "", false
		}
	case strings.Contains(hostport, ":"):
		var port string
		host, port, _ = strings.Cut(hostport, ":")
		if !isPort(port) {
			return "", false
		}
	}
	return host, host != ""
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// canonicalName lowers a host name and drops the dot of its absolute form.
func canonicalName(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}
