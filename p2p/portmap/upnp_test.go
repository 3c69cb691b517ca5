package portmap

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The types of service that have mappings.
const (
	ip1 = "urn:schemas-upnp-org:service:WANIPConnection:1"
	ip2 = "urn:schemas-upnp-org:service:WANIPConnection:2"
	ppp = "urn:schemas-upnp-org:service:WANPPPConnection:1"
)

// TestUPnP maps, renews and removes with all kinds of router.
func TestUPnP(t *testing.T) {
	for service, want := range map[string]string{
		ip1: "AddPortMapping9333 GetExternalIPAddress AddPortMapping9333 GetExternalIPAddress DeletePortMapping9333",
		ppp: "AddPortMapping9333 GetExternalIPAddress AddPortMapping9333 GetExternalIPAddress DeletePortMapping9333",
		ip2: "AddAnyPortMapping9333 GetExternalIPAddress AddPortMapping9333 GetExternalIPAddress DeletePortMapping9333",
	} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			f := newFakeIGD(t, service)
			u := f.protocol(9333)
			for range 2 {
				g, err := u.add(t.Context(), 9333)
				if err != nil || g != (grant{9333, netip.MustParseAddr("8.7.6.5"), lease}) {
					t.Fatal(g, err)
				}
			}
			args := f.mapped("9333")
			if args["NewInternalPort"] != "9333" || args["NewInternalClient"] != "127.0.0.1" || args["NewProtocol"] != "TCP" ||
				args["NewLeaseDuration"] != "2400" || args["NewEnabled"] != "1" || args["NewRemoteHost"] != "" {
				t.Errorf("asked for %v", args)
			}
			if err := u.remove(t.Context(), 9333); err != nil || f.mapped("9333") != nil {
				t.Errorf("after removal: %v, %v", f.mapped("9333"), err)
			}
			if f.done() != want {
				t.Errorf("got  %s\nwant %s", f.done(), want)
			}
		})
	}
}

// TestUPnPOtherPort: what the router gives counts.
func TestUPnPOtherPort(t *testing.T) {
	t.Parallel()
	f := newFakeIGD(t, ip2)
	f.set(func(h *hooks) {
		h.control = func(action string, args map[string]string) (int, any) {
			if action == "AddAnyPortMapping" {
				return 200, `<u:R xmlns:u="x"><NewReservedPort>40001</NewReservedPort></u:R>`
			}
			return f.route(action, args)
		}
	})
	if g, err := f.protocol(9333).add(t.Context(), 9333); err != nil || g.port != 40001 {
		t.Error(g, err)
	}
}

// TestUPnPTaken: another port is tried where the router can't choose.
func TestUPnPTaken(t *testing.T) {
	t.Parallel()
	f := newFakeIGD(t, ip1)
	f.set(func(h *hooks) {
		h.control = func(action string, args map[string]string) (int, any) {
			if args["NewExternalPort"] == "9333" {
				return 500, codeTaken
			}
			return f.route(action, args)
		}
	})
	g, err := f.protocol(9333).add(t.Context(), 9333)
	if err != nil || g.port == 9333 || f.mapped(fmt.Sprint(g.port))["NewInternalPort"] != "9333" {
		t.Error(g, err)
	}
}

// TestUPnPPermanent: a router without leases maps for ever.
func TestUPnPPermanent(t *testing.T) {
	t.Parallel()
	f := newFakeIGD(t, ip1)
	f.set(func(h *hooks) {
		h.control = func(action string, args map[string]string) (int, any) {
			if action == "AddPortMapping" && args["NewLeaseDuration"] != "0" {
				return 500, codeOnlyPermanent
			}
			return f.route(action, args)
		}
	})
	if g, err := f.protocol(9333).add(t.Context(), 9333); err != nil || f.mapped("9333")["NewLeaseDuration"] != "0" {
		t.Error(g, err)
	}
}

// TestUPnPFails: routers that refuse, talk nonsense or too much cost an error, in
// time and without much memory, and no log is spoiled.
func TestUPnPFails(t *testing.T) {
	huge := func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "<root>")
		for range 1000 {
			if _, err := io.WriteString(w, strings.Repeat("<device></device>", 4000)); err != nil {
				return
			}
		}
	}
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request went to another machine")
	}))
	t.Cleanup(other.Close)
	// The same machine under another name.
	elsewhere := strings.Replace(other.URL, "127.0.0.1", "127.0.0.2", 1)
	for name, tc := range map[string]struct {
		set  func(h *hooks)
		want string
	}{
		"refusal": {func(h *hooks) { h.control = func(string, map[string]string) (int, any) { return 500, 606 } }, "refused, error 606 No?way"},
		"garbled fault": {func(h *hooks) {
			h.control = func(string, map[string]string) (int, any) { return 500, "<\a" }
		}, "error decoding"},
		"empty": {func(h *hooks) {
			h.describe = func(http.ResponseWriter, *http.Request) {}
		}, "cannot be read"},
		"not XML": {func(h *hooks) {
			h.describe = func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("\x00\x1b[2J")) }
		}, "cannot be read"},
		"missing": {func(h *hooks) {
			h.describe = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }
		}, "status 404"},
		"no services": {func(h *hooks) {
			h.describe = func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, deviceXML("")) }
		}, "no connection"},
		"huge": {func(h *hooks) { h.describe = huge }, "too large"},
		"huge header": {func(h *hooks) {
			h.describe = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }
		}, "header"},
		"huge answer": {func(h *hooks) {
			h.control = func(string, map[string]string) (int, any) { return 200, strings.Repeat("x", 1<<20) }
		}, "too large"},
		"base elsewhere": {func(h *hooks) {
			h.describe = func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, deviceXML(elsewhere, ip1)) }
		}, "another machine"},
		"redirect": {func(h *hooks) {
			h.describe = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }
		}, "status 302"},
		"garbage answers": {func(h *hooks) {
			h.answer = func(string) []string {
				return []string{"", "\x00", "HTTP/1.1 500 No\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nLOCATION: :\r\n\r\n", strings.Repeat("H", 60000)}
			}
		}, "no router answers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeIGD(t, ip1)
			f.set(tc.set)
			_, err := f.protocol(9333).add(t.Context(), 9333)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			for _, r := range err.Error() {
				if r < ' ' || r > '~' {
					t.Errorf("%q in the error", r)
				}
			}
			if len(err.Error()) > 1000 {
				t.Errorf("%d bytes of error", len(err.Error()))
			}
		})
	}
}

// TestParseAnswer: an answer must come from a local network and point to its sender.
func TestParseAnswer(t *testing.T) {
	req, err := http.NewRequest("M-SEARCH", "*", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		from, network, status, location string
		ok                              bool
	}{
		{"192.168.1.1", "192.168.1.7/24", "200 OK", "http://192.168.1.1:5000/d.xml", true},
		{"192.168.1.1", "192.168.1.7/24", "200 OK", "http://192.168.1.1", true},
		{"192.168.1.1", "192.168.1.7/24", "200 OK", "http://user:pw@192.168.1.1/", true},
		{"192.168.1.1", "192.168.1.7/24", "404 No", "http://192.168.1.1/", false},
		{"192.168.1.1", "192.168.1.7/24", "200 OK", "http://192.168.1.2/", false},
		{"192.168.1.1", "192.168.1.7/24", "200 OK", "http://127.0.0.1:9332/", false},
		{"192.168.1.1", "192.168.1.7/24", "200 OK", "http://localhost/", false},
		{"192.168.1.1", "192.168.1.7/24", "200 OK", "http://192.168.1.1.example.org/", false},
		{"192.168.1.1", "192.168.1.7/24", "200 OK", "https://192.168.1.1/", false},
		{"192.168.1.1", "192.168.1.7/24", "200 OK", "file://192.168.1.1/etc/passwd", false},
		{"192.168.1.1", "192.168.1.7/24", "200 OK", "/d.xml", false},
		{"192.168.1.1", "192.168.1.7/24", "200 OK", "", false},
		{"192.168.2.1", "192.168.1.7/24", "200 OK", "http://192.168.2.1/", false},
		{"8.8.8.8", "192.168.1.7/24", "200 OK", "http://8.8.8.8/", false},
		{"8.8.8.8", "8.8.8.7/24", "200 OK", "http://8.8.8.8/", false},
	} {
		raw := "HTTP/1.1 " + tc.status + "\r\nST: x\r\nLOCATION: " + tc.location + "\r\n\r\n"
		if _, ok := parseAnswer(req, []byte(raw), netip.MustParseAddr(tc.from), netip.MustParsePrefix(tc.network)); ok != tc.ok {
			t.Errorf("%+v: %v", tc, ok)
		}
	}
}

// TestUPnPSilent: a router that accepts connections and says nothing ends with the
// context, at once.
func TestUPnPSilent(t *testing.T) {
	t.Parallel()
	f := newFakeIGD(t, ip1)
	silent, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	f.set(func(h *hooks) {
		h.answer = func(s string) []string { return []string{f.location("http://" + silent.Addr().String())(s)} }
	})
	ctx, cancel := context.WithTimeout(t.Context(), settleTime+200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := f.protocol(9333).add(ctx, 9333); err == nil {
		t.Error("no error")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("%v after the context's end", took)
	}
}

// TestUPnPFlood: of any number of answers few are kept, and few routers asked.
func TestUPnPFlood(t *testing.T) {
	t.Parallel()
	f := newFakeIGD(t)
	asked := make(chan struct{}, 100)
	f.set(func(h *hooks) {
		h.describe = func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }
	})
	base := "http://" + f.http.Listener.Addr().String() + "/desc.xml?"
	f.set(func(h *hooks) {
		h.answer = func(s string) (list []string) {
			for i := range 1000 {
				list = append(list, f.location(fmt.Sprint(base, i))(s))
			}
			return list
		}
	})
	u := f.protocol(9333)
	answers, err := u.find.searchFor(t.Context(), targets[0])
	if err != nil || len(answers) > maxAnswers {
		t.Errorf("%d answers, %v", len(answers), err)
	}
	if _, err := u.add(t.Context(), 9333); err == nil {
		t.Error("no error")
	}
	if len(asked) != maxRouters {
		t.Errorf("%d routers asked", len(asked))
	}
}

// TestDescriptionMemory: the worst description that fits costs little.
func TestDescriptionMemory(t *testing.T) {
	f := newFakeIGD(t)
	for _, element := range []struct{ open, close string }{
		{"<deviceList><device>", "</device></deviceList>"}, // nested
		{"<deviceList><device/></deviceList>", ""},
		{"<serviceList><service/></serviceList>", ""},
		{"<iconList><icon/></iconList>", ""},
	} {
		f.set(func(h *hooks) {
			h.describe = func(w http.ResponseWriter, _ *http.Request) {
				n := (maxBody - 100) / len(element.open+element.close)
				io.WriteString(w, "<root><device>"+strings.Repeat(element.open, n)+strings.Repeat(element.close, n)+"</device></root>")
			}
		})
		loc := f.http.URL + "/desc.xml"
		req, _ := http.NewRequest("GET", loc, nil)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		root, err := describeRouter(t.Context(), newClient(netip.MustParseAddr("127.0.0.1")), req.URL)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		list := connections(root, req.URL, newClient(netip.MustParseAddr("127.0.0.1")))
		t.Logf("%s: %d kB allocated, %d connections", element.open, (after.TotalAlloc-before.TotalAlloc)>>10, len(list))
		if after.TotalAlloc-before.TotalAlloc > 64<<20 {
			t.Errorf("%s: %d MB", element.open, (after.TotalAlloc-before.TotalAlloc)>>20)
		}
	}
}

// FuzzParseAnswer: no datagram does more than be passed over, and what is taken
// points to its sender.
func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nLOCATION: http://127.0.0.1:80/d.xml\r\nST: x\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLOCATION: //127.0.0.1\r\n\r\n5\r\n"))
	f.Add([]byte("NOTIFY * HTTP/1.1\r\n\r\n"))
	req, err := http.NewRequest("M-SEARCH", "*", nil)
	if err != nil {
		f.Fatal(err)
	}
	from, network := netip.MustParseAddr("127.0.0.1"), netip.MustParsePrefix("127.0.0.1/8")
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer, ok := parseAnswer(req, raw, from, network)
		if !ok {
			return
		}
		if loc, err := answer.Location(); err != nil || loc.Hostname() != "127.0.0.1" || loc.Scheme != "http" {
			t.Errorf("%v, %v", loc, err)
		}
		if _, ok := parseAnswer(req, raw, netip.MustParseAddr("127.0.0.2"), network); ok {
			t.Error("taken from another machine")
		}
		if _, ok := parseAnswer(req, raw, from, netip.MustParsePrefix("10.0.0.1/8")); ok {
			t.Error("taken from another network")
		}
	})
}
