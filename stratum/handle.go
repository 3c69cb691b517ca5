package stratum

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// errTooMuchJunk ends a connection.
var errTooMuchJunk = errors.New("too many messages that make no sense")

// handle processes one line and queues the answer. An error ends the
// connection. The returned delay asks the reader to pause before the next line:
// that is how the rate is limited without losing anything.
func (s *session) handle(ctx context.Context, line []byte, now time.Time) (time.Duration, error) {
	s.mu.Lock()
	s.lastHeard = now
	delay := s.messages.spend(now)
	s.mu.Unlock()
	if len(bytes.TrimSpace(line)) == 0 {
		return delay, nil
	}

	req, err := parseRequest(line)
	if err != nil {
		id := req.id
		if id == nil {
			id = []byte("null")
		}
		s.out.send(appendReply(nil, id, "null", errMalformed))
		return delay, s.spendJunk(now)
	}
	if len(req.method) == 0 {
		return delay, nil // the reply to a ping or a message of ours
	}
	if string(req.method) == "mining.submit" {
		pause, err := s.handleSubmit(ctx, req, now)
		return max(delay, pause), err
	}

	if string(req.method) == "mining.subscribe" {
		s.enter(req.params, now)
	}
	s.mu.Lock()
	result, e := s.dispatch(req, now)
	if result != noAnswer {
		m := newMessage()
		m.text = appendReply(m.text, req.id, result, e)
		s.out.sendOff(m)
	}
	s.mu.Unlock()
	if e == errUnknownMethod || (e != nil && e.code == codeUnauthorized) {
		return delay, s.spendJunk(now)
	}
	return delay, nil
}

// Results of methods.
const (
	resultTrue  = "true"
	resultFalse = "false"
	resultNull  = "null"
	// noAnswer suppresses the answer to a message that is one itself.
	noAnswer = ""
)

// dispatch executes every method but submit. It MUST be called with the mutex
// held.
func (s *session) dispatch(req request, now time.Time) (result string, e *stratumError) {
	var buf [maxParams][]byte
	params := args(req.params, &buf)
	switch string(req.method) {
	case "mining.subscribe":
		return s.subscribe(params), nil
	case "mining.authorize":
		return s.authorize(params, now)
	case "mining.configure":
		return s.configure(params)
	case "mining.extranonce.subscribe":
		return resultTrue, nil // ours never changes while the connection lives
	case "mining.suggest_difficulty":
		return s.suggest(arg(params, 0), now)
	case "mining.suggest_target":
		return s.suggestTarget(arg(params, 0), now)
	case "mining.ping", "client.ping":
		return `"pong"`, nil
	case "pong", "mining.pong", "client.pong":
		return noAnswer, nil // ESP-Miner's form of a reply
	case "mining.multi_version", "mining.capabilities", "mining.term":
		return resultTrue, nil // notices of old firmware, nothing to do
	case "mining.get_transactions", "mining.get_txnhashes":
		// A list has megabytes for a question of 80 bytes; BFGMiner, which asks, is told at
		// once that there is none.
		return resultNull, errUnsupported
	}
	// An old form has the number in the method's name.
	if inner, ok := bytes.CutPrefix(req.method, []byte("mining.suggest_difficulty(")); ok {
		return s.suggest(bytes.TrimSuffix(inner, []byte(")")), now)
	}
	return resultNull, errUnknownMethod
}

// spendJunk counts a message that makes no sense.
func (s *session) spendJunk(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.junk.spend(now) > 0 {
		return errTooMuchJunk
	}
	return nil
}

// flush is called when the client has nothing more to say for now. The first
// job waits for it, so that a client that sends its whole handshake at once
// finds the answers in one piece: each must be the very next line after its
// request.
func (s *session) flush(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start(now)
}

// start ends the handshake if it is complete. It MUST be called with the mutex held.
func (s *session) start(now time.Time) {
	if s.ready || !s.subscribed || len(s.workers) == 0 {
		return
	}
	s.ready, s.was = true, nil
	s.out.settle()
	s.sendJob(now)
	s.showNotes()
	if notice := s.adjusted().notice; s.payee != nil && notice != "" {
		s.out.send(appendShowMessage(nil, notice))
	}
}
