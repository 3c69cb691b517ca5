package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	// mobFoes is the number of attackers for each of mobTypes: 100 hostile peers for 114
	// slots.
	mobFoes = 10
	// mobHonest is the number of honest nodes that the victim has dialed.
	mobHonest = 8
	// mobDelay is how far away they are: half of a round trip to another continent.
	mobDelay = 100 * time.Millisecond
	// mobRate is what each attacker can send and receive in a second: together they fill
	// a link of 800 Mbit/s.
	mobRate = 1 << 20
	// Times of the measurement before and of the attack.
	mobBaseline = 1500 * time.Millisecond
	mobAttack   = 3 * time.Second
)

// mobTypes are the attacks that are carried out at once.
var mobTypes = []string{
	"garbage", "huge length", "slowloris", "decoys without end", "inv flood", "addr flood", "getshares flood",
	"unknown-parent flood", "shares that pay somebody else", "all work of the world, invented ids",
}

// allAttacks returns every attack on a connection or with one.
func allAttacks() []attack {
	return slices.Concat(handshakeAttacks, floodAttacks, uploadAttacks, shareAttacks, syncAttacks, txAttacks, crowdAttacks)
}

// TestHostileMob: a hundred hostile peers attack in ten ways at once. Eight honest
// nodes, as far away as nodes are on the Internet, get and give shares as fast as
// before, up to twice the time, and no connection with them ends.
func TestHostileMob(t *testing.T) {
	noLeaks(t)
	s := newSiege(t)
	s.single = true
	s.befriend(t, mobHonest)
	for attempt := 1; ; attempt++ {
		r := s.mob(t)
		slow := s.judge(t, r)
		ratio := float64(rank(r.during.shares, 0.95)) / float64(rank(r.before.shares, 0.95))
		if ratio > serviceRatio && !raceDetector {
			slow = append(slow, fmt.Sprintf("p95 of shares is %.2f times what it was", ratio))
		}
		t.Logf("%d hostile peers, %d attacks at once, %d honest nodes %v away: shares p50 %s, p95 %s; before %s, %s: ratio %.2f; 0 honest connections lost; %s",
			mobFoes*len(mobTypes), len(mobTypes), mobHonest, mobDelay, ms(rank(r.during.shares, 0.5)), ms(rank(r.during.shares, 0.95)),
			ms(rank(r.before.shares, 0.5)), ms(rank(r.before.shares, 0.95)), ratio, r.describe(attack{}))
		if len(slow) == 0 || t.Failed() {
			return
		}
		if attempt == serviceAttempts {
			t.Fatal(slow)
		}
	}
}

// mob measures the peace before and the attack of all at once.
func (s *siege) mob(t *testing.T) result {
	s.journal.reset()
	s.door.taken.Store(0)
	p, err := s.newProber()
	if err != nil {
		t.Fatal(err)
	}
	lives := make(map[string]func(*foe))
	for _, a := range allAttacks() {
		if slices.Contains(mobTypes, a.name) {
			lives[a.name] = a.arm(s)
		}
	}
	idle, since := spent(false), time.Now()
	peace, cancel := context.WithTimeout(t.Context(), mobBaseline)
	before, err := s.serve(peace, p, pingsInPeace, mobBaseline)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	quiet := float64(spent(false).cpu-idle.cpu) / float64(time.Since(since))
	honest, goroutines := s.honestPeers(), runtime.NumGoroutine()
	begun := time.Now()
	start, heap := spent(true), watchHeap(t)

	war, cease := context.WithCancel(t.Context())
	defer cease()
	var wg sync.WaitGroup
	tally := new(tally)
	for i := range mobFoes * len(mobTypes) {
		f := &foe{siege: s, ctx: war, n: i, host: hostAt(s.groups, 1), tally: tally, wg: &wg, rate: mobRate, rng: rand.New(rand.NewPCG(uint64(i), 9))}
		s.groups++
		wg.Go(func() { lives[mobTypes[i%len(mobTypes)]](f) })
	}
	timed, stop := context.WithTimeout(war, mobAttack)
	during, err := s.serve(timed, p, pingsInAttack, mobAttack)
	stop()
	if err != nil {
		t.Error(err)
	}
	r := result{foes: mobFoes * len(mobTypes), lasted: time.Since(begun), peace: quiet, before: before, during: during, tally: tally, heap: heap() - start.live,
		cpu:   float64(spent(false).cpu-start.cpu) / float64(time.Since(begun)),
		taken: s.door.taken.Load(), ends: s.journal.endings(hostNone), loud: s.journal.loudLines()}
	if got := s.honestPeers(); !slices.Equal(got, honest) {
		t.Errorf("honest connections %v, before the attack %v", got, honest)
	}
	cease()
	wg.Wait()
	p.conn.Close()
	s.aftermath(goroutines)
	return r
}

// befriend starts honest nodes that the victim dials, over links with a delay.
func (s *siege) befriend(t *testing.T, nodes int) {
	t.Helper()
	for range nodes {
		n := s.startWith(t.TempDir(), s.prepare)
		n.peers.SetTemplate(s.carry.txs)
		s.honest = append(s.honest, n)
		if err := s.victim.peers.AddNode(delayed(t, n.addr(), mobDelay)); err != nil {
			t.Fatal(err)
		}
	}
	s.synced()
	s.warmUp(t)
}

// delayed returns an address whose connections lead to another one, with a delay each
// way.
func delayed(t *testing.T, to string, d time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			stop := context.AfterFunc(ctx, func() { near.Close(); far.Close() })
			wg.Go(func() { defer stop(); lag(far, near, d) })
			wg.Go(func() { lag(near, far, d) })
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); wg.Wait() })
	return l.Addr().String()
}

// lag copies what comes, each piece d later, and closes both ends at the end.
func lag(dst io.WriteCloser, src io.ReadCloser, d time.Duration) {
	type piece struct {
		b  []byte
		at time.Time
	}
	const most = 1_000 // pieces on the way
	way := make(chan piece, most)
	go func() {
		defer close(way)
		for {
			b := make([]byte, 32<<10)
			n, err := src.Read(b)
			if err != nil {
				return
			}
			way <- piece{b[:n], time.Now().Add(d)}
		}
	}()
	for p := range way {
		time.Sleep(time.Until(p.at))
		dst.Write(p.b) // after an error only the end is waited for
	}
	dst.Close()
	src.Close()
}
