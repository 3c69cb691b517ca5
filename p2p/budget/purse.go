package budget

import "time"

// ownPart is the part of a budget that a connection has to itself if it shares that of
// its host: as many connections may a host have (p2p's MaxPerHost).
const ownPart = 1.0 / 8

// purse is what there is to spend: buckets for each type of message, and for time. It is
// not safe for concurrent use.
type purse struct {
	scale         float64          // of the rates of what comes with each share
	part          float64          // of all limits but those on greetings
	since         time.Time        // from when on it fills from nothing; zero: it began full
	lanes         map[string]*lane // by command, made when needed; "" for all unknown ones
	verify, serve Bucket           // seconds
}

// lane is the buckets of one type.
type lane struct {
	limit
	messages, bytes Bucket
}

func newPurse(interval time.Duration, part float64, since time.Time) *purse {
	p := &purse{scale: scaleOf(interval), part: part, since: since, lanes: make(map[string]*lane)}
	p.verify, p.serve = p.bucket(verifyRate, verifyBurst), p.bucket(serveRate, serveBurst)
	return p
}

// bucket returns the purse's part of one.
func (p *purse) bucket(rate, burst float64) Bucket {
	b := NewBucket(rate*p.part, burst*p.part)
	if !p.since.IsZero() {
		b.level, b.at = 0, p.since
	}
	return b
}

// lane returns the buckets of a command. Their number is bounded by the table.
func (p *purse) lane(command string) *lane {
	lim := limitOf(command)
	if lim.rest {
		command = ""
	}
	l := p.lanes[command]
	if l != nil {
		return l
	}
	scale := 1.0
	if lim.perShare {
		scale = p.scale
	}
	l = &lane{limit: lim}
	if lim.greeting {
		l.messages, l.bytes = NewBucket(lim.messages, lim.messageBurst), NewBucket(lim.bytes, lim.byteBurst)
	} else {
		l.messages, l.bytes = p.bucket(lim.messages*scale, lim.messageBurst), p.bucket(lim.bytes*scale, lim.byteBurst)
	}
	p.lanes[command] = l
	return l
}

// time returns the bucket of a time.
func (p *purse) time(c clock) *Bucket {
	if c == serveTime {
		return &p.serve
	}
	return &p.verify
}

// owe overdraws the bucket of a time until then.
func (p *purse) owe(now time.Time, c clock, until time.Time) {
	b := p.time(c)
	b.Take(now, max(0, until.Sub(now).Seconds())*b.rate)
}

// take charges a message and returns how long to wait for it.
func (l *lane) take(now time.Time, size float64) time.Duration {
	l.messages.Take(now, 1)
	l.bytes.Take(now, size)
	return max(l.messages.Wait(now), l.bytes.Wait(now))
}

// undo takes back what was just taken.
func (l *lane) undo(now time.Time, size float64) {
	l.messages.Give(now, 1)
	l.bytes.Give(now, size)
}

// shed lets go of the lanes that are full, and returns when all is.
func (p *purse) shed(now time.Time) (whole time.Time) {
	whole = now
	for command, l := range p.lanes {
		full := later(l.messages.FullAt(now), l.bytes.FullAt(now))
		if full.After(now) {
			whole = later(whole, full)
		} else {
			delete(p.lanes, command)
		}
	}
	return later(whole, later(p.verify.FullAt(now), p.serve.FullAt(now)))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
