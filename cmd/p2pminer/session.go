package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/cmd/p2pminer/internal/pow"
)

// Limits and times of a session.
const (
	// maxLine bounds what the server may send in one line: two bytes for each of
	// the largest coinbase, and the rest.
	maxLine = 2*maxCoinbase + 64<<10
	// silence is how long the server may say nothing.
	silence = 2 * time.Minute
	// handshakeTimeout bounds the wait for each answer of the handshake.
	handshakeTimeout = 30 * time.Second
	writeTimeout     = 30 * time.Second
	// answerTimeout is how long a solution waits for a slot before the server is
	// taken for dead.
	answerTimeout = time.Minute
	// maxPending is how many submissions may wait for their answer.
	maxPending = 32
)

// Ids of the handshake's requests; submissions count on from there.
const (
	idConfigure = iota + 1
	idSubscribe
	idAuthorize
	idFirstSubmit
)

// message is anything that the server sends.
type message struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
	Result json.RawMessage   `json:"result"`
	Error  json.RawMessage   `json:"error"`
}

// session is one connection to the server.
type session struct {
	client *client
	conn   net.Conn
	lines  *bufio.Reader
	closed chan struct{}
	worked bool // a job has come

	// What the server has set; only the reader touches it.
	extranonce1     []byte
	extranonce2Size int
	mask            uint32
	difficulty      float64
	era             uint64 // counts the clean jobs

	slots  chan struct{} // one for each submission without answer
	nextID atomic.Uint64

	writeMu sync.Mutex
	pending sync.Map // id of a submission (uint64) → struct{}; at most maxPending
}

func newSession(c *client, conn net.Conn) *session {
	s := &session{
		client: c, conn: conn, lines: bufio.NewReader(conn),
		closed: make(chan struct{}), slots: make(chan struct{}, maxPending),
		difficulty: 1, // until the server says otherwise
	}
	s.nextID.Store(idFirstSubmit)
	return s
}

// close releases miners that wait in submit.
func (s *session) close() { close(s.closed) }

// run does the handshake and then what the server says. It returns why the
// session ended, never nil.
func (s *session) run() error {
	if err := s.handshake(); err != nil {
		return err
	}
	for {
		s.conn.SetReadDeadline(time.Now().Add(silence))
		m, err := s.read()
		if err != nil {
			return err
		}
		if err := s.handle(m); err != nil {
			return err
		}
	}
}

// handshake sends each request after the answer to the one before.
func (s *session) handshake() error {
	cfg := s.client.cfg
	configured, err := s.call(idConfigure, "mining.configure", []string{"version-rolling"},
		map[string]any{"version-rolling.mask": "ffffffff", "version-rolling.min-bit-count": 1})
	if err != nil {
		return err
	}
	s.configure(configured)

	subscribed, err := s.call(idSubscribe, "mining.subscribe", userAgent)
	if err != nil {
		return err
	}
	if err := s.subscribe(subscribed); err != nil {
		return err
	}

	authorized, err := s.call(idAuthorize, "mining.authorize", cfg.user, cfg.pass)
	if err != nil {
		return err
	}
	if reason := failure(authorized); reason != "" {
		return fmt.Errorf("%w: %s", errRefused, reason)
	}
	s.client.out.printf("Connected to %s", cfg.addr)
	return nil
}

// call sends a request and waits for its answer. Other messages on the way are
// handled.
func (s *session) call(id uint64, method string, params ...any) (*message, error) {
	if err := s.write(map[string]any{"id": id, "method": method, "params": params}); err != nil {
		return nil, err
	}
	s.conn.SetReadDeadline(time.Now().Add(handshakeTimeout))
	for {
		m, err := s.read()
		if err != nil {
			return nil, fmt.Errorf("no answer to %s: %w", method, err)
		}
		if m.Method == "" && string(m.ID) == strconv.FormatUint(id, 10) {
			return m, nil
		}
		if err := s.handle(m); err != nil {
			return nil, err
		}
	}
}

// configure takes the version mask, if the server knows BIP 310.
func (s *session) configure(m *message) {
	var result struct {
		Rolling any    `json:"version-rolling"`
		Mask    string `json:"version-rolling.mask"`
	}
	if json.Unmarshal(m.Result, &result) != nil || result.Rolling != true {
		return
	}
	s.setMask(result.Mask)
}

func (s *session) setMask(text string) {
	if mask, err := strconv.ParseUint(text, 16, 32); err == nil {
		s.mask = uint32(mask)
	}
}

// subscribe takes the extranonce.
func (s *session) subscribe(m *message) error {
	if reason := failure(m); reason != "" {
		return fmt.Errorf("subscribe: %s", reason)
	}
	var result []json.RawMessage
	if err := json.Unmarshal(m.Result, &result); err != nil || len(result) < 3 {
		return errors.New("the answer to subscribe is not a list of three")
	}
	return s.setExtranonce(result[1], result[2])
}

func (s *session) setExtranonce(rawPrefix, rawSize json.RawMessage) error {
	var prefix string
	var size int
	if err := errors.Join(json.Unmarshal(rawPrefix, &prefix), json.Unmarshal(rawSize, &size)); err != nil {
		return fmt.Errorf("extranonce: %w", err)
	}
	extranonce1, err := hex.DecodeString(prefix)
	if err != nil || len(extranonce1) > maxExtranonce1 || size < 1 || size > maxExtranonce2 {
		return fmt.Errorf("extranonce %q with %d bytes for the miner is of no use", printable(prefix), size)
	}
	s.extranonce1, s.extranonce2Size = extranonce1, size
	return nil
}

// failure returns the text of a negative answer, "" for a positive one.
func failure(m *message) string {
	if e := bytes.TrimSpace(m.Error); len(e) > 0 && string(e) != "null" {
		var list []any
		if json.Unmarshal(e, &list) == nil && len(list) > 1 {
			return printable(fmt.Sprint(list[1]))
		}
		return printable(string(e))
	}
	if r := string(bytes.TrimSpace(m.Result)); r == "false" || r == "null" || r == "" {
		return "refused without a reason"
	}
	return ""
}

// read returns the next message.
func (s *session) read() (*message, error) {
	var line []byte
	for {
		part, err := s.lines.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, errors.New("the server sends a line without end")
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, fmt.Errorf("connection lost: %w", err)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			break
		}
	}
	m := new(message)
	if err := json.Unmarshal(line, m); err != nil {
		return nil, fmt.Errorf("the server does not speak Stratum: %w", err)
	}
	return m, nil
}

// write sends one message as a line.
func (s *session) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	s.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err = s.conn.Write(append(line, '\n'))
	return err
}

// handle does what a message says.
func (s *session) handle(m *message) error {
	out := s.client.out
	switch m.Method {
	case "":
		s.answered(m)
	case "mining.notify":
		return s.notify(m.Params)
	case "mining.set_difficulty":
		return s.setDifficulty(m.Params)
	case "mining.set_extranonce":
		if len(m.Params) >= 2 {
			return s.setExtranonce(m.Params[0], m.Params[1])
		}
	case "mining.set_version_mask":
		var mask string
		if len(m.Params) > 0 && json.Unmarshal(m.Params[0], &mask) == nil {
			s.setMask(mask)
		}
	case "client.show_message":
		var text string
		if len(m.Params) > 0 && json.Unmarshal(m.Params[0], &text) == nil {
			out.problemf("Message from the server: %s", printable(text))
		}
	case "client.reconnect":
		return errors.New("the server asks to reconnect")
	case "client.get_version":
		return s.write(map[string]any{"id": m.ID, "result": userAgent, "error": nil})
	case "mining.ping", "client.ping":
		return s.write(map[string]any{"id": m.ID, "result": "pong", "error": nil})
	}
	return nil
}

// setDifficulty takes the difficulty for the jobs to come.
func (s *session) setDifficulty(params []json.RawMessage) error {
	var d float64
	if len(params) < 1 || json.Unmarshal(params[0], &d) != nil || !(d > 0) {
		return errors.New("the server sets a difficulty that is not a positive number")
	}
	s.difficulty = d
	return nil
}

// notify shows the new job to the miners.
func (s *session) notify(params []json.RawMessage) error {
	j, err := parseJob(params)
	if err != nil {
		return err
	}
	if s.extranonce1 == nil {
		return errors.New("a job came before the answer to subscribe")
	}
	s.worked = true
	if j.clean {
		s.era++
	}
	s.client.stats.setDifficulty(s.difficulty)
	s.client.board.show(&work{
		job: j, session: s, era: s.era,
		goal:        pow.NewGoal(target.FromDifficulty(s.difficulty)),
		extranonce1: s.extranonce1, extranonce2Size: s.extranonce2Size, mask: s.mask,
	})
	return nil
}
