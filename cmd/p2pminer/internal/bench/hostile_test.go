package bench

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// script is a server that answers each line of a client as a function says; nil ends
// the connection.
type script func(line string, m message) []byte

// obedient answers as a good server does, with one job.
func obedient(_ string, m message) []byte {
	id := string(m.id)
	reply := func(result string) []byte {
		return []byte(`{"id":` + id + `,"result":` + result + `,"error":null}` + "\n")
	}
	switch string(m.method) {
	case `"mining.configure"`:
		return reply(`{"version-rolling":true,"version-rolling.mask":"1fffe000"}`)
	case `"mining.subscribe"`:
		return reply(`[[["mining.notify","s"]],"01020304",8]`)
	case `"mining.authorize"`:
		return append(reply("true"), `{"id":null,"method":"mining.set_difficulty","params":[1e-9]}
{"id":null,"method":"mining.notify","params":`+notifyParameters+"}\n"...)
	}
	return reply("true")
}

// listen runs a script.
func listen(t *testing.T, l net.Listener, s script) string {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go play(conn, s)
		}
	}()
	return l.Addr().String()
}

func play(conn net.Conn, s script) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		m, _ := scan(lines.Bytes())
		answer := s(lines.Text(), m)
		if answer == nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

func scripted(t *testing.T, s script) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listen(t, l, s)
}

// method makes a script that differs in one method.
func method(name string, answer func(m message) []byte) script {
	return func(line string, m message) []byte {
		if string(m.method) == `"mining.`+name+`"` {
			return answer(m)
		}
		return obedient(line, m)
	}
}

func always(text string) func(message) []byte { return func(message) []byte { return []byte(text) } }

// Servers that do not let anybody in: each reason is counted, and the run ends.
func TestNoLogin(t *testing.T) {
	for want, s := range map[string]script{
		"the server does not speak Stratum":                func(string, message) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") },
		"closed by the server":                             func(string, message) []byte { return nil },
		"an answer to subscribe that cannot be understood": method("subscribe", always(`{"id":2,"result":[1]}`+"\n")),
		"subscribe: full":                                  method("subscribe", always(`{"id":2,"result":null,"error":[20,"full",null]}`+"\n")),
		"no such address":                                  method("authorize", always(`{"id":4,"result":false,"error":[24,"no such address",null]}`+"\n")),
		"a difficulty that is not a positive number":       method("authorize", always(`{"method":"mining.set_difficulty","params":[-1]}`+"\n")),
		"a message with parameters that are not a list":    method("authorize", always(`{"method":"mining.notify","params":{}}`+"\n")),
		errNotify.Error():                                  method("authorize", always(`{"method":"mining.notify","params":[1,2,3,4,5,6,7,8,9]}`+"\n")),
		"the server asked to reconnect":                    method("authorize", always(`{"method":"client.reconnect","params":[]}`+"\n")),
		"an extranonce of no use":                          method("authorize", always(`{"method":"mining.set_extranonce","params":["00",99]}`+"\n")),
		"the server sends a line without end":              method("configure", always(strings.Repeat("x", maxLine+1))),
		"timed out waiting for the answer to configure":    func(string, message) []byte { return []byte{} },
		"timed out waiting for the answer to authorize":    method("authorize", always(`{"id":99,"result":true}`+"\n")),
		"timed out waiting for a job":                      method("authorize", always(`{"id":4,"result":true}`+"\n")),
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			cfg := small(Submit, scripted(t, s))
			cfg.Connections = 5
			silent := strings.HasPrefix(want, "timed out")
			if silent {
				cfg.Timeout = 300 * time.Millisecond
			}
			rep := mustRun(t, cfg)
			l := rep.Logins
			if l.Succeeded != 0 || l.Failed[want] != 5 || (l.TimedOut == 5) != silent || rep.Submits.Sent != 0 {
				t.Errorf("%+v", l)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, secure := range []bool{false, true} {
		cfg := small(Idle, l.Addr().String())
		cfg.TLS = secure
		if rep := mustRun(t, cfg); rep.Logins.Succeeded != 0 || len(rep.Logins.Failed) != 1 ||
			!strings.Contains(strings.Join(slices.Collect(maps.Keys(rep.Logins.Failed)), ""), "refused") {
			t.Errorf("%+v", rep.Logins)
		}
	}
}

// Servers that misbehave once the clients are in.
func TestBadAnswers(t *testing.T) {
	pings := []byte(`{"id":7,"method":"mining.ping","params":[]}` + "\n")
	for name, c := range map[string]struct {
		answer func(message) []byte
		good   func(s *Submits, rep *Report) bool
	}{
		"silent": {always("\n"), func(s *Submits, _ *Report) bool { return s.Answered == 0 && s.Unanswered == s.Sent }},
		"gone": {func(message) []byte { return nil }, func(s *Submits, rep *Report) bool {
			return s.Unanswered == s.Sent && rep.Lost["closed by the server"]+rep.Lost["connection reset by peer"]+rep.Lost["broken pipe"] == 5
		}},
		"twice": {func(m message) []byte { return bytes.Repeat(obedient("", m), 2) }, func(s *Submits, _ *Report) bool {
			return s.Accepted == s.Sent && s.Answered == s.Sent
		}},
		"refusing": {func(m message) []byte {
			return []byte(`{"id":` + string(m.id) + `,"result":null,"error":[23,"high-hash",null]}` + "\n")
		}, func(s *Submits, _ *Report) bool { return s.Rejected["high-hash"] == s.Sent && s.Accepted == 0 }},
		"talking": {func(m message) []byte {
			return slices.Concat(pings, []byte(`{"method":"client.show_message","params":["hello"]}`+"\n"), obedient("", m))
		}, func(s *Submits, rep *Report) bool { return s.Accepted == s.Sent && rep.Messages["hello"] > 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := small(Submit, scripted(t, method("submit", c.answer)))
			cfg.Connections, cfg.Timeout, cfg.Rate = 5, 300*time.Millisecond, 200
			rep := mustRun(t, cfg)
			if s := rep.Submits; s.Sent == 0 || !c.good(s, rep) {
				t.Errorf("%+v, lost %v", s, rep.Lost)
			}
		})
	}
}

// A server that stops answering is found out at a rate: what is due is not quietly
// left out.
func TestHeldBack(t *testing.T) {
	cfg := small(Submit, scripted(t, method("submit", always("\n"))))
	cfg.Connections, cfg.Threads, cfg.Timeout, cfg.Rate = 1, 1, 100*time.Millisecond, 2000
	rep := mustRun(t, cfg)
	if s := rep.Submits; s.Sent != MaxDepth || s.Unanswered != MaxDepth || s.HeldBack == 0 || rep.Limit != LimitServer {
		t.Errorf("%+v, limit %s", s, rep.Limit)
	}
}

// Answers may come in another order.
func TestReversedAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		var kept [][]byte
		play(conn, func(line string, m message) []byte {
			answer := obedient(line, m)
			if string(m.method) != `"mining.submit"` {
				return answer
			}
			if kept = append(kept, answer); len(kept) < 3 {
				return []byte{}
			}
			slices.Reverse(kept)
			answer, kept = slices.Concat(kept...), nil
			return answer
		})
	}()
	cfg := small(Submit, l.Addr().String())
	cfg.Connections, cfg.Depth = 1, 3
	if rep := mustRun(t, cfg); rep.Submits.Sent < 6 || rep.Submits.Accepted < rep.Submits.Sent-2 {
		t.Errorf("%+v", rep.Submits)
	}
}

// The other way of I/O: TLS, with a certificate that nobody signed.
func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	addr := listen(t, l, obedient)
	for _, mode := range []Mode{Submit, Slow, Cycle} {
		cfg := small(mode, addr)
		cfg.TLS, cfg.Rate, cfg.Connections, cfg.Sources = true, 300, 16, 2
		rep := mustRun(t, cfg)
		allAccepted(t, rep, map[Mode]uint64{Submit: 16, Slow: 16 + defaultSlowReaders, Cycle: 10}[mode])
	}
}
