package portmap

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// fakeIGD is a UPnP router on this machine: a responder to searches and an HTTP
// server.
type fakeIGD struct {
	*testing.T
	http *httptest.Server
	ssdp *net.UDPConn

	mu sync.Mutex
	hooks
	actions []string                     // in order
	ports   map[string]map[string]string // external port → arguments
}

// hooks are what to do instead of what a router does; nil: that.
type hooks struct {
	answer   func(search string) []string                           // to a search
	describe func(w http.ResponseWriter, r *http.Request)           // the device
	control  func(action string, args map[string]string) (int, any) // an action: HTTP status, and reply or code
}

// set changes the hooks.
func (f *fakeIGD) set(change func(h *hooks)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.hooks)
}

// get returns the hooks.
func (f *fakeIGD) get() hooks {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hooks
}

// newFakeIGD starts a router with services of the given types.
func newFakeIGD(t *testing.T, services ...string) *fakeIGD {
	f := &fakeIGD{T: t, ports: make(map[string]map[string]string)}
	mux := http.NewServeMux()
	mux.HandleFunc("/desc.xml", func(w http.ResponseWriter, r *http.Request) {
		if describe := f.get().describe; describe != nil {
			describe(w, r)
			return
		}
		io.WriteString(w, deviceXML("", services...))
	})
	mux.HandleFunc("/control", f.serveControl)
	f.http = httptest.NewServer(mux)
	t.Cleanup(f.http.Close)
	var err error
	if f.ssdp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.ssdp.Close() })
	go f.serveSSDP()
	return f
}

// deviceXML describes a device with services, which all are controlled at the same
// address, relative to base.
func deviceXML(base string, services ...string) string {
	var list strings.Builder
	for _, s := range services {
		fmt.Fprintf(&list, "<service><serviceType>%s</serviceType><controlURL>/control</controlURL></service>", s)
	}
	if base != "" {
		base = "<URLBase>" + base + "</URLBase>"
	}
	return `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">` + base +
		`<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
		<deviceList><device><deviceList><device><serviceList>` + list.String() +
		`</serviceList></device></deviceList></device></deviceList></device></root>`
}

func (f *fakeIGD) serveSSDP() {
	buf := make([]byte, 2000)
	for {
		n, from, err := f.ssdp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		search := string(buf[:n])
		answers := []string{f.location("http://" + f.http.Listener.Addr().String() + "/desc.xml")(search)}
		if answer := f.get().answer; answer != nil {
			answers = answer(search)
		}
		for _, a := range answers {
			f.ssdp.WriteToUDPAddrPort([]byte(a), from)
		}
	}
}

var searchTarget = regexp.MustCompile(`(?m)^ST: (.*)\r$`)

// location returns what answers a search with an address.
func (f *fakeIGD) location(loc string) func(search string) string {
	return func(search string) string {
		if !strings.HasPrefix(search, "M-SEARCH * HTTP/1.1\r\n") {
			return ""
		}
		m := searchTarget.FindStringSubmatch(search)
		if m == nil || !strings.Contains(search, "MAN: \"ssdp:discover\"\r\n") {
			f.Errorf("search %q", search)
			return ""
		}
		return "HTTP/1.1 200 OK\r\nST: " + m[1] + "\r\nUSN: uuid:1::" + m[1] + "\r\nLOCATION: " + loc + "\r\n\r\n"
	}
}

var (
	soapAction = regexp.MustCompile(`<u:(\w+) `)
	soapArg    = regexp.MustCompile(`<(New\w+)>([^<]*)</`)
)

func (f *fakeIGD) serveControl(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m := soapAction.FindStringSubmatch(string(body))
	if m == nil {
		f.Errorf("no action in %q", body)
		return
	}
	args := make(map[string]string)
	for _, a := range soapArg.FindAllStringSubmatch(string(body), -1) {
		args[a[1]] = a[2]
	}
	f.mu.Lock()
	f.actions = append(f.actions, m[1]+args["NewExternalPort"])
	f.mu.Unlock()
	control := f.get().control
	if control == nil {
		control = f.route
	}
	status, reply := control(m[1], args)
	if code, ok := reply.(int); ok {
		reply = fmt.Sprintf(`<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError
			xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode><errorDescription>No way</errorDescription></UPnPError></detail></s:Fault>`, code)
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
		s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>%v</s:Body></s:Envelope>`, reply)
}

// route does what a router does.
func (f *fakeIGD) route(action string, args map[string]string) (int, any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	port := args["NewExternalPort"]
	switch action {
	case "AddPortMapping":
		f.ports[port] = args
	case "AddAnyPortMapping":
		f.ports[port] = args
		return 200, `<u:AddAnyPortMappingResponse xmlns:u="x"><NewReservedPort>` + port + `</NewReservedPort></u:AddAnyPortMappingResponse>`
	case "DeletePortMapping":
		delete(f.ports, port)
	case "GetExternalIPAddress":
		return 200, `<u:GetExternalIPAddressResponse xmlns:u="x"><NewExternalIPAddress>8.7.6.5</NewExternalIPAddress></u:GetExternalIPAddressResponse>`
	}
	return 200, `<u:` + action + `Response xmlns:u="x"></u:` + action + `Response>`
}

// protocol returns a client of this router and no other.
func (f *fakeIGD) protocol(port uint16) *uPnP {
	u := newUPnP(port, netip.Addr{})
	u.find = searcher{
		to:       netip.MustParseAddrPort(f.ssdp.LocalAddr().String()),
		networks: func() ([]netip.Prefix, error) { return []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}, nil },
	}
	return u
}

// mapped returns the arguments of the mapping of a port.
func (f *fakeIGD) mapped(port string) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ports[port]
}

func (f *fakeIGD) done() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.actions, " ")
}
