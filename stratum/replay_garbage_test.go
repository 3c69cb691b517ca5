package stratum

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What no client should send.

// TestGarbageEndsNothing: lines that are malformed, of the wrong types, or hold impossible
// numbers, are answered or ignored, and the session goes on.
func TestGarbageEndsNothing(t *testing.T) {
	s := newTestSession(t)
	deep := strings.Repeat("[", 8000) + strings.Repeat("]", 8000)
	huge := "1" + strings.Repeat("0", 10_000)
	for _, line := range []string{
		`{`, `}`, `[]`, `null`, `"x"`, `1`, `{]`, `{"id":1,}`, `{"id":1 "method":"a"}`, `{"method":{}}`, `{"id":1,"method":1}`, `{"id":1,"method":["a"]}`,
		`{"params":[` + deep + `]}`, `{"id":` + deep + `,"method":"mining.ping"}`, `{"id":1,"method":"mining.submit","params":` + deep + `}`,
		`{"id":1,"method":"mining.submit","params":[[],{},1,true,null,-1]}`, `{"id":1,"method":"mining.submit","params":["x","10",5,6,7]}`,
		`{"id":1,"method":"mining.submit","params":["x","-10","0000000000000001","00000000","00000000"]}`,
		`{"id":1,"method":"mining.submit","params":["x","99999999999999999999","0000000000000001","00000000","00000000"]}`,
		`{"id":1,"method":"mining.submit","params":["x","10","000000000000000g","386d4380","00000000"]}`,
		`{"id":1,"method":"mining.submit","params":["x","10","0000000000000001","386d43800","00000000"]}`,
		`{"id":1,"method":"mining.submit","params":["x","10","0000000000000001","386d4380",""]}`,
		`{"id":1,"method":"mining.submit","params":["x","10","0000000000000001","386d4380","-1"]}`,
		`{"id":1,"method":"mining.submit","params":["x","10","0000000000000001","386d4380","00000000","fffffffff"]}`,
		`{"id":1,"method":"mining.suggest_difficulty","params":[` + huge + `]}`, `{"id":1,"method":"mining.suggest_difficulty","params":[-` + huge + `]}`,
		`{"id":1,"method":"mining.suggest_difficulty","params":[1e-400]}`, `{"id":1,"method":"mining.suggest_difficulty","params":[[]]}`,
		`{"id":1,"method":"mining.suggest_difficulty(1e999)","params":[]}`, `{"id":1,"method":"mining.suggest_difficulty(","params":[]}`,
		`{"id":1,"method":"mining.suggest_target","params":["` + strings.Repeat("0", 64) + `"]}`, `{"id":1,"method":"mining.suggest_target","params":[0]}`,
		`{"id":1,"method":"mining.configure","params":[{},[]]}`, `{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"` + huge + `"}]}`,
		`{"id":1,"method":"mining.authorize","params":[{"a":1},[]]}`, `{"id":1,"method":"mining.authorize","params":["` + huge + `"]}`,
		`{"id":1,"method":"mining.subscribe","params":[["x"],-1]}`, `{"id":` + huge + `,"method":"mining.ping"}`,
		"{\"id\":1,\"method\":\"mining.ping\xff\xfe\"}", "\x00\x01\x02\x16\x03\x01", "\xff\xff\xff\xff", "{\"id\":\"\x7f\xc3\x28\",\"method\":\"mining.ping\"}",
		`{"id":1,"method":"mining.ping","id":2}`, `{"\u0069d":1,"method":"mining.ping"}`, "GET / HTTP/1.1", "\r", " \t ",
	} {
		ask(t, s, line)
	}
	// It still mines.
	j := s.jobs.newest()
	for nonce := uint32(0); ; nonce++ {
		got := ask(t, s, fmt.Sprintf(`{"id":4,"method":"mining.submit","params":["x","%x","0000000000000001","%08x","%08x"]}`, j.id, j.ntime, nonce))
		if got == accepted+"\n" {
			break
		}
		if !strings.Contains(got, "high-hash") {
			t.Fatal(got)
		}
	}
}

// TestGigabyteLine: a line without an end is read no further than the limit.
func TestGigabyteLine(t *testing.T) {
	scene(t, newFakeWork(0, hard), nil, func(t *testing.T, h *harness, c *client) {
		written := make(chan int)
		go func() {
			sum, chunk := 0, bytes.Repeat([]byte("{"), 4096)
			for sum < 1<<30 {
				n, err := c.conn.Write(chunk)
				sum += n
				if err != nil {
					break
				}
			}
			written <- sum
		}()
		c.want(`{"id":null,"result":null,"error":[20,"line longer than 16384 bytes",null]}`)
		if n := <-written; n > MaxLine+4096 {
			t.Errorf("%d bytes were read", n)
		}
		synctest.Wait()
		if n := h.server.Connections(); n != 0 {
			t.Errorf("%d connections", n)
		}
	})
}

// FuzzSession: whatever lines come in whatever packets, what goes out are whole objects, and
// each request with an id is answered once, in order.
func FuzzSession(f *testing.F) {
	f.Add([]byte("{\"id\":1,\"method\":\"mining.subscribe\"}\n{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"x\",\"d=5,class=36\"]}\n"), uint16(7))
	f.Add([]byte("{\"id\":0,\"method\":\"mining.configure\",\"params\":[[\"version-rolling\",\"minimum-difficulty\"],{\"minimum-difficulty.value\":1}]}\r\n"), uint16(0))
	f.Add([]byte("{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\""+regtestAddr+"+5\",\"md=7\"]}\n{\"id\":3,\"method\":\"mining.subscribe\",\"params\":[\"NiceHash/1\"]}\n{\"id\":4,\"method\":\"mining.submit\",\"params\":[\"x\",\"10\",\"0000000000000001\",\"386d4380\",\"00000000\"]}\n"), uint16(100))
	f.Fuzz(func(t *testing.T, data []byte, packet uint16) {
		server := newTestSession(t)
		s := newSession(server.deps, server.out, 2, time.Now())
		lines := newLineReader(&packets{data, int(packet%512) + 1})
		var ids []string
		for {
			line, err := lines.next()
			if err != nil {
				break
			}
			if req, err := parseRequest(line); len(bytes.TrimSpace(line)) > 0 && err == nil && req.id != nil && len(req.method) > 0 {
				ids = append(ids, string(req.id))
			}
			s.messages.tokens, s.junk.tokens = messageBurst, junkBurst
			if _, err := s.handle(t.Context(), line, time.Now()); err != nil {
				t.Fatal(err)
			}
			if !lines.buffered() {
				s.flush(time.Now())
			}
			s.tick(time.Now())
			answered(t, s, &ids)
		}
		if len(ids) > 0 && !strings.Contains(string(data), "pong") {
			t.Fatalf("unanswered: %q", ids)
		}
	})
}

// packets reads data in pieces.
type packets struct {
	data []byte
	size int
}

func (p *packets) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, fmt.Errorf("end")
	}
	n := copy(b[:min(len(b), p.size)], p.data)
	p.data = p.data[n:]
	return n, nil
}

// answered takes the ids that were answered off the list.
func answered(t *testing.T, s *session, ids *[]string) {
	for line := range bytes.Lines(s.out.pending) {
		if !json.Valid(line) {
			t.Fatalf("sent %q", line)
		}
		if rest, ok := bytes.CutPrefix(line, []byte(`{"id":`)); ok && len(*ids) > 0 && bytes.HasPrefix(rest, []byte((*ids)[0]+`,"result":`)) {
			*ids = (*ids)[1:]
		}
	}
	s.out.pending = s.out.pending[:0]
}
