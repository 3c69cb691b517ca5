package portmap

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/decred/slog"
)

// fakeProtocol answers as told and notes when it was asked.
type fakeProtocol struct {
	title string
	start time.Time

	mu sync.Mutex
	reply
	log []string
}

// reply is how a fakeProtocol answers.
type reply struct {
	grant grant
	err   error
	hang  bool // until the context ends
}

// set makes the protocol answer otherwise.
func (f *fakeProtocol) set(r reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reply = r
}

func (f *fakeProtocol) name() string { return f.title }

// note notes what was asked and returns how to answer.
func (f *fakeProtocol) note(what string) reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, what+" "+time.Since(f.start).Round(time.Second).String())
	return f.reply
}

func (f *fakeProtocol) add(ctx context.Context, want uint16) (grant, error) {
	r := f.note("add")
	if r.hang {
		<-ctx.Done()
		return grant{}, ctx.Err()
	}
	g := r.grant
	if g.port == 0 {
		g.port = want
	}
	return g, r.err
}

func (f *fakeProtocol) remove(ctx context.Context, port uint16) error {
	if r := f.note("remove"); r.hang {
		<-ctx.Done()
	}
	return nil
}

// bench runs a Mapper on virtual time.
type bench struct {
	*Mapper
	changes []Mapping
	out     bytes.Buffer
	cancel  context.CancelFunc
	done    chan struct{}
}

func newBench(t *testing.T, protocols ...*fakeProtocol) *bench {
	b := &bench{done: make(chan struct{})}
	log := slog.NewBackend(&b.out).Logger("TEST")
	b.Mapper = New(Config{Port: 9333, Log: log, OnChange: func(m Mapping) { b.changes = append(b.changes, m) }})
	for _, p := range protocols {
		p.start = time.Now()
		b.protocols = append(b.protocols, p)
	}
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(t.Context())
	go func() {
		defer close(b.done)
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return b
}

// stop ends Run and returns how long that took.
func (b *bench) stop() time.Duration {
	start := time.Now()
	b.cancel()
	<-b.done
	return time.Since(start)
}

// lines returns the log without times.
func (b *bench) lines() []string {
	var list []string
	for line := range strings.Lines(b.out.String()) {
		_, text, _ := strings.Cut(line, "[")
		list = append(list, strings.TrimSpace(text))
	}
	return list
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

var public = netip.MustParseAddr("8.7.6.5")

// TestRenewal: a mapping is renewed at half of its lease and removed at the end.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakeProtocol{title: "UPnP", reply: reply{grant: grant{port: 9333, addr: public, lease: lease}}}
		b := newBench(t, p)
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		if got := b.State(); got != (State{Mapping: Mapping{"UPnP", 9333, public}}) {
			t.Errorf("%+v", got)
		}
		b.stop()
		equal(t, p.log, "add 0s", "add 20m0s", "add 40m0s", "remove 50m0s")
		equal(t, b.lines(), "INF] TEST: The router forwards port 9333 to this node (UPnP); its address is 8.7.6.5")
		if len(b.changes) != 1 || b.State() != (State{}) {
			t.Errorf("%v, then %v", b.changes, b.State())
		}
	})
}

// TestLease: a router may want to be asked more often, within reason.
func TestLease(t *testing.T) {
	for granted, want := range map[time.Duration]string{
		10 * time.Minute:      "add 5m0s",
		time.Second:           "add 1m0s",
		1 << 32 * time.Second: "add 20m0s",
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &fakeProtocol{title: "UPnP", reply: reply{grant: grant{port: 9333, addr: public, lease: granted}}}
			b := newBench(t, p)
			time.Sleep(21 * time.Minute)
			b.stop()
			if p.log[1] != want {
				t.Errorf("%v: %q", granted, p.log)
			}
		})
	}
}

// TestRetry: the pauses grow, and one line tells of the failure.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakeProtocol{title: "NAT-PMP", reply: reply{err: errors.New("no")}}
		b := newBench(t, p)
		time.Sleep(time.Hour)
		if s := b.State(); s.Err == nil || s.Mapping != (Mapping{}) {
			t.Errorf("%+v", s)
		}
		p.set(reply{grant: grant{port: 9333, addr: netip.MustParseAddr("192.168.0.2"), lease: lease}})
		time.Sleep(20 * time.Minute)
		b.stop()
		equal(t, p.log, "add 0s", "add 1m0s", "add 3m0s", "add 7m0s", "add 15m0s", "add 31m0s", "add 51m0s", "add 1h11m0s", "remove 1h20m0s")
		equal(t, b.lines(),
			"WRN] TEST: The router does not forward port 9333 to this node: NAT-PMP: no; forward it by hand if nobody connects",
			"INF] TEST: The router forwards port 9333 to this node (NAT-PMP); but its address, 192.168.0.2, is a private one: there must be another router before it, which has to forward the port, too")
		if len(b.changes) != 1 || b.changes[0].Addr.IsValid() {
			t.Errorf("a private address: %v", b.changes)
		}
	})
}

// TestLost: a mapping that can't be renewed counts until its lease is over; what
// comes after is news.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakeProtocol{title: "UPnP", reply: reply{grant: grant{port: 40001, addr: public, lease: lease}}}
		b := newBench(t, p)
		time.Sleep(time.Minute)
		p.set(reply{err: errors.New("no")})
		time.Sleep(35 * time.Minute)
		if s := b.State(); s.Port != 40001 || s.Err == nil {
			t.Errorf("before its end: %+v", s)
		}
		time.Sleep(30 * time.Minute)
		if s := b.State(); s.Port != 0 {
			t.Errorf("after its end: %+v", s)
		}
		p.set(reply{grant: grant{port: 40002, addr: public, lease: lease}})
		time.Sleep(30 * time.Minute)
		b.stop()
		want := []Mapping{{"UPnP", 40001, public}, {}, {"UPnP", 40002, public}}
		if !slices.Equal(b.changes, want) || len(b.lines()) != 3 {
			t.Errorf("%v\n%q", b.changes, b.lines())
		}
	})
}

// TestFallback: if one way does not work the other is tried, and stays the first
// one while it works.
func TestFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pmp := &fakeProtocol{title: "NAT-PMP", reply: reply{err: errors.New("no")}}
		upnp := &fakeProtocol{title: "UPnP", reply: reply{grant: grant{addr: public, lease: lease}}}
		b := newBench(t, pmp, upnp)
		time.Sleep(25 * time.Minute)
		upnp.set(reply{err: errors.New("no")})
		pmp.set(reply{grant: grant{lease: lease}})
		time.Sleep(20 * time.Minute)
		b.stop()
		equal(t, pmp.log, "add 0s", "add 40m0s", "remove 45m0s")
		equal(t, upnp.log, "add 0s", "add 20m0s", "add 40m0s")
		equal(t, b.lines(), "INF] TEST: The router forwards port 9333 to this node (UPnP); its address is 8.7.6.5",
			"INF] TEST: The router forwards port 9333 to this node (NAT-PMP); it doesn't tell its address")
	})
}

// TestFailures: the log line and the RPC have all reasons, on one line.
func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fakeProtocol{title: "NAT-PMP", reply: reply{err: errors.New("silent")}}, &fakeProtocol{title: "UPnP", reply: reply{err: errors.New("refused")}})
		synctest.Wait()
		if err := b.State().Err; err == nil || err.Error() != "NAT-PMP: silent; UPnP: refused" {
			t.Error(err)
		}
		b.stop()
	})
}

// TestBadGrant: port 0 is no port.
func TestBadGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.protocols = nil
		if _, err := b.add(t.Context(), zeroPort{}); err == nil {
			t.Error("no error")
		}
		b.stop()
	})
}

type zeroPort struct{ protocol }

func (zeroPort) add(context.Context, uint16) (grant, error) { return grant{lease: lease}, nil }

// TestShutdown: no router can hold up the end of the node.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakeProtocol{title: "UPnP", reply: reply{grant: grant{addr: public, lease: lease}}}
		b := newBench(t, p)
		time.Sleep(time.Minute)
		p.set(reply{hang: true})
		if took := b.stop(); took != removeTimeout {
			t.Errorf("the removal took %v", took)
		}
		p = &fakeProtocol{title: "UPnP", reply: reply{hang: true}}
		b = newBench(t, p)
		time.Sleep(time.Second)
		if took := b.stop(); took != 0 || len(b.lines()) != 0 {
			t.Errorf("an attempt went on for %v: %q", took, b.lines())
		}
	})
}

// TestHang: an attempt ends by itself.
func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, &fakeProtocol{title: "UPnP", reply: reply{hang: true}})
		time.Sleep(attemptTimeout + time.Second)
		if s := b.State(); !errors.Is(s.Err, context.DeadlineExceeded) {
			t.Errorf("%+v", s)
		}
		b.stop()
	})
}

// TestMapper goes all the way, with routers on this machine.
func TestMapper(t *testing.T) {
	t.Parallel()
	igd := newFakeIGD(t, ip1)
	pmp := newFakePMP(t, func([]byte) []byte { return []byte{0, 130, 0, 2} }) // refuses
	changes := make(chan Mapping, 1)
	m := New(Config{UPnP: true, NATPMP: true, Port: 9333, Local: netip.IPv4Unspecified(), OnChange: func(m Mapping) { changes <- m }})
	if len(m.protocols) != 2 || m.protocols[0].name() != "NAT-PMP" {
		t.Fatal(m.protocols)
	}
	m.protocols = []protocol{pmp.protocol(9333), igd.protocol(9333)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	if got := <-changes; got != (Mapping{"UPnP", 9333, public}) || igd.mapped("9333") == nil {
		t.Error(got)
	}
	cancel()
	if err := <-done; err != nil || igd.mapped("9333") != nil {
		t.Errorf("%v, still mapped: %v", err, igd.mapped("9333"))
	}
}
