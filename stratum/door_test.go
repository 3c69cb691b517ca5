package stratum

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/p2poold/p2poold/stratum/tlscert"
)

// listening runs a server on real sockets until the test ends.
func listening(t *testing.T, change func(*Config)) *Server {
	t.Helper()
	cfg := testConfig("127.0.0.1:0")
	if change != nil {
		change(&cfg)
	}
	server, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return server
}

func certificate(t *testing.T) *tls.Config {
	t.Helper()
	source, err := tlscert.Open(tlscert.Config{SelfFile: filepath.Join(t.TempDir(), "stratum.pem")})
	if err != nil {
		t.Fatal(err)
	}
	return source.TLSConfig()
}

// dialMiner returns a client over real TCP, or TLS over it.
func dialMiner(t *testing.T, addr net.Addr, encrypted bool) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	if encrypted {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// TestPlainTLSAndHTTP: miners with and without TLS, and a browser, on one port; another
// listener is for TLS only.
func TestPlainTLSAndHTTP(t *testing.T) {
	server := listening(t, func(c *Config) {
		c.ListenTLS, c.TLS = []string{"127.0.0.1:0"}, certificate(t)
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	})
	both, only := server.Addrs()[0], server.Addrs()[1]
	for _, c := range []*client{dialMiner(t, both, false), dialMiner(t, both, true), dialMiner(t, only, true)} {
		c.login("rig")
	}
	if n := server.Connections(); n != 3 {
		t.Errorf("%d connections", n)
	}
	plain := dialMiner(t, only, false)
	plain.send(`{"id":1,"method":"mining.subscribe","params":[]}`)
	if line, err := plain.r.ReadString('\n'); err == nil {
		t.Errorf("plain on the listener for TLS: %s", line)
	}
	web := dialMiner(t, both, false)
	web.send("GET / HTTP/1.0\r\n\r")
	if got := web.line(); !strings.HasPrefix(got, "HTTP/1.0 200") {
		t.Errorf("HTTP: %q", got)
	}
	if c := server.Port(0).Counts; c.Secured != 2 || c.HTTP != 1 || c.Unknown != 1 {
		t.Errorf("%+v", c)
	}
}

// TestFiles: what another process is given are the listening sockets, in their order.
func TestFiles(t *testing.T) {
	server := listening(t, func(c *Config) { c.ListenTLS, c.TLS = []string{"127.0.0.1:0"}, certificate(t) })
	files, err := server.Files()
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		l, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		if l.Addr().String() != server.Addrs()[i].String() {
			t.Errorf("%v instead of %v", l.Addr(), server.Addrs()[i])
		}
		l.Close()
		f.Close()
	}
	if len(files) != 2 {
		t.Errorf("%d files", len(files))
	}
	if _, err := New(Config{Source: &fakeSource{}, Params: testConfig("").Params, ListenTLS: []string{":1"}}); err == nil {
		t.Error("a listener for TLS without a certificate")
	}
}

// TestSlowloris: a thousand half-open connections, silent ones, some that begin a line or
// a subscription, and some that drip empty lines, are all gone within a minute, and a miner
// among them waits for nothing: in virtual time, where waiting is the only thing that takes
// time, its answers come at once.
func TestSlowloris(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), nil)
		defer h.stop()
		start := time.Now()
		lasted := make(chan time.Duration, 1000)
		var drips sync.WaitGroup
		for i := range cap(lasted) {
			c := h.connect()
			drips.Go(func() {
				switch i % 5 {
				case 1:
					c.conn.Write([]byte(`{"id":1`))
				case 2:
					c.conn.Write([]byte(`{"id":1,"method":"mining.subscribe","params":[]}` + "\n"))
				case 3:
					for _, err := c.conn.Write([]byte(" ")); err == nil; _, err = c.conn.Write([]byte(" ")) {
						time.Sleep(5 * time.Second)
					}
				case 4:
					for _, err := c.conn.Write([]byte("{}\n")); err == nil; _, err = c.conn.Write([]byte("{}\n")) {
						time.Sleep(10 * time.Second)
					}
				}
			})
			go func() {
				for _, err := c.r.ReadByte(); err == nil; _, err = c.r.ReadByte() {
				}
				lasted <- time.Since(start)
			}()
		}
		honest := h.connect()
		honest.login("honest")
		var waits []time.Duration
		for range 50 {
			asked := time.Now()
			honest.send(`{"id":9,"method":"mining.ping"}`)
			for honest.line() != `{"id":9,"result":"pong","error":null}` {
			}
			waits = append(waits, time.Since(asked))
			time.Sleep(time.Second)
		}
		slices.Sort(waits)
		var longest time.Duration
		for range cap(lasted) {
			longest = max(longest, <-lasted)
		}
		drips.Wait()
		synctest.Wait()
		if n := h.server.Port(0).Counts.Limits.Open; n != 1 {
			t.Errorf("%d connections are left", n)
		}
		if longest > handshakeTimeout || waits[len(waits)-1] > 0 {
			t.Errorf("half-open connections lasted %v, the honest miner waited %v", longest, waits[len(waits)-1])
		}
		honest.conn.Close()
	})
}

// TestRoomForMiners: when all places are taken, connections that have not logged in make
// room, and those that have stay.
func TestRoomForMiners(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarness(t, newFakeWork(0, hard), func(c *Config) { c.MaxConnections = 3 })
		defer h.stop()
		first := h.connect()
		first.login("a")
		silent := h.connect()
		half := h.connect()
		half.send(`{"id":1,"method":"mining.subscribe","params":[]}`)
		half.line()
		h.connect().login("b")
		if _, err := silent.r.ReadByte(); err == nil {
			t.Error("the silent one did not make room")
		}
		h.connect().login("c")
		if _, err := half.r.ReadByte(); err == nil {
			t.Error("the one without a login did not make room")
		}
		if _, err := h.connect().r.ReadByte(); err == nil {
			t.Error("a place was left")
		}
		first.send(`{"id":9,"method":"mining.ping"}`)
		first.want(`{"id":9,"result":"pong","error":null}`)
		if c := h.server.Port(0).Counts.Limits; c.Evicted != 2 || c.Full != 1 || c.Pending != 0 {
			t.Errorf("%+v", c)
		}
	})
}

// TestRoomOfIdle: who logs in and does no work keeps nobody out who does, whatever else he
// says; who works stays.
func TestRoomOfIdle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newEasyHarness(t, func(c *Config) { c.MaxConnections = 3 })
		defer h.stop()
		works := h.visit(someRig, "", "works")
		miners := []visit{works, h.visit(someRig, "", "a"), h.visit(someRig, "", "b")}
		for i := range 16 { // every 20 s, lest notifies pile up
			works.send(works.job.submitLine("works", works.job.solve(t, easy, uint32(1000*i), true)))
			for _, v := range miners {
				v.send(`{"id":9,"method":"mining.ping"}`)
				for v.line() != `{"id":9,"result":"pong","error":null}` {
				}
			}
			time.Sleep(20 * time.Second)
		}
		h.connect().login("late")
		if c := h.server.Port(0).Counts.Limits; c.Evicted != 1 || c.Full != 0 || works.closed() {
			t.Errorf("%+v", c)
		}
		if w := h.server.Workers(); w[len(w)-1].Name != "works" || w[len(w)-1].Accepted != 16 {
			t.Errorf("%+v", w)
		}
	})
}

// TestTalkIsNoWork: a connection without good work ends after hours, whatever its client
// says, but not for a time in which there was none to do.
func TestTalkIsNoWork(t *testing.T) {
	for name, work := range map[string]bool{"idle": true, "no work": false} {
		t.Run(name, func(t *testing.T) {
			sceneOfRig(t, func(t *testing.T, h *harness, v visit) {
				began, ended := time.Now(), make(chan time.Time, 1)
				v.conn.SetReadDeadline(time.Time{})
				go func() {
					io.Copy(io.Discard, v.r)
					ended <- time.Now()
				}()
				if !work {
					h.source.set(nil, "test")
				}
				for time.Since(began) < workTimeout+2*idleTimeout && len(ended) == 0 {
					v.conn.Write([]byte(`{"id":9,"method":"mining.ping"}` + "\n")) // may have ended
					time.Sleep(idleTimeout / 2)
					synctest.Wait()
				}
				if got := len(ended) > 0; got != work {
					t.Fatalf("ended: %v", got)
				}
				if work {
					if lasted := (<-ended).Sub(began); lasted < workTimeout-tickEvery || lasted > workTimeout+tickEvery {
						t.Errorf("it lasted %v", lasted)
					}
				}
				v.conn.Close()
			})
		})
	}
}

// TestHalfOpenOverTCP: what TestSlowloris shows in virtual time, on real sockets: it prints
// how long an honest miner waits for answers, without and with a thousand half-open
// connections, and with P2POOL_HALFOPEN=1 how long those last.
func TestHalfOpenOverTCP(t *testing.T) {
	server := listening(t, func(c *Config) { c.TLS = certificate(t) })
	addr := server.Addrs()[0]
	honest := dialMiner(t, addr, false)
	honest.login("honest")
	ping := func() (waits []time.Duration) {
		for range 500 {
			asked := time.Now()
			honest.send(`{"id":9,"method":"mining.ping"}`)
			for honest.line() != `{"id":9,"result":"pong","error":null}` {
			}
			waits = append(waits, time.Since(asked))
		}
		slices.Sort(waits)
		return waits
	}
	before := ping()
	start := time.Now()
	lasted := make(chan time.Duration, 1000)
	for i := range cap(lasted) {
		c := dialMiner(t, addr, false)
		begin := []string{"", `{"id":1`, `{"id":1,"method":"mining.subscribe","params":[]}` + "\n", "\x16\x03\x01\x02\x00", "GE"}[i%5]
		if _, err := c.conn.Write([]byte(begin)); err != nil {
			t.Fatal(err)
		}
		go func() {
			for _, err := c.r.ReadByte(); err == nil; _, err = c.r.ReadByte() {
			}
			lasted <- time.Since(start)
		}()
	}
	for server.Port(0).Counts.Limits.Pending < cap(lasted) {
		runtime.Gosched()
	}
	during := ping()
	t.Logf("an answer takes %v in the median and p99 %v; beside %d half-open connections %v and %v",
		before[250], before[495], cap(lasted), during[250], during[495])
	if os.Getenv("P2POOL_HALFOPEN") == "" {
		return
	}
	var longest time.Duration
	for range cap(lasted) {
		longest = max(longest, <-lasted)
	}
	t.Logf("they lasted %v at most", longest)
	if n := server.Port(0).Counts.Limits.Open; n != 1 {
		t.Errorf("%d connections are left", n)
	}
}
