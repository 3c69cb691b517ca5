package harness_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
)

// hasher is a Stratum miner for tests that look at every single share. Unlike
// p2pminer it is back at once when its node is, and reports the IDs of the shares
// that the node has called accepted.
type hasher struct {
	addr, user string
	goal       uint256.Uint256 // the share target; what meets the Stratum difficulty only is not sent
	rate       float64         // limit, hashes per second
	accepted   func(id chainhash.Hash)
	unanswered func(id chainhash.Hash) // of what was sent before the connection ended; nil for none

	serial   uint64 // of the last extranonce2; never used twice
	due      time.Time
	refusals atomic.Uint64
}

const (
	// hashBatch is how many hashes are done between two looks at the job.
	hashBatch = 4096
	// redial is the pause between two attempts to connect.
	redial = 2 * time.Millisecond
	// hasherTimeout bounds each write and the dialing.
	hasherTimeout = 10 * time.Second
	// submitID is the id of the first submission; those of the handshake are lower.
	submitID = 10
)

// run mines until ctx is done.
func (h *hasher) run(ctx context.Context) {
	for ctx.Err() == nil {
		h.session(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(redial):
		}
	}
}

// stratumJob is what a header needs of mining.notify.
type stratumJob struct {
	id             string
	header         wire.BlockHeader // without merkle root and nonce
	coinb1, coinb2 []byte           // the former with extranonce1
	branch         []chainhash.Hash
}

// hasherSession is one connection.
type hasherSession struct {
	*hasher
	conn        net.Conn
	extranonce1 []byte
	job         atomic.Pointer[stratumJob]
	arrived     chan struct{} // a job has, capacity 1

	mu      sync.Mutex
	nextID  int
	pending map[int]chainhash.Hash // submissions without answer
}

// session mines on one connection until it breaks. Answers that were on their way
// when the node died are still read.
func (h *hasher) session(ctx context.Context) {
	dialer := net.Dialer{Timeout: hasherTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", h.addr)
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	s := &hasherSession{hasher: h, conn: conn, arrived: make(chan struct{}, 1), nextID: submitID, pending: make(map[int]chainhash.Hash)}
	if s.send(1, "mining.subscribe", "hasher") != nil || s.send(2, "mining.authorize", h.user, "x") != nil {
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.read()
	}()
	for {
		select {
		case <-ended:
			s.giveUp()
			return
		case <-s.arrived:
			s.search(ended)
		}
	}
}

// giveUp reports what has got no answer when the connection has ended.
func (s *hasherSession) giveUp() {
	for _, hash := range s.pending {
		if s.unanswered != nil {
			s.unanswered(hash)
		}
	}
}

func (s *hasherSession) send(id int, method string, params ...string) error {
	line, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	if err != nil {
		return err
	}
	s.conn.SetWriteDeadline(time.Now().Add(hasherTimeout))
	_, err = s.conn.Write(append(line, '\n'))
	return err
}

// read takes what the node says until the connection ends.
func (s *hasherSession) read() {
	lines := bufio.NewScanner(s.conn)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m struct {
			ID     int               `json:"id"`
			Method string            `json:"method"`
			Params []json.RawMessage `json:"params"`
			Result json.RawMessage   `json:"result"`
		}
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			return
		}
		switch {
		case m.Method == "mining.notify":
			job, err := s.parse(m.Params)
			if err != nil {
				return
			}
			s.job.Store(job)
			select {
			case s.arrived <- struct{}{}:
			default:
			}
		case m.ID == 1:
			var result []json.RawMessage
			var extranonce string
			if json.Unmarshal(m.Result, &result) == nil && len(result) > 1 && json.Unmarshal(result[1], &extranonce) == nil {
				s.extranonce1, _ = hex.DecodeString(extranonce)
			}
		case m.ID >= submitID:
			s.answered(m.ID, string(m.Result) == "true")
		}
	}
}

func (s *hasherSession) answered(id int, ok bool) {
	s.mu.Lock()
	hash, sent := s.pending[id]
	delete(s.pending, id)
	s.mu.Unlock()
	switch {
	case sent && ok:
		s.accepted(hash)
	case sent:
		s.refusals.Add(1)
	}
}

// parse decodes mining.notify.
func (s *hasherSession) parse(params []json.RawMessage) (*stratumJob, error) {
	if len(params) < 9 {
		return nil, fmt.Errorf("notify with %d parameters", len(params))
	}
	var text [8]string
	var branch []string
	for i := range text {
		dst := any(&text[i])
		if i == 4 {
			dst = &branch
		}
		if err := json.Unmarshal(params[i], dst); err != nil {
			return nil, err
		}
	}
	var err error
	unhex := func(s string) []byte {
		b, e := hex.DecodeString(s)
		if e != nil {
			err = e
		}
		return b
	}
	number := func(s string) uint32 {
		n, e := strconv.ParseUint(s, 16, 32)
		if e != nil {
			err = e
		}
		return uint32(n)
	}
	job := &stratumJob{id: text[0], coinb1: slices.Concat(unhex(text[2]), s.extranonce1), coinb2: unhex(text[3])}
	previous := unhex(text[1])
	for word := range slices.Chunk(previous, 4) {
		slices.Reverse(word) // as Stratum has it
	}
	copy(job.header.PrevBlock[:], previous)
	for _, text := range branch {
		var hash chainhash.Hash
		copy(hash[:], unhex(text))
		job.branch = append(job.branch, hash)
	}
	job.header.Version, job.header.Bits = int32(number(text[5])), number(text[6])
	job.header.Timestamp = time.Unix(int64(number(text[7])), 0)
	return job, err
}

// search looks for shares of the newest job until there is a newer one.
func (s *hasherSession) search(ended <-chan struct{}) {
	for job := s.job.Load(); s.job.Load() == job; {
		s.serial++
		extranonce2 := binary.BigEndian.AppendUint64(nil, s.serial)
		header := job.header
		coinbase := slices.Concat(job.coinb1, extranonce2, job.coinb2)
		header.MerkleRoot = share.MerkleRoot(chainhash.DoubleHashH(coinbase), job.branch)
		raw := serialized(&header)
		for nonce := uint32(0); nonce < 1<<24 && s.job.Load() == job; nonce += hashBatch {
			select {
			case <-ended:
				return
			case <-time.After(s.pause()):
			}
			for n := nonce; n < nonce+hashBatch; n++ {
				hash, ok := s.try(raw, n)
				if ok && s.submit(job, extranonce2, n, hash) != nil {
					return
				}
			}
		}
	}
}

func serialized(h *wire.BlockHeader) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(h.Version))
	b = append(append(b, h.PrevBlock[:]...), h.MerkleRoot[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.Timestamp.Unix()))
	b = binary.LittleEndian.AppendUint32(b, h.Bits)
	return append(b, 0, 0, 0, 0)
}

// try hashes a header with one nonce.
func (s *hasherSession) try(raw []byte, nonce uint32) (chainhash.Hash, bool) {
	binary.LittleEndian.PutUint32(raw[76:], nonce)
	first := sha256.Sum256(raw)
	hash := chainhash.Hash(sha256.Sum256(first[:]))
	if hash[31] != 0 || hash[30] != 0 {
		return hash, false // regtest's easiest share target has as many zeros
	}
	return hash, target.HashMeets(&hash, &s.goal)
}

// pause returns how long to wait before the next batch.
func (h *hasher) pause() time.Duration {
	now := time.Now()
	if earliest := now.Add(-50 * time.Millisecond); h.due.Before(earliest) {
		h.due = earliest // what was missed is not made up for
	}
	h.due = h.due.Add(time.Duration(hashBatch / h.rate * float64(time.Second)))
	return h.due.Sub(now)
}

func (s *hasherSession) submit(job *stratumJob, extranonce2 []byte, nonce uint32, hash chainhash.Hash) error {
	s.mu.Lock()
	s.nextID++
	id := s.nextID
	s.pending[id] = hash
	s.mu.Unlock()
	return s.send(id, "mining.submit", s.user, job.id, hex.EncodeToString(extranonce2),
		fmt.Sprintf("%08x", job.header.Timestamp.Unix()), fmt.Sprintf("%08x", nonce))
}
