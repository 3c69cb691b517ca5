package rpcserver

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSizeLimits(t *testing.T) {
	ts := startServer(t, nil)
	if status, body := ts.post(t, strings.Repeat(" ", MaxBodySize-len(uptimeCall))+uptimeCall, nil); status != 200 {
		t.Errorf("a body of exactly the limit: %d, %s", status, body)
	}
	if status, body := ts.post(t, strings.Repeat(" ", MaxBodySize+1), nil); status != 413 || !strings.Contains(body, "larger than 1 MiB") {
		t.Errorf("a large body: %d, %s", status, body)
	}
	// A body whose length is not announced.
	if status, _ := ts.post(t, "", func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat(" ", MaxBodySize+1))), -1
	}); status != 413 {
		t.Errorf("a large chunked body: %d", status)
	}
	for size, want := range map[int]string{MaxHeaderSize / 2: "HTTP/1.1 401", MaxHeaderSize + 1: "HTTP/1.1 431"} {
		answer := ts.raw(t, "POST / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", size)+"\r\n\r\n")
		if !strings.HasPrefix(answer, want) {
			t.Errorf("headers of %d bytes: got %.40q, want %s", size, answer, want)
		}
	}
}

// TestSlowloris opens connections that never finish what they began. Each is
// closed after its timeout.
func TestSlowloris(t *testing.T) {
	short := 50 * time.Millisecond
	ts := startServer(t, func(c *Config) {
		c.Timeouts = Timeouts{ReadHeader: short, Read: 2 * short, Write: 4 * short, Idle: short}
	})
	head := "POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\n"
	for name, sent := range map[string]string{
		"silence":      "",
		"half a line":  "POST / HT",
		"half headers": head,
		"half a body":  head + "Content-Length: 1000\r\n\r\n{",
		"idle":         head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(uptimeCall), uptimeCall),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			ts.raw(t, sent)
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("closed after %v", took)
			}
		})
	}
}

// TestManyHalfOpen keeps a thousand half-open connections while an honest client
// works, with timeouts too long to help.
func TestManyHalfOpen(t *testing.T) {
	ts := startServer(t, nil)
	for range 1000 {
		c, err := net.Dial("tcp", ts.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "POST / HTTP/1.1\r\n") // may be evicted already
	}
	begin := time.Now()
	for range 20 {
		if status, body := ts.post(t, uptimeCall, nil); status != 200 {
			t.Fatalf("got %d, %s", status, body)
		}
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("20 commands took %v", took)
	}
	ts.conns.mu.Lock()
	open := len(ts.conns.conns)
	ts.conns.mu.Unlock()
	if open > MaxConnections {
		t.Errorf("%d connections are open", open)
	}
}
