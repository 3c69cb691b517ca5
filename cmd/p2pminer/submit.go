package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/p2poold/p2poold/cmd/p2pminer/internal/pow"
)

// submit sends a solution. While too many answers are outstanding it waits, so
// that a server which cannot keep up slows the miner down; a solution whose work
// a clean job has replaced meanwhile is dropped.
func (s *session) submit(ctx context.Context, u *unit, nonce uint32) {
	if !s.acquire(ctx) {
		return
	}
	if s.stale(u.work) {
		<-s.slots
		return
	}
	id := s.nextID.Add(1)
	params := []string{
		s.client.cfg.user, u.work.id, hex.EncodeToString(u.extranonce2),
		hex32(binary.LittleEndian.Uint32(u.header[pow.OffsetTime:])), hex32(nonce),
	}
	if u.work.mask != 0 {
		params = append(params, hex32(u.versionBits))
	}
	s.pending.Store(id, struct{}{})
	if err := s.write(map[string]any{"id": id, "method": "mining.submit", "params": params}); err != nil {
		s.conn.Close() // the reader sees it and ends the session
	}
}

// acquire waits for a slot. It is false when the session ends first.
func (s *session) acquire(ctx context.Context) bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
	}
	timeout := time.NewTimer(answerTimeout)
	defer timeout.Stop()
	select {
	case s.slots <- struct{}{}:
		return true
	case <-timeout.C:
		s.conn.Close()
		return false
	case <-s.closed:
		return false
	case <-ctx.Done():
		return false
	}
}

// stale reports whether the server has said by a clean job that solutions of w
// are worthless.
func (s *session) stale(w *work) bool {
	newest := s.client.board.current.Load()
	return newest == nil || newest.session != w.session || newest.era != w.era
}

// answered counts the verdict on a submission.
func (s *session) answered(m *message) {
	id, err := strconv.ParseUint(string(m.ID), 10, 64)
	if err != nil {
		return
	}
	if _, ours := s.pending.LoadAndDelete(id); !ours {
		return
	}
	<-s.slots
	if reason := failure(m); reason != "" {
		s.client.stats.reject(reason)
		return
	}
	s.client.stats.accept()
}

func hex32(n uint32) string { return fmt.Sprintf("%08x", n) }
