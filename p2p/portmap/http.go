package portmap

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// errElsewhere refuses to talk to anybody but the router.
var errElsewhere = errors.New("the router's description points to another machine")

// isAt reports whether an http address is at a machine, named by its number.
func isAt(u *url.URL, host netip.Addr) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && u.Scheme == "http" && ip.Unmap() == host
}

// newClient returns an HTTP client that talks to one router only, follows nothing
// and bounds the answers.
func newClient(router netip.Addr) *http.Client {
	transport := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: requestTimeout}).DialContext,
		DisableKeepAlives:      true, // nothing stays between the renewals
		DisableCompression:     true, // else a small answer could become a large one
		MaxResponseHeaderBytes: maxHeader,
	}
	return &http.Client{
		Transport:     pinned{router, transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       requestTimeout,
	}
}

// pinned sends requests to one router and bounds the answers.
type pinned struct {
	router netip.Addr
	next   http.RoundTripper
}

func (p pinned) RoundTrip(req *http.Request) (*http.Response, error) {
	if !isAt(req.URL, p.router) {
		return nil, errElsewhere
	}
	resp, err := p.next.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxBody)
	}
	return resp, err
}

// localAddr returns this machine's address as a router sees it. It sends nothing.
func localAddr(router netip.Addr) (netip.Addr, error) {
	conn, err := net.DialTimeout("udp4", netip.AddrPortFrom(router, 9).String(), time.Second)
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	udp, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}, fmt.Errorf("no address towards the router %v", router)
	}
	return udp.AddrPort().Addr().Unmap(), nil
}
