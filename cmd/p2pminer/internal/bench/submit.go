package bench

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// submits sends what is due and returns when the next submission is.
func (l *loop) submits(now int64) int64 {
	cfg := l.run.cfg
	if cfg.Rate == 0 {
		return l.fill(now)
	}
	for range batch {
		if since(now, l.run.now()) > slice {
			break
		}
		// The loops take turns.
		number := l.sent*int64(cfg.Threads) + int64(l.index)
		due := l.run.start.Load() + int64(float64(number)/cfg.Rate*float64(time.Second))
		if due >= l.run.end.Load() {
			return now + int64(longestWait)
		}
		if due > now {
			return max(due, now+int64(pacing))
		}
		l.sent++
		if c := l.pick(); c != nil {
			l.submit(c, due)
		} else {
			l.stats.heldBack++
		}
	}
	return now
}

// fill gives clients that have none their unanswered submissions; after that the answers
// keep them going. It stops after a moment: looking for solutions may take long.
func (l *loop) fill(now int64) int64 {
	if !l.filled {
		l.filled, l.idle = true, slices.Clone(l.live)
	}
	for len(l.idle) > 0 {
		if since(now, l.run.now()) > slice {
			return now
		}
		c := l.idle[0]
		l.idle = l.idle[1:]
		for range l.run.cfg.Depth - len(c.pending) {
			if c.state != ready || !l.submit(c, l.run.now()) {
				break
			}
		}
	}
	return now + int64(longestWait)
}

// pickTries is how many clients pick looks at.
const pickTries = 16

// pick returns the next client that can take another submission, or nil.
func (l *loop) pick() *client {
	for range min(len(l.live), pickTries) {
		l.turn++
		c := l.live[l.turn%len(l.live)]
		if len(c.pending) < MaxDepth {
			return c
		}
	}
	return nil
}

// submit sends a solution that was due at a certain time, if it finds one.
func (l *loop) submit(c *client, due int64) bool {
	if !l.solve(c) {
		if l.stats.unsolved++; l.filled {
			l.idle = append(l.idle, c)
		}
		return false
	}
	w := &c.work
	nonce := w.prepared[len(w.prepared)-1]
	w.prepared = w.prepared[:len(w.prepared)-1]

	c.nextID++
	b := append(l.scratch[:0], `{"id":`...)
	b = strconv.AppendUint(b, c.nextID, 10)
	b = append(b, `,"method":"mining.submit","params":["`...)
	b = append(l.appendUser(b, c), `","`...)
	b = append(append(b, w.id...), `","`...)
	b = hex.AppendEncode(b, l.extranonce2(c))
	b = append(b, `","`...)
	b = append(appendHex32(b, w.ntime), `","`...)
	b = appendHex32(b, nonce)
	if c.mask != 0 {
		b = append(b, `","`...)
		b = appendHex32(b, c.versionBits())
	}
	b = append(b, "\"]}\n"...)
	l.scratch = b

	now := l.run.now()
	c.pending = append(c.pending, submission{id: c.nextID, due: due, written: now})
	l.run.pending.Add(1)
	l.run.sent.Add(1)
	l.stats.sent++
	l.stats.late.add(since(due, now))
	l.send(c, b, now)
	return true
}

// answered takes the verdict on a submission.
func (l *loop) answered(c *client, id uint64, m *message, now int64) {
	for i, p := range c.pending { // nearly always the first
		if p.id != id {
			continue
		}
		c.pending = append(c.pending[:i], c.pending[i+1:]...)
		l.run.pending.Add(-1)
		l.run.answers.Add(1)
		l.stats.answer.add(since(p.written, now))
		l.stats.total.add(since(p.due, now))
		l.stats.lastAnswer = now
		if reason := refusal(m); reason != "" {
			l.stats.rejected.add(reason)
			l.run.rejected.Add(1)
		} else {
			l.stats.accepted++
		}
		break
	}
	switch {
	case !l.filled || c.state != ready || !l.run.measuring(now):
	case len(c.work.prepared) > 0:
		l.submit(c, now)
	default:
		l.idle = append(l.idle, c) // others' answers first
	}
}

// Of clients that never read.
const (
	defaultSlowReaders = 10
	// pesterEvery is how often each asks something. With answers of the size below
	// those that wait to be read fill the kernel's buffers, which take some megabytes
	// on loopback, in less than half a minute.
	pesterEvery = 20 * time.Millisecond
	// pesterNames and pesterName are the number of extensions asked for, as many as
	// servers are known to take, and the length of their names: those come back.
	pesterNames, pesterName = 16, 200
)

// pester has the clients that never read ask for more to be read.
func (l *loop) pester(now int64) {
	if l.run.cfg.SlowReaders == 0 || since(l.pestered, now) < pesterEvery {
		return
	}
	l.pestered = now
	for _, c := range l.clients {
		if c.kind == mute && c.state == ready {
			c.nextID++
			l.send(c, appendPester(nil, c.nextID), now)
		}
	}
}

// appendPester appends a request with a large answer.
func appendPester(b []byte, id uint64) []byte {
	b = fmt.Appendf(b, `{"id":%d,"method":"mining.configure","params":[[`, id)
	for i := range pesterNames {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `"%0*d"`, pesterName, i)
	}
	return append(b, "],{}]}\n"...)
}

func appendHex32(b []byte, n uint32) []byte {
	const digits = "0123456789abcdef"
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, digits[n>>shift&15])
	}
	return b
}
