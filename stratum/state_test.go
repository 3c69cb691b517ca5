package stratum

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/blockchain/share"
)

// someState has one worker and one session, whose values all differ.
func someState() *savedState {
	return &savedState{
		at: time.Unix(1_700_000_000, 0),
		workers: []savedWorker{{
			Address: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", Worker: "attic", UserAgent: "rig/1", Class: 36, LastSubmit: 1_699_999_990,
			Difficulty: 1024.5, Best: 2e6, BestSession: 1e6, Accepted: 7, Shares: 6, Stale: 5, Duplicate: 4, Low: 3, Invalid: 2,
			Since: 1_600_000_000, Rates: Hashrates{1e12, 2e12, 3e12, 4e12, 5e12}, Late: 1e13, LateRates: 3e13, LateBlocks: 17.5,
			Past: &savedPast{UserAgent: "rig/1", Difficulty: 1000, Class: 12, Lowered: true, At: 1_699_999_000},
		}},
		sessions: []savedSession{{
			ID: "5e5510ff00000001", Ended: 1_699_999_999, UserAgent: "rig/1", User: "x", Difficulty: 512,
			Settled: 511, Fixed: 510, Least: 1, Rank: byUser, Class: 12, ClassAsked: true, Lowered: true,
		}},
	}
}

func encoded(t testing.TB, s *savedState) []byte {
	t.Helper()
	b, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestStateRoundTrip: the file gives back what was saved, by way of workers and sessions,
// too.
func TestStateRoundTrip(t *testing.T) {
	want := someState()
	got, err := decodeState(encoded(t, want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v\n%+v\n%+v", err, got, want)
	}
	r := newRegistry(want.at)
	r.restore(got, &names{params: &chaincfg.RegressionNetParams}, want.at)
	p := newParking(newAllocator(), 10)
	if n := p.restore(got.sessions, want.at); n != 1 {
		t.Errorf("%d sessions", n)
	}
	again := &savedState{at: want.at, workers: r.save(want.at), sessions: p.save()}
	if !reflect.DeepEqual(again, want) {
		t.Errorf("\n%+v\n%+v", again, want)
	}
}

// TestStateRestored: what is not restored, and that nothing is of the future.
func TestStateRestored(t *testing.T) {
	state := someState()
	for range 3 {
		state.workers = append(state.workers, state.workers[0])
		state.sessions = append(state.sessions, state.sessions[0])
	}
	state.workers[1].Worker = "cellar"
	state.workers[2].Address = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" // another network's
	state.workers[3].Address = "not an address"
	state.sessions[2].Ended -= 601
	r := newRegistry(state.at)
	r.restore(state, &names{params: &chaincfg.RegressionNetParams}, state.at.Add(-time.Hour))
	list := r.list(state.at.Add(-time.Hour))
	if len(list) != 2 || r.away.Len() != 2 || list[0].LastSubmit.After(state.at.Add(-time.Hour)) {
		t.Errorf("%+v", list)
	}
	p := newParking(newAllocator(), 10)
	if n := p.restore(state.sessions, state.at); n != 1 || len(p.parked) != 1 {
		t.Errorf("%d sessions", n)
	}
}

// TestStateDamaged: a file that is not as it was written is put aside with a message, and
// the server starts.
func TestStateDamaged(t *testing.T) {
	good := encoded(t, someState())
	flipped := bytes.Replace(good, []byte(`"accepted":7`), []byte(`"accepted":9`), 1)
	for name, content := range map[string][]byte{
		"empty": {}, "text": []byte("hello"), "cut": good[:len(good)-20], "flipped": flipped,
		"longer": append(bytes.Clone(good), "{}\n"...), "huge": make([]byte, maxStateFile+1),
		"newer":    bytes.Replace(good, []byte(`"version":1`), []byte(`"version":2`), 1),
		"one line": bytes.ReplaceAll(good, []byte("\n"), nil),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "miners.dat")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			logger := slog.NewBackend(&log).Logger("STRM")
			server, err := New(Config{Source: &fakeSource{}, Params: &chaincfg.RegressionNetParams, StateFile: path, Log: logger})
			if err != nil || len(server.Workers()) != 0 {
				t.Fatalf("%v, %d workers", err, len(server.Workers()))
			}
			if !strings.Contains(log.String(), "begin anew") || !strings.Contains(log.String(), path+".damaged") {
				t.Errorf("log: %s", log.String())
			}
			if kept, err := os.ReadFile(path + ".damaged"); err != nil || !bytes.Equal(kept, content) {
				t.Errorf("not kept: %v", err)
			}
			server.saveState(time.Now())
			if _, err := readState(path); err != nil {
				t.Errorf("saved anew: %v", err)
			}
		})
	}
}

// TestStateValues: values that no worker or session can have make a file damaged although
// its checksum is right.
func TestStateValues(t *testing.T) {
	for i, change := range []func(*savedWorker, *savedSession){
		func(w *savedWorker, _ *savedSession) { w.Class = 13 },
		func(w *savedWorker, _ *savedSession) { w.LastSubmit = -1 },
		func(w *savedWorker, _ *savedSession) { w.Since = math.MaxInt64 },
		func(w *savedWorker, _ *savedSession) { w.Rates[3] = -1 },
		func(w *savedWorker, _ *savedSession) { w.UserAgent = "a\nb" },
		func(w *savedWorker, _ *savedSession) { w.Worker = strings.Repeat("x", 300) },
		func(w *savedWorker, _ *savedSession) { w.Past.Class = 0 },
		func(w *savedWorker, _ *savedSession) { w.Past.Difficulty = 1e300 },
		func(_ *savedWorker, s *savedSession) { s.ID = "1" },
		func(_ *savedWorker, s *savedSession) { s.Difficulty = 0 },
		func(_ *savedWorker, s *savedSession) { s.Settled = 1e300 },
		func(_ *savedWorker, s *savedSession) { s.Rank = 17 },
		func(_ *savedWorker, s *savedSession) { s.User = strings.Repeat("x", 300) },
	} {
		s := someState()
		change(&s.workers[0], &s.sessions[0])
		if _, err := decodeState(encoded(t, s)); err == nil {
			t.Errorf("change %d is accepted", i)
		}
	}
}

// TestStateIsBounded: the largest state there can be is written such that it can be read.
func TestStateIsBounded(t *testing.T) {
	s := someState()
	w, e := s.workers[0], s.sessions[0]
	w.Worker, w.UserAgent = strings.Repeat("&", maxWorkerName), strings.Repeat("&", maxUserAgent)
	w.Past = &savedPast{UserAgent: w.UserAgent, Difficulty: 1.0 / 3, Class: 1152, At: 1 << 34}
	w.Best, w.Late, w.LateRates, w.LateBlocks = math.MaxFloat64/3, 1e300/3, 1e300/3, 1.0/3
	e.User, e.UserAgent = strings.Repeat("\x01", maxUsername), strings.Repeat("&", maxUserAgent)
	for range maxWorkers - 1 {
		s.workers = append(s.workers, w)
	}
	for range maxSavedSessions - 1 {
		s.sessions = append(s.sessions, e)
	}
	b := encoded(t, s)
	got, err := decodeState(b)
	if err != nil || len(b) > maxStateFile || len(got.workers) != maxWorkers || len(got.sessions) < 1000 {
		t.Fatalf("%v: %d bytes, %d workers, %d sessions", err, len(b), len(got.workers), len(got.sessions))
	}
}

// FuzzState: no file makes the loader fail otherwise than with an error, and what it
// accepts can be shown, saved and read again.
func FuzzState(f *testing.F) {
	good := encoded(f, someState())
	_, body, _ := bytes.Cut(good, []byte{'\n'})
	f.Add(body, 1, 1)
	f.Add([]byte("{}\n"), 1, 0)
	f.Add([]byte(`{"class":12,"rates":[1,2]}`+"\n"), 1, 0)
	f.Add([]byte(`{"id":"0000000000000000","class":12,"difficulty":1e308}`+"\n"), 0, 1)
	f.Fuzz(func(t *testing.T, body []byte, workers, sessions int) {
		now := time.Unix(1_700_000_000, 0)
		content := fmt.Appendf(nil, `{"version":1,"saved":1700000000,"workers":%d,"sessions":%d,"crc32":"%s"}`+"\n%s", workers, sessions, checksum(body), body)
		decodeState(body) // as it is, too
		state, err := decodeState(content)
		if err != nil {
			return
		}
		r, p := newRegistry(now), newParking(newAllocator(), 100)
		r.restore(state, &names{params: &chaincfg.RegressionNetParams}, now)
		p.restore(state.sessions, now)
		for _, w := range r.list(now) {
			for _, rate := range append(w.Hashrate[:], w.Difficulty, w.BestDifficulty, w.LatencyBlocks, w.DeadOnArrival()) {
				if math.IsNaN(rate) || rate < 0 {
					t.Errorf("%+v", w)
				}
			}
			if w.Latency < 0 || w.Class > share.Class1152 {
				t.Errorf("%+v", w)
			}
		}
		again := &savedState{at: now, workers: r.save(now), sessions: p.save()}
		if _, err := decodeState(encoded(t, again)); err != nil {
			t.Errorf("saved again: %v", err)
		}
	})
}
