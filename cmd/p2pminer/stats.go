package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxReasons bounds the distinct texts of rejections that are counted apart.
const maxReasons = 16

// stats counts what the miner does. Safe for concurrent use.
type stats struct {
	start  time.Time
	hashes atomic.Uint64

	mu         sync.Mutex
	accepted   uint64
	rejected   uint64
	reasons    map[string]uint64
	difficulty float64
	lastTime   time.Time // of the last status line
	lastHashes uint64
}

func (s *stats) accept() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted++
}

func (s *stats) reject(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected++
	if s.reasons == nil {
		s.reasons = make(map[string]uint64)
	}
	if _, known := s.reasons[reason]; !known && len(s.reasons) >= maxReasons {
		reason = "other"
	}
	s.reasons[reason]++
}

func (s *stats) setDifficulty(d float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.difficulty = d
}

// status is the line for the time since the last one.
func (s *stats) status(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	hashes := s.hashes.Load()
	rate := perSecond(hashes-s.lastHashes, now.Sub(s.lastTime))
	s.lastHashes, s.lastTime = hashes, now
	return fmt.Sprintf("%s, %s, difficulty %.4g", formatRate(rate), s.counts(), s.difficulty)
}

// summary is the line for the whole run.
func (s *stats) summary(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	elapsed := now.Sub(s.start)
	return fmt.Sprintf("Stopped after %v: %s on average, %s",
		elapsed.Round(time.Second), formatRate(perSecond(s.hashes.Load(), elapsed)), s.counts())
}

// counts MUST be called with the mutex held.
func (s *stats) counts() string {
	var b strings.Builder
	fmt.Fprintf(&b, "accepted %d, rejected %d", s.accepted, s.rejected)
	for i, reason := range slices.Sorted(maps.Keys(s.reasons)) {
		b.WriteString(map[bool]string{true: " (", false: ", "}[i == 0])
		fmt.Fprintf(&b, "%s %d", reason, s.reasons[reason])
	}
	if len(s.reasons) > 0 {
		b.WriteByte(')')
	}
	return b.String()
}

func perSecond(n uint64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}
