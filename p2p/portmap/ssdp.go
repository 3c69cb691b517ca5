package portmap

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/huin/goupnp/ssdp"
)

// targets are what is searched for, in this order. Routers of version 2 answer to
// the first one, too, or should.
var targets = []string{
	"urn:schemas-upnp-org:device:InternetGatewayDevice:1",
	"urn:schemas-upnp-org:device:InternetGatewayDevice:2",
}

// ssdpAddr is where searches are sent to.
var ssdpAddr = netip.MustParseAddrPort("239.255.255.250:1900")

// searcher finds UPnP routers: it is the transport of goupnp's search. The
// library's own one keeps all answers that come, prints to standard error what it
// can't read, and takes any address for a router's.
type searcher struct {
	to       netip.AddrPort                 // ssdpAddr, replaced in tests
	networks func() ([]netip.Prefix, error) // this machine's addresses, replaced in tests
}

// search returns where the descriptions of routers are, maxRouters at most.
func (s searcher) search(ctx context.Context) ([]*url.URL, error) {
	for _, target := range targets {
		answers, err := s.searchFor(ctx, target)
		if err != nil {
			return nil, err
		}
		var list []*url.URL
		for _, a := range answers[:min(len(answers), maxRouters)] {
			if loc, err := a.Location(); err == nil {
				list = append(list, loc)
			}
		}
		if len(list) > 0 {
			return list, nil
		}
	}
	return nil, errors.New("no router answers; UPnP may be turned off there")
}

func (s searcher) searchFor(ctx context.Context, target string) ([]*http.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	return ssdp.RawSearch(ctx, s, target, searchSends)
}

// DoWithContext sends a search into all local networks and collects answers until
// the context ends.
func (s searcher) DoWithContext(req *http.Request, sends int) ([]*http.Response, error) {
	networks, err := s.networks()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s * HTTP/1.1\r\n", req.Method)
	if err := req.Header.Write(&text); err != nil {
		return nil, err
	}
	text.WriteString("\r\n")
	results := make([][]*http.Response, len(networks))
	errs := make(failures, len(networks))
	var wg sync.WaitGroup
	for i, network := range networks {
		wg.Go(func() { results[i], errs[i] = s.ask(req, network, text.Bytes(), sends) })
	}
	wg.Wait()
	var all []*http.Response
	for _, list := range results {
		all = append(all, list...)
	}
	if errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil }); len(all) == 0 && len(errs) > 0 {
		return nil, errs
	}
	return all, nil
}

// ask searches one network, from this machine's address in it.
func (s searcher) ask(req *http.Request, network netip.Prefix, text []byte, sends int) ([]*http.Response, error) {
	ctx := req.Context()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(network.Addr(), 0)))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a failure shows in the read
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for range sends {
		if _, err := conn.WriteToUDPAddrPort(text, s.to); err != nil {
			return nil, err
		}
	}
	var list []*http.Response
	buf := make([]byte, maxAnswer)
	for range maxDatagrams {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			break // the time is over
		}
		if answer, ok := parseAnswer(req, buf[:n], from.Addr().Unmap(), network); ok {
			if list = append(list, answer); len(list) == maxAnswers {
				break
			}
			if deadline, ok := ctx.Deadline(); ok && len(list) == 1 && time.Until(deadline) > settleTime {
				_ = conn.SetReadDeadline(time.Now().Add(settleTime))
			}
		}
	}
	return list, nil
}

// parseAnswer reads an answer to a search. It takes only those from a network of
// this machine, that point to where they come from.
func parseAnswer(req *http.Request, raw []byte, from netip.Addr, network netip.Prefix) (*http.Response, bool) {
	if !network.Masked().Contains(from) || !isLocal(from) {
		return nil, false
	}
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), req)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil, false
	}
	answer.Body = http.NoBody
	loc, err := answer.Location()
	return answer, err == nil && isAt(loc, from)
}

// localNetworks returns this machine's IPv4 addresses in local networks that can
// carry a search.
func localNetworks() ([]netip.Prefix, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	const want = net.FlagUp | net.FlagMulticast
	var list []netip.Prefix
	for _, ifi := range interfaces {
		if ifi.Flags&want != want || ifi.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := ifi.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().Is4() && isLocal(p.Addr()) && len(list) < maxNetworks {
				list = append(list, p)
			}
		}
	}
	if len(list) == 0 {
		return nil, errors.New("this machine has no private IPv4 address: there is no router to ask")
	}
	return list, nil
}
