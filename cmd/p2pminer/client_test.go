package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/cmd/p2pminer/internal/pow"
)

// genesisCoinbase is the coinbase of Bitcoin's first block.
const genesisCoinbase = "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"

// Bitcoin's first block, cut up as Stratum would: the last four bytes of the
// message in its input are the extranonce.
func TestGenesisBlock(t *testing.T) {
	coinbase, err := hex.DecodeString(genesisCoinbase)
	if err != nil {
		t.Fatal(err)
	}
	const at = 100
	j, err := parseJob(params(t, `["id","`+strings.Repeat("0", 64)+`","`+hex.EncodeToString(coinbase[:at])+`","`+
		hex.EncodeToString(coinbase[at+4:])+`",[],"00000001","1d00ffff","495fab29",true]`))
	if err != nil {
		t.Fatal(err)
	}
	w := &work{job: j, extranonce1: coinbase[at : at+2], extranonce2Size: 2}
	u := w.unit(uint64(coinbase[at+2])<<8 | uint64(coinbase[at+3]))
	u.header.SetNonce(2083236893)
	hash := chainhash.Hash(u.header.Hash())
	if hash.String() != "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f" {
		t.Errorf("hash %v", hash)
	}
	if n := testing.AllocsPerRun(100, func() { u.header.Hash() }); n != 0 {
		t.Errorf("%v allocations for a hash", n)
	}
	g := pow.NewGoal(target.FromDifficulty(2536.4))
	raw := [32]byte(hash)
	if !g.Met(&raw) {
		t.Error("genesis does not meet difficulty 2536.4")
	}
	if g := pow.NewGoal(target.FromDifficulty(2536.5)); g.Met(&raw) {
		t.Error("genesis meets difficulty 2536.5")
	}
}

// Units differ, whatever the sizes of extranonce and version mask, and the
// header agrees with Bitcoin's own serialisation.
func TestUnits(t *testing.T) {
	j, err := parseJob(params(t, testNotify("1", true)))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 4, 8, 12} {
		for _, mask := range []uint32{0, 0x1fffe000, 0x00006000, 0xffffffff} {
			w := &work{job: j, extranonce1: []byte{1, 2}, extranonce2Size: size, mask: mask}
			seen := make(map[string]bool)
			for n := range uint64(256) {
				u := w.unit(n)
				if len(u.extranonce2) != size || u.versionBits&^mask != 0 || seen[string(u.header[:])] {
					t.Fatalf("unit %d with extranonce2 %x, version bits %08x", n, u.extranonce2, u.versionBits)
				}
				seen[string(u.header[:])] = true
				var h wire.BlockHeader
				if err := h.Deserialize(bytes.NewReader(u.header[:])); err != nil {
					t.Fatal(err)
				}
				if uint32(h.Version)&^mask != j.version&^mask || h.PrevBlock != chainhash.Hash(j.prev) || h.Bits != j.bits {
					t.Fatalf("header %+v", h)
				}
			}
		}
	}
}

func params(t testing.TB, text string) []json.RawMessage {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// testNotify returns the parameters of a small job.
func testNotify(id string, clean bool) string {
	b, _ := json.Marshal([]any{id, strings.Repeat("0011223344556677", 4), "02000000", "00000000",
		[]string{strings.Repeat("ab", 32)}, "20000000", "207fffff", "386d4380", clean})
	return string(b)
}

func FuzzParseJob(f *testing.F) {
	f.Add([]byte(testNotify("1", true)))
	f.Add([]byte(`["", "", "zz", null, [1], {}, -1, 0.5, "true"]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var list []json.RawMessage
		if json.Unmarshal(data, &list) != nil {
			return
		}
		if j, err := parseJob(list); err == nil {
			(&work{job: j, extranonce2Size: 8}).unit(1)
		}
	})
}

// rig is a miner against a scripted server, on synctest's clock.
type rig struct {
	t      *testing.T
	conns  chan net.Conn
	out    *bytes.Buffer
	cancel context.CancelFunc
	done   chan error
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, conns: make(chan net.Conn), out: new(bytes.Buffer), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	cfg := &settings{addr: "test:3333", user: "rig", pass: "x", threads: 2, hashrate: 1000}
	out := newPrinter(r.out, r.out)
	go func() {
		r.done <- mineOn(ctx, cfg, out, func(ctx context.Context) (net.Conn, error) {
			select {
			case conn, open := <-r.conns:
				if !open {
					return nil, errors.New("refused by the test")
				}
				return conn, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
	}()
	return r
}

// stop ends the miner and returns what it printed.
func (r *rig) stop() string {
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Errorf("mine: %v", err)
	}
	return r.out.String()
}

// pool is the server's end of a connection.
type pool struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func (r *rig) accept() *pool {
	ours, theirs := net.Pipe()
	r.conns <- theirs
	return &pool{t: r.t, conn: ours, r: bufio.NewReader(ours)}
}

func (p *pool) send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// request reads one line and returns its id and parameters.
func (p *pool) request(method string) (id string, list []json.RawMessage) {
	p.t.Helper()
	line, err := p.r.ReadBytes('\n')
	if err != nil {
		p.t.Fatalf("waiting for %s: %v", method, err)
	}
	var m message
	if err := json.Unmarshal(line, &m); err != nil || m.Method != method {
		p.t.Fatalf("got %s, %v, want %s", line, err, method)
	}
	return string(m.ID), m.Params
}

func (p *pool) answer(id, result string) {
	p.t.Helper()
	p.send(`{"id":` + id + `,"result":` + result + `,"error":null}`)
}

func (p *pool) handshake() {
	p.t.Helper()
	id, _ := p.request("mining.configure")
	p.answer(id, `{"version-rolling":true,"version-rolling.mask":"1fffe000"}`)
	id, _ = p.request("mining.subscribe")
	p.answer(id, `[[["mining.notify","s"]],"01020304",8]`)
	id, _ = p.request("mining.authorize")
	p.answer(id, "true")
}

func (p *pool) job(id string, clean bool) {
	p.t.Helper()
	p.send(`{"id":null,"method":"mining.notify","params":` + testNotify(id, clean) + `}`)
}

func TestMinesAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		p := r.accept()
		p.handshake()
		p.send(`{"id":null,"method":"mining.set_difficulty","params":[0.00000001]}`) // some 43 hashes
		p.job("a", true)
		seen := make(map[string]bool)
		for i := range 6 {
			id, list := p.request("mining.submit")
			var fields []string
			for _, raw := range list {
				var s string
				if err := json.Unmarshal(raw, &s); err != nil {
					t.Fatal(err)
				}
				fields = append(fields, s)
			}
			if len(fields) != 6 || fields[0] != "rig" || fields[1] != "a" || len(fields[2]) != 16 ||
				fields[3] != "386d4380" || len(fields[4]) != 8 || len(fields[5]) != 8 || seen[strings.Join(fields, " ")] {
				t.Fatalf("submission %q", fields)
			}
			seen[strings.Join(fields, " ")] = true
			if i < 4 {
				p.answer(id, "true")
			} else {
				p.send(`{"id":` + id + `,"result":null,"error":[23,"high-hash",null]}`)
			}
		}
		// A ping is answered in between.
		p.send(`{"id":"ping","method":"mining.ping","params":[]}`)
		for {
			line, err := p.r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(line, `"pong"`) {
				break
			}
		}
		go io.Copy(io.Discard, p.r)
		time.Sleep(statusEvery)
		printed := r.stop()
		if !strings.Contains(printed, "accepted 4, rejected 2 (high-hash 2)") {
			t.Errorf("printed:\n%s", printed)
		}
	})
}

// A server that does not answer gets no more than maxPending submissions, and a
// clean job makes what waits worthless.
func TestBackPressureAndCleanJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		p := r.accept()
		p.handshake()
		p.send(`{"id":null,"method":"mining.set_difficulty","params":[4.6566128730774e-10]}`)
		p.job("a", true)
		var ids []string
		for range maxPending {
			id, _ := p.request("mining.submit")
			ids = append(ids, id)
		}
		p.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if b, err := p.r.ReadByte(); err == nil {
			t.Fatalf("more than %d submissions under way: %q", maxPending, b)
		}
		p.conn.SetReadDeadline(time.Time{})
		p.job("b", true)
		synctest.Wait()
		for _, id := range ids[:4] {
			p.answer(id, "true")
		}
		for range 4 {
			if _, list := p.request("mining.submit"); string(list[1]) != `"b"` {
				t.Fatalf("submission for job %s", list[1])
			}
		}
		go io.Copy(io.Discard, p.r)
		r.stop()
	})
}

func TestReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		p := r.accept()
		p.handshake()
		p.job("a", true)
		p.conn.Close()

		start := time.Now()
		p = r.accept()
		if waited := time.Since(start); waited != firstBackoff {
			t.Errorf("connected again after %v", waited)
		}
		id, _ := p.request("mining.configure")
		// A server without BIP 310.
		p.send(`{"id":` + id + `,"result":null,"error":[20,"unknown method",null]}`)
		id, _ = p.request("mining.subscribe")
		p.send("this is not JSON")
		_ = id

		// Failures in a row wait longer and longer.
		close(r.conns)
		time.Sleep(10 * time.Minute)
		printed := r.stop()
		for _, want := range []string{"connection lost", "does not speak Stratum", "next attempt in 30s"} {
			if !strings.Contains(printed, want) {
				t.Errorf("%q is missing in\n%s", want, printed)
			}
		}
	})
}

func TestRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		p := r.accept()
		id, _ := p.request("mining.configure")
		p.answer(id, `{"version-rolling":false}`)
		id, _ = p.request("mining.subscribe")
		p.answer(id, `[[],"01020304",8]`)
		id, _ = p.request("mining.authorize")
		p.send(`{"id":` + id + `,"result":false,"error":[24,"bad\u001b address",null]}`)
		err := <-r.done
		if !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "bad? address") {
			t.Errorf("error %v", err)
		}
	})
}

func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		p := r.accept()
		p.handshake()
		start := time.Now()
		p.r.ReadByte() // until the miner gives up
		if waited := time.Since(start); waited != silence {
			t.Errorf("gave up after %v", waited)
		}
		synctest.Wait() // for what it has to say of that
		if printed := r.stop(); !strings.Contains(printed, "next attempt") {
			t.Errorf("printed:\n%s", printed)
		}
	})
}

func TestEndlessLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		p := r.accept()
		go io.Copy(io.Discard, p.r)
		chunk := bytes.Repeat([]byte("x"), 1<<16)
		sent := 0
		for {
			n, err := p.conn.Write(chunk)
			sent += n
			if err != nil {
				break
			}
		}
		if sent > maxLine+2*len(chunk) {
			t.Errorf("the miner took %d bytes of one line", sent)
		}
		r.stop()
	})
}
