package lan

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// delay returns a random time to wait before speaking.
func delay() time.Duration { return delayMin + rand.N(delayMax-delayMin) }

// talk is what this node says on some interfaces, and when.
type talk struct {
	finder *Finder
	socket socket
	list   []iface

	queryAt    time.Time
	pause      time.Duration // after the next query
	announceAt time.Time     // zero: nobody has asked
	announced  time.Time     // the last time
	watchAt    time.Time
}

func newTalk(f *Finder, s socket, list []iface) *talk {
	now := time.Now()
	return &talk{finder: f, socket: s, list: list, queryAt: now.Add(delay()), pause: queryMin, watchAt: now.Add(watchInterval)}
}

// run speaks when it is time to, until the interfaces are others than listed, the
// reader is done or the context ends. The error is that there are no interfaces.
func (t *talk) run(ctx context.Context, listed []iface, asked <-chan struct{}, done <-chan struct{}) error {
	if t.announces() {
		t.announceAt = time.Now().Add(delay())
	}
	first := true
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-done:
			return nil
		case <-asked:
			t.wanted(time.Now())
		case now := <-timer.C:
			if err := t.speak(now); err != nil {
				t.finder.cfg.Log.Debugf("Nothing can be sent into the local network: %v", err)
			}
			if first && !t.announced.IsZero() {
				first = false
				t.announceAt = now.Add(announceGap)
			}
			if !now.Before(t.watchAt) {
				t.watchAt = now.Add(watchInterval)
				if is, err := t.finder.system.interfaces(); err != nil || !equal(is, listed) {
					return err
				}
			}
		}
		timer.Reset(time.Until(t.next()))
	}
}

// announces reports whether there is something to announce.
func (t *talk) announces() bool { return t.finder.self.port != 0 }

// next returns when there is something to do.
func (t *talk) next() time.Time {
	at := t.watchAt
	if t.queryAt.Before(at) {
		at = t.queryAt
	}
	if !t.announceAt.IsZero() && t.announceAt.Before(at) {
		at = t.announceAt
	}
	return at
}

// wanted plans an answer, no sooner than the last one allows.
func (t *talk) wanted(now time.Time) {
	if !t.announceAt.IsZero() || !t.announces() {
		return
	}
	t.announceAt = now.Add(delay())
	if least := t.announced.Add(announceGap); t.announceAt.Before(least) {
		t.announceAt = least
	}
}

// speak says what is due.
func (t *talk) speak(now time.Time) error {
	var errs []error
	if !now.Before(t.queryAt) {
		t.queryAt = now.Add(t.pause)
		t.pause = min(2*t.pause, queryMax)
		text, err := query()
		errs = append(errs, err, t.send(func(iface) ([]byte, error) { return text, nil }))
	}
	if !t.announceAt.IsZero() && !now.Before(t.announceAt) {
		t.announceAt, t.announced = time.Time{}, now
		errs = append(errs, t.announce(ttl))
	}
	return errors.Join(errs...)
}

// announce tells what others need to know of this node.
func (t *talk) announce(life time.Duration) error {
	return t.send(func(i iface) ([]byte, error) { return t.finder.self.announcement(life, i.addrs()) })
}

// leave takes the announcements back.
func (t *talk) leave() {
	if !t.announced.IsZero() {
		_ = t.announce(0) // they run out anyway
	}
}

// send sends a message on each interface.
func (t *talk) send(text func(iface) ([]byte, error)) error {
	var errs []error
	for _, i := range t.list {
		b, err := text(i)
		if err == nil {
			err = t.socket.send(i, b)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
