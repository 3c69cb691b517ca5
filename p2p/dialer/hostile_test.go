package dialer

import (
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// replies are what a hostile proxy may say; none of them makes a connection.
var replies = map[string]string{
	"nothing":                  "",
	"half a greeting":          "\x05",
	"another version":          "\x04\x00",
	"an HTTP proxy":            "HTTP/1.1 400 Bad Request\r\n\r\n",
	"no method":                "\x05\xff",
	"an unknown method":        "\x05\x80",
	"half a login":             "\x05\x02\x01",
	"login refused":            "\x05\x02\x01\x01",
	"login of another version": "\x05\x02\x05\x00",
	"half a reply":             "\x05\x00\x05\x00\x00",
	"reply version":            "\x05\x00\x04\x00\x00\x01\x00\x00\x00\x00\x00\x00",
	"refused":                  "\x05\x00\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00",
	"Tor's own error":          "\x05\x00\x05\xf0\x00\x01\x00\x00\x00\x00\x00\x00",
	"reserved":                 "\x05\x00\x05\x00\x01\x01\x00\x00\x00\x00\x00\x00",
	"address type":             "\x05\x00\x05\x00\x00\x09\x00\x00\x00\x00\x00\x00",
	"half an address":          "\x05\x00\x05\x00\x00\x04\x00\x00\x00\x00",
	"half a name":              "\x05\x00\x05\x00\x00\x03\xff" + strings.Repeat("x", 200),
	"zeros":                    strings.Repeat("\x00", 1<<16),
	"ones":                     strings.Repeat("\xff", 1<<16),
	"fives":                    strings.Repeat("\x05", 1<<16),
}

// pipeTo returns a Dialer whose proxy is a function.
func pipeTo(t testing.TB, serve func(net.Conn)) *Dialer {
	return mustNew(t, Config{Proxy: "proxy:1", Direct: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go serve(far)
		return near, nil
	}})
}

// TestHostileProxies: whether it then hangs up or hangs, a dial ends, in time, with
// an error and without anything left behind.
func TestHostileProxies(t *testing.T) {
	for name, reply := range replies {
		for _, hangUp := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
				d := pipeTo(t, func(c net.Conn) {
					go io.Copy(io.Discard, c)
					c.Write([]byte(reply))
					if hangUp {
						c.Close()
					}
				})
				start := time.Now()
				conn, err := d.Dial(t.Context(), onion+":5")
				if err == nil {
					conn.Close()
					t.Errorf("%s, hangs up %v: connected", name, hangUp)
				}
				if took := time.Since(start); took > ProxyTimeout || hangUp && took != 0 {
					t.Errorf("%s, hangs up %v: %v", name, hangUp, took)
				}
			})
		}
	}
}

// TestTrickle: bytes that come one by one don't extend the time.
func TestTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := pipeTo(t, func(c net.Conn) {
			go io.Copy(io.Discard, c)
			for _, b := range []byte("\x05\x00\x05\x00\x00\x03\xff" + strings.Repeat("x", 257)) {
				time.Sleep(5 * time.Second)
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
			}
		})
		start := time.Now()
		if _, err := d.Dial(t.Context(), onion+":5"); err == nil || time.Since(start) != ProxyTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		time.Sleep(10 * time.Second) // for the proxy to notice
	})
}

// TestNoDeadlineLeft: the handshake's deadline ends with it.
func TestNoDeadlineLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := pipeTo(t, func(c net.Conn) {
			go io.Copy(io.Discard, c)
			c.Write([]byte("\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"))
			time.Sleep(time.Hour)
			c.Write([]byte("late"))
			c.Close()
		})
		conn, err := d.Dial(t.Context(), onion+":5")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); err != nil || string(got) != "late" {
			t.Errorf("%q, %v", got, err)
		}
		conn.Close()
	})
}

// TestDirectTimeout: a dial without a proxy ends, too.
func TestDirectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mustNew(t, Config{Direct: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		start := time.Now()
		if _, err := d.Dial(t.Context(), "8.1.2.3:5"); err == nil || time.Since(start) != DirectTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestMemory: an endless answer costs no memory.
func TestMemory(t *testing.T) {
	flood := bytes.Repeat([]byte("\x05\x00"), 1<<19)
	d := pipeTo(t, func(c net.Conn) {
		go io.Copy(io.Discard, c)
		for {
			if _, err := c.Write(flood); err != nil {
				return
			}
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const dials = 100
	for range dials {
		if conn, err := d.Dial(t.Context(), onion+":5"); err == nil {
			conn.Close()
			t.Fatal("connected")
		}
	}
	runtime.ReadMemStats(&after)
	each := (after.TotalAlloc - before.TotalAlloc) / dials
	t.Logf("%d bytes allocated for a dial that a proxy answers without end", each)
	if each > 100_000 { // io.Copy's buffer of this test is 32 kB of it
		t.Errorf("%d bytes allocated in each dial", each)
	}
}

// FuzzReply: no answer of a proxy makes a dial hang, panic or read more than a
// reply has.
func FuzzReply(f *testing.F) {
	for _, reply := range replies {
		f.Add([]byte(reply[:min(len(reply), 300)]))
	}
	f.Add([]byte("\x05\x02\x01\x00\x05\x00\x00\x03\x04name\x00\x01rest"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		if len(reply) > 1000 {
			return
		}
		left := make(chan int, 1)
		d := pipeTo(t, func(c net.Conn) {
			go io.Copy(io.Discard, c)
			n, _ := c.Write(reply)
			left <- len(reply) - n
			c.Close()
		})
		conn, err := d.Dial(t.Context(), onion+":5")
		if err != nil {
			return
		}
		rest, err := io.ReadAll(conn)
		if err != nil || <-left != 0 || len(reply)-len(rest) > 266 {
			t.Errorf("%d bytes of %d left, %v", len(rest), len(reply), err)
		}
	})
}

// FuzzWay: no text goes to the DNS that a hidden service could be meant by, and
// with a proxy nothing goes past it but what is on this machine or beside it.
func FuzzWay(f *testing.F) {
	for _, s := range []string{onion + ":5", "x.onion.:1", "a.i2p:1", "example.org:1", "[fe80::1%a.onion]:1", "8.1.2.3:5", "[::]:1", "ONION:1"} {
		f.Add(s)
	}
	bare, proxied := mustNew(f, Config{}), mustNew(f, Config{Proxy: "proxy:1"})
	f.Fuzz(func(t *testing.T, addr string) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return
		}
		name := strings.TrimSuffix(strings.ToLower(host), ".")
		hidden := strings.HasSuffix(name, ".onion") || strings.HasSuffix(name, ".i2p")
		if w, err := bare.way(addr); hidden && err == nil && net.ParseIP(host) == nil && !strings.Contains(host, "%") {
			t.Errorf("%q goes to %+v", addr, w)
		}
		if w, err := proxied.way(addr); err == nil && w.proxy == "" {
			host, _, _ = strings.Cut(host, "%")
			if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast() {
				t.Errorf("%q goes past the proxy", addr)
			}
		}
	})
}
