package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/p2poold/p2poold/p2p/message"
)

// service is what honest peers get.
type service struct {
	shares []time.Duration // from a share's discovery to another node having it
	pings  []time.Duration // round trips
}

// rank returns the p-th part of the sorted values, 0 if there are none.
func rank(list []time.Duration, p float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	list = slices.Sorted(slices.Values(list))
	return list[min(int(p*float64(len(list))), len(list)-1)]
}

// serve has the victim and an honest node find shares in turn until ctx is done, and a
// stranger send pings, so many.
func (s *siege) serve(ctx context.Context, p *prober, pings int, d time.Duration) (got service, err error) {
	const pause = 10 * time.Millisecond
	var wg sync.WaitGroup
	var pingErr error
	wg.Go(func() { got.pings, pingErr = p.run(ctx, pings, d) })
	for i := 0; ctx.Err() == nil && err == nil; i++ {
		from, to := s.victim, s.honest
		if i%2 == 1 {
			who := i / 2 % len(s.honest)
			from, to = s.honest[who], []*joinNode{s.victim}
		}
		var took []time.Duration
		took, err = s.deliver(from, to...)
		got.shares = append(got.shares, took...)
		if err == nil {
			s.level()
		}
		time.Sleep(pause)
	}
	wg.Wait()
	return got, errors.Join(err, pingErr)
}

// prober is an honest stranger: a connection that only sends pings.
type prober struct {
	conn net.Conn
	r    *message.Reader
	s    *siege
	took time.Duration // until the handshake was done
}

// newProber connects from an address group of its own.
func (s *siege) newProber() (*prober, error) {
	host := honestAt(s.strangers)
	s.strangers++
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	conn, err := dialFrom(host)(ctx, "tcp", s.victim.addr())
	if err != nil {
		return nil, err
	}
	p := &prober{conn: conn, r: message.NewReader(conn, s.params.Magic), s: s}
	_ = conn.SetDeadline(time.Now().Add(pingTimeout))
	_, err = conn.Write(s.frames(&message.Version{
		Protocol: message.ProtocolVersion, Nonce: rand.Uint64(), ChainID: s.params.ChainID, UserAgent: "/stranger/",
	}))
	for _, reply := range []message.Message{&message.VerAck{}, nil} {
		if err == nil {
			_, err = p.r.Next()
		}
		if err == nil && reply != nil {
			_, err = conn.Write(s.frames(reply))
		}
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("an honest stranger gets no connection: %w", err)
	}
	p.took = time.Since(begun)
	return p, nil
}

// pingTimeout is when a ping counts as lost.
const pingTimeout = 5 * time.Second

// run sends n pings spread over a time, less if ctx is done before.
func (p *prober) run(ctx context.Context, n int, over time.Duration) (trips []time.Duration, err error) {
	ticker := time.NewTicker(max(time.Millisecond, over/time.Duration(n)))
	defer ticker.Stop()
	for range n {
		trip, err := p.ping()
		if err != nil {
			return trips, fmt.Errorf("an honest stranger's ping: %w", err)
		}
		trips = append(trips, trip)
		select {
		case <-ctx.Done():
			return trips, nil
		case <-ticker.C:
		}
	}
	return trips, nil
}

// ping returns one round trip. Whatever else comes is passed over.
func (p *prober) ping() (time.Duration, error) {
	nonce := rand.Uint64()
	_ = p.conn.SetDeadline(time.Now().Add(pingTimeout))
	begun := time.Now()
	if _, err := p.conn.Write(p.s.frames(&message.Ping{Nonce: nonce})); err != nil {
		return 0, err
	}
	for {
		m, err := p.r.Next()
		if err != nil {
			return 0, err
		}
		if pong, ok := m.(*message.Pong); ok && pong.Nonce == nonce {
			return time.Since(begun), nil
		}
	}
}

// cost is what the process has used.
type cost struct {
	live int64         // bytes of the heap that were reachable at the last collection
	cpu  time.Duration // of all threads; 0 where the system does not tell
}

// spent reads the costs. collect makes what is live that of now.
func spent(collect bool) cost {
	if collect {
		runtime.GC()
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return cost{int64(sample[0].Value.Uint64()), processorTime()}
}

// processorTime returns what Linux says of this process, to 10 ms.
func processorTime() time.Duration {
	const tick = 10 * time.Millisecond
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may have spaces
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * tick
}

// watchHeap returns a function that ends the watch and returns the most that was live.
func watchHeap(t *testing.T) func() int64 {
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var peak int64
	wg.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				peak = max(peak, spent(false).live)
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(wg.Wait)
	return func() int64 {
		stop()
		wg.Wait()
		return max(peak, spent(true).live)
	}
}

const mib = 1 << 20

// inMiB words a number of bytes.
func inMiB(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/mib) }

// ms words a duration.
func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
