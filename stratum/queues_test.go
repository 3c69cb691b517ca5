package stratum

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
)

// deaf returns an outbox whose client never reads, as if it had logged in.
func deaf(t *testing.T, all *queues) *outbox {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { theirs.Close() })
	o := newOutbox(ours, all)
	o.settle()
	return o
}

func (q *queues) sum() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	sum := 0
	for _, n := range q.of {
		sum += n
	}
	if sum != q.total {
		return -1
	}
	return sum
}

// TestQueuedEarly: little waits for a client before its first job, more after it.
func TestQueuedEarly(t *testing.T) {
	for _, test := range []struct {
		settled bool
		limit   int
	}{{false, maxQueuedEarly}, {true, maxQueued}} {
		bubble(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			all := newQueues(maxAllQueued)
			o := newOutbox(ours, all)
			if test.settled {
				o.settle()
			}
			for range test.limit / 1024 {
				o.send(make([]byte, 1024))
				synctest.Wait() // the first is being written: it counts, too
			}
			if n := all.sum(); o.err != nil || n != test.limit {
				t.Errorf("settled %v: %v with %d bytes", test.settled, o.err, n)
			}
			o.send([]byte{1})
			if err := o.finish(); !errors.Is(err, errSlowReader) || all.sum() != 0 || len(all.of) != 0 {
				t.Errorf("settled %v: %v, %d bytes are left", test.settled, err, all.sum())
			}
		})
	}
}

// TestQueuesDropTheLongest: when too much waits, the one who has the most of it goes,
// also if another sends.
func TestQueuesDropTheLongest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		all := newQueues(100)
		short, long, last := deaf(t, all), deaf(t, all), deaf(t, all)
		short.send(make([]byte, 20))
		synctest.Wait() // it is being written
		long.send(make([]byte, 30))
		long.send(make([]byte, 30))
		last.send(make([]byte, 20))
		if n := all.sum(); n != 100 {
			t.Fatalf("%d bytes", n)
		}
		last.send(make([]byte, 21))
		synctest.Wait()
		if err := long.finish(); !errors.Is(err, errQueuesFull) {
			t.Errorf("the longest: %v", err)
		}
		if n := all.sum(); n != 61 || short.err != nil || last.err != nil {
			t.Errorf("%d bytes; %v, %v", n, short.err, last.err)
		}
		last.send(make([]byte, 40))
		if err := last.finish(); !errors.Is(err, errQueuesFull) {
			t.Errorf("the sender: %v", err)
		}
		if err := short.finish(); !errors.Is(err, errSlowReader) {
			t.Errorf("the other: %v", err)
		}
		if n := all.sum(); n != 0 || len(all.of) != 0 {
			t.Errorf("%d bytes at the end", n)
		}
	})
}

// TestQueuesOfReader: what was written does not count any more.
func TestQueuesOfReader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		all := newQueues(100)
		o := newOutbox(ours, all)
		buf := make([]byte, 100)
		for range 5 {
			o.send(make([]byte, 90))
			if n, err := theirs.Read(buf); n != 90 || err != nil {
				t.Fatal(n, err)
			}
			synctest.Wait()
			if n := all.sum(); n != 0 {
				t.Fatalf("%d bytes", n)
			}
		}
		if err := o.finish(); err != nil {
			t.Error(err)
		}
	})
}
