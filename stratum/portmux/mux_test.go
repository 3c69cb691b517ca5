package portmux

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/p2poold/p2poold/stratum/connlimit"
	"github.com/p2poold/p2poold/stratum/tlscert"
)

// tlsOnlyPort is the total that makes a listener for TLS only.
const tlsOnlyPort = 77

// port is a Mux on a real listener. Stratum connections are answered with the client's
// address and what it says, line by line.
type port struct {
	t       *testing.T
	mux     *Mux
	addr    string
	ends    chan error // of connections that do not become a miner's
	tlsOnly bool
}

func newPort(t *testing.T, change func(*Config, *connlimit.Config)) *port {
	t.Helper()
	limits := connlimit.Config{Total: 100}
	source, err := tlscert.Open(tlscert.Config{SelfFile: filepath.Join(t.TempDir(), "stratum.pem"), Hosts: []string{"localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{TLS: source.TLSConfig(), Timeout: 20 * time.Second, HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "page for %s", r.RemoteAddr)
	})}
	if change != nil {
		change(&cfg, &limits)
	}
	cfg.Limits = connlimit.New(limits)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &port{t: t, tlsOnly: limits.Total == tlsOnlyPort, mux: New(cfg), addr: l.Addr().String(), ends: make(chan error, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.mux.Run(ctx) })
	wg.Go(func() {
		for {
			socket, err := l.Accept()
			if err != nil {
				return
			}
			c, err := p.mux.Admit(socket, p.tlsOnly)
			if err != nil {
				p.ends <- err
				continue
			}
			wg.Go(func() { p.serve(ctx, c) })
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		wg.Wait()
		if c := p.mux.Counts(); c.Limits.Open != 0 || c.HTTPNow != 0 {
			t.Errorf("left behind: %+v", c)
		}
	})
	return p
}

func (p *port) serve(ctx context.Context, c *Conn) {
	if err := c.Handshake(ctx); err != nil {
		p.ends <- err
		return
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	for lines := bufio.NewScanner(c); lines.Scan(); {
		fmt.Fprintf(c, "%s: %s\n", c.RemoteAddr(), lines.Text())
	}
}

func (p *port) dial() net.Conn {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	p.t.Cleanup(func() { conn.Close() })
	return conn
}

func secure(conn net.Conn) net.Conn {
	return tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
}

// answer writes bytes, in pieces of the given length, and reads a line.
func answer(t *testing.T, conn net.Conn, text string, piece int) string {
	t.Helper()
	for len(text) > 0 {
		n := min(piece, len(text))
		if _, err := conn.Write([]byte(text[:n])); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "error: " + err.Error()
	}
	return strings.TrimSpace(line)
}

// TestOnePort: each protocol on one port, whole and byte by byte.
func TestOnePort(t *testing.T) {
	p := newPort(t, nil)
	const stratum = `{"id":1,"method":"mining.subscribe"}` + "\n"
	for _, piece := range []int{1, 3, 1000} {
		for name, test := range map[string]struct {
			conn       net.Conn
			text, want string
		}{
			"Stratum":                    {p.dial(), stratum, "mining.subscribe"},
			"Stratum behind empty lines": {p.dial(), "\r\n{}\n", ":"},
			"HTTP":                       {p.dial(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK"},
			"Stratum in TLS":             {secure(p.dial()), stratum, "mining.subscribe"},
			"HTTP in TLS":                {secure(p.dial()), "HEAD / HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK"},
		} {
			if got := answer(t, test.conn, test.text, piece); !strings.Contains(got, test.want) {
				t.Errorf("%s in pieces of %d: %q", name, piece, got)
			}
			test.conn.Close()
		}
	}
	if c := p.mux.Counts(); c.HTTP != 6 || c.Secured != 6 {
		t.Errorf("%+v", c)
	}
}

func TestRefused(t *testing.T) {
	p := newPort(t, nil)
	for name, text := range map[string]string{
		"SSH":                    "SSH-2.0-OpenSSH_9.2\r\n",
		"binary":                 "\x00\x01\x02\x03",
		"HTTP/2":                 "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"PROXY from a stranger":  "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n{}\n",
		"PROXY 2 from one":       string(header(t, 2, "192.0.2.1:1", "192.0.2.2:2")) + "{}\n",
		"junk like TLS":          "\x16\x03\x01\xff\xff" + strings.Repeat("x", 100),
		"a TLS record of no use": "\x16\x03\x01\x00\x05hello",
	} {
		conn := p.dial()
		conn.Write([]byte(text))
		if b, _ := io.ReadAll(conn); len(b) > 7 { // of TLS, an alert
			t.Errorf("%s: answered %q", name, b)
		}
		if err := <-p.ends; err == nil || errors.Is(err, ErrHTTP) {
			t.Errorf("%s: %v", name, err)
		}
	}
	inner := secure(secure(p.dial()))
	if _, err := inner.Write([]byte("{}\n")); err == nil {
		t.Error("TLS inside TLS")
	}
	<-p.ends
	if c := p.mux.Counts(); c.Unknown != 4 || c.NoProxy != 2 || c.TLSFailed != 2 {
		t.Errorf("%+v", c)
	}
}

// TestTurnedOff: what the operator does not want is refused.
func TestTurnedOff(t *testing.T) {
	p := newPort(t, func(c *Config, _ *connlimit.Config) { c.TLS, c.HTTP = nil, nil })
	if err := secure(p.dial()).(*tls.Conn).Handshake(); err == nil {
		t.Error("TLS without a certificate")
	}
	if got := answer(t, p.dial(), "GET / HTTP/1.0\r\n\r\n", 100); !strings.HasPrefix(got, "error") {
		t.Errorf("HTTP without a handler: %s", got)
	}
	if got := answer(t, p.dial(), "{}\n", 100); !strings.HasSuffix(got, ": {}") {
		t.Errorf("Stratum: %s", got)
	}
	only := newPort(t, func(_ *Config, l *connlimit.Config) { l.Total = tlsOnlyPort })
	if got := answer(t, only.dial(), "{}\n", 100); !strings.HasPrefix(got, "error") {
		t.Errorf("plain on a listener for TLS: %s", got)
	}
	if got := answer(t, secure(only.dial()), "{}\n", 100); !strings.HasSuffix(got, ": {}") {
		t.Errorf("TLS on a listener for TLS: %s", got)
	}
}

// TestProxy: the address that a named proxy tells counts for everything.
func TestProxy(t *testing.T) {
	p := newPort(t, func(c *Config, l *connlimit.Config) {
		c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		l.PerAddress = 2
	})
	for _, version := range []byte{1, 2} {
		for _, piece := range []int{1, 1000} {
			plain, encrypted := p.dial(), p.dial()
			client := fmt.Sprintf("192.0.2.%d:51234", 10*piece%256+int(version))
			head := string(header(t, version, client, "127.0.0.1:3333"))
			if got := answer(t, plain, head+"{}\n", piece); got != client+": {}" {
				t.Errorf("version %d: %s", version, got)
			}
			if _, err := encrypted.Write([]byte(head)); err != nil {
				t.Fatal(err)
			}
			if got := answer(t, secure(encrypted), "{}\n", piece); got != client+": {}" {
				t.Errorf("version %d, then TLS: %s", version, got)
			}
			third := p.dial()
			third.Write([]byte(head + "{}\n"))
			if b, _ := io.ReadAll(third); len(b) > 0 {
				t.Errorf("a third connection of the address: %s", b)
			}
			if err := <-p.ends; !errors.Is(err, connlimit.ErrAddressFull) {
				t.Errorf("it ended with %v", err)
			}
		}
	}
	for name, text := range map[string]string{"no header": "{}\n", "health check": string(local(t)) + "{}\n"} {
		for range 3 { // the proxy itself is not limited
			conn := p.dial()
			if got := answer(t, conn, text, 100); !strings.HasPrefix(got, "127.0.0.1:") {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
	conn := p.dial()
	conn.Write(append(header(t, 2, "192.0.2.9:1", "192.0.2.2:2"), header(t, 2, "192.0.2.8:1", "192.0.2.2:2")...))
	if b, _ := io.ReadAll(conn); len(b) > 0 {
		t.Errorf("two headers: %q", b)
	}
}

// TestMuchHTTP: requests beyond the bound make the oldest end, one that is sent
// slowly has a bounded time, and miners notice nothing.
func TestMuchHTTP(t *testing.T) {
	p := newPort(t, func(_ *Config, l *connlimit.Config) { l.Total = 1000 })
	first := p.dial()
	first.Write([]byte("GET / HTTP/1.1\r\n"))
	if err := <-p.ends; !errors.Is(err, ErrHTTP) {
		t.Fatal(err)
	}
	for range maxHTTP {
		p.dial().Write([]byte("GET / HTTP/1.1\r\nX-Slow: "))
		<-p.ends
	}
	if _, err := io.ReadAll(first); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the first: %v", err)
	}
	if got := answer(t, p.dial(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 100); got != "HTTP/1.1 200 OK" {
		t.Errorf("a request beside the slow ones: %s", got)
	}
	if got := answer(t, p.dial(), "{}\n", 100); !strings.HasSuffix(got, ": {}") {
		t.Errorf("a miner beside them: %s", got)
	}
	if c := p.mux.Counts(); c.HTTPNow > maxHTTP {
		t.Errorf("%d connections", c.HTTPNow)
	}

	// Many requests at once on one connection: one answer.
	conn := p.dial()
	conn.Write([]byte(strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 50)))
	all, _ := io.ReadAll(conn)
	if n := strings.Count(string(all), "200 OK"); n != 1 {
		t.Errorf("%d answers", n)
	}
	// Headers without end.
	conn = p.dial()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nX: %s", strings.Repeat("a", 64<<10))
	all, _ = io.ReadAll(conn)
	if n := strings.Count(string(all), "200 OK"); n != 0 {
		t.Error("64 kB of headers were taken")
	}
}

// TestHandshakeStorm: clients that stop in the middle of TLS keep nobody out, though few
// handshakes compute at once.
func TestHandshakeStorm(t *testing.T) {
	p := newPort(t, func(_ *Config, l *connlimit.Config) { l.Total = 1000 })
	hello := make([]byte, 300)
	hello[0], hello[1], hello[2], hello[3], hello[4] = 0x16, 3, 1, 2, 0 // 512 bytes are to come
	for range 50 {
		p.dial().Write(hello)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", p.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if got := answer(t, secure(conn), "{}\n", 100); !strings.HasSuffix(got, ": {}") {
				t.Error(got)
			}
		})
	}
	wg.Wait()
	if len(p.mux.gate) != 0 {
		t.Error("a turn was not given back")
	}
}
