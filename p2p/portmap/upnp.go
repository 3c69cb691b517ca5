package portmap

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/huin/goupnp"
	"github.com/huin/goupnp/dcps/internetgateway2"
	"github.com/huin/goupnp/soap"
)

// description is what routers show beside the mapping.
const description = "p2poold"

// Error codes of routers (WANIPConnection, 2.5).
const (
	codeTaken         = 718 // ConflictInMappingEntry
	codeOnlyPermanent = 725 // OnlyPermanentLeasesSupported
	codeOtherTaken    = 729 // ConflictWithOtherMechanisms
)

// connection is a router's connection to the Internet: the WANIPConnection of both
// versions, or WANPPPConnection.
type connection interface {
	AddPortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string, internalPort uint16,
		internalClient string, enabled bool, description string, lease uint32) error
	DeletePortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string) error
	GetExternalIPAddressCtx(ctx context.Context) (string, error)
	GetServiceClient() *goupnp.ServiceClient
}

// anyPort is what version 2 can do besides: choose the port itself.
type anyPort interface {
	AddAnyPortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string, internalPort uint16,
		internalClient string, enabled bool, description string, lease uint32) (uint16, error)
}

// uPnP asks a router by UPnP.
type uPnP struct {
	port  uint16
	local netip.Addr // to map to; zero: this machine's address towards the router
	find  searcher

	current *mapped // that made the mapping; nil: none
}

// mapped is a connection with the address to map to.
type mapped struct {
	connection
	client string
}

func newUPnP(port uint16, local netip.Addr) *uPnP {
	return &uPnP{port: port, local: local, find: searcher{ssdpAddr, localNetworks}}
}

func (u *uPnP) name() string { return "UPnP" }

func (u *uPnP) add(ctx context.Context, want uint16) (grant, error) {
	if u.current != nil {
		if g, err := u.renew(ctx, want); err == nil {
			return g, nil
		}
		u.current = nil
	}
	locations, err := u.find.search(ctx)
	if err != nil {
		return grant{}, err
	}
	var errs failures
	for _, loc := range locations {
		g, err := u.addAt(ctx, loc, want)
		if err == nil {
			return g, nil
		}
		errs = append(errs, fmt.Errorf("router %s: %w", loc.Host, err))
	}
	return grant{}, errs
}

// addAt asks the connections of one router.
func (u *uPnP) addAt(ctx context.Context, loc *url.URL, want uint16) (grant, error) {
	router, err := netip.ParseAddr(loc.Hostname())
	if err != nil {
		return grant{}, err // not of parseAnswer
	}
	local := u.local
	if !local.IsValid() {
		if local, err = localAddr(router); err != nil {
			return grant{}, err
		}
	}
	client := newClient(router.Unmap())
	root, err := describeRouter(ctx, client, loc)
	if err != nil {
		return grant{}, clean(err)
	}
	err = errors.New("it has no connection to the Internet")
	for _, c := range connections(root, loc, client) {
		t := &mapped{c, local.String()}
		port, failure := u.request(ctx, t, want)
		if failure == nil {
			u.current = t
			return grant{port, externalAddr(ctx, t), lease}, nil
		}
		err = clean(failure)
	}
	return grant{}, err
}

// describeRouter fetches a router's description.
func describeRouter(ctx context.Context, client *http.Client, loc *url.URL) (*goupnp.RootDevice, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, loc.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("its description cannot be had: HTTP status %d", resp.StatusCode)
	}
	decoder := xml.NewDecoder(resp.Body)
	decoder.DefaultSpace = goupnp.DeviceXMLNamespace
	root := new(goupnp.RootDevice)
	if err := decoder.Decode(root); err != nil {
		return nil, fmt.Errorf("its description cannot be read: %w", err)
	}
	base := loc
	if root.URLBaseStr != "" {
		if base, err = url.Parse(root.URLBaseStr); err != nil {
			return nil, fmt.Errorf("its description cannot be read: %w", err)
		}
	}
	root.SetURLBase(base)
	return root, nil
}

// connections returns a router's connections, the newest kind first, that talk
// through the client.
func connections(root *goupnp.RootDevice, loc *url.URL, client *http.Client) []connection {
	var list []connection
	// The errors say that there are none.
	ip2, _ := internetgateway2.NewWANIPConnection2ClientsFromRootDevice(root, loc)
	for _, c := range ip2 {
		list = append(list, c)
	}
	ip1, _ := internetgateway2.NewWANIPConnection1ClientsFromRootDevice(root, loc)
	for _, c := range ip1 {
		list = append(list, c)
	}
	ppp, _ := internetgateway2.NewWANPPPConnection1ClientsFromRootDevice(root, loc)
	for _, c := range ppp {
		list = append(list, c)
	}
	list = list[:min(len(list), maxConnections)]
	for _, c := range list {
		c.GetServiceClient().SOAPClient.HTTPClient = *client
	}
	return list
}

// request asks for a mapping of the wanted port, or of another if that is taken,
// and returns the port it got.
func (u *uPnP) request(ctx context.Context, t *mapped, want uint16) (uint16, error) {
	if v2, ok := t.connection.(anyPort); ok {
		port, err := v2.AddAnyPortMappingCtx(ctx, "", want, "TCP", u.port, t.client, true, description, uint32(lease/time.Second))
		if err == nil && port != 0 {
			return port, nil
		}
	}
	err := u.requestPort(ctx, t, want)
	for range maxPorts {
		if code := codeOf(err); code != codeTaken && code != codeOtherTaken {
			break
		}
		want = 10_000 + rand.N[uint16](50_000)
		err = u.requestPort(ctx, t, want)
	}
	return want, err
}

// requestPort asks for a mapping of one port, for ever if the router can't do
// less: it is removed at the end.
func (u *uPnP) requestPort(ctx context.Context, t *mapped, port uint16) error {
	err := t.AddPortMappingCtx(ctx, "", port, "TCP", u.port, t.client, true, description, uint32(lease/time.Second))
	if codeOf(err) == codeOnlyPermanent {
		err = t.AddPortMappingCtx(ctx, "", port, "TCP", u.port, t.client, true, description, 0)
	}
	return err
}

// renew asks again for what there is.
func (u *uPnP) renew(ctx context.Context, port uint16) (grant, error) {
	if err := u.requestPort(ctx, u.current, port); err != nil {
		return grant{}, err
	}
	return grant{port, externalAddr(ctx, u.current), lease}, nil
}

func (u *uPnP) remove(ctx context.Context, port uint16) error {
	if u.current == nil {
		return nil
	}
	return clean(u.current.DeletePortMappingCtx(ctx, "", port, "TCP"))
}

// externalAddr asks for the router's address on the Internet. Without it the
// mapping serves all the same.
func externalAddr(ctx context.Context, c connection) netip.Addr {
	text, err := c.GetExternalIPAddressCtx(ctx)
	if err != nil {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(strings.TrimSpace(text))
	return addr.WithZone("")
}

// codeOf returns the code of a router's refusal, 0 if it is none.
func codeOf(err error) int {
	if fault, ok := errors.AsType[*soap.SOAPFaultError](err); ok {
		return fault.Detail.UPnPError.Errorcode
	}
	return 0
}

// clean makes an error fit for the log, whatever a router put into it.
func clean(err error) error {
	if err == nil || errors.Is(err, errElsewhere) {
		return err
	}
	text := err.Error()
	if fault, ok := errors.AsType[*soap.SOAPFaultError](err); ok {
		text = fmt.Sprintf("refused, error %d %s", codeOf(err), fault.Detail.UPnPError.ErrorDescription)
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text[:min(len(text), maxText)])
	return errors.New(text)
}
