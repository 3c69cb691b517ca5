package stratum

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
)

// watched is a connection whose writes are counted, whichever way they take.
type watched struct {
	*net.TCPConn
	writes *atomic.Int64
}

func (w watched) Write(b []byte) (int, error) {
	w.writes.Add(1)
	return w.TCPConn.Write(b)
}

func (w watched) SyscallConn() (syscall.RawConn, error) {
	raw, err := w.TCPConn.SyscallConn()
	return watchedRaw{raw, w.writes}, err
}

type watchedRaw struct {
	syscall.RawConn
	writes *atomic.Int64
}

func (w watchedRaw) Control(f func(fd uintptr)) error {
	w.writes.Add(1)
	return w.RawConn.Control(f)
}

type watchedListener struct {
	net.Listener
	writes *atomic.Int64
}

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return watched{conn.(*net.TCPConn), l.writes}, nil
}

// watchedServer counts what it writes to all its clients.
func watchedServer(t *testing.T, change func(*Config)) (server *Server, writes *atomic.Int64) {
	t.Helper()
	writes = new(atomic.Int64)
	server = listening(t, func(c *Config) {
		c.OpenListener = func(ctx context.Context, addr string) (net.Listener, error) {
			l, err := ListenTCP(ctx, addr)
			return watchedListener{l, writes}, err
		}
		if change != nil {
			change(c)
		}
	})
	return server, writes
}

// watchedOutbox is one of a server, and its client.
func watchedOutbox(t *testing.T) (o *outbox, client net.Conn, writes *atomic.Int64) {
	server, client := tcpPair(t)
	writes = new(atomic.Int64)
	return newOutbox(watched{server, writes}, newQueues(maxAllQueued)), client, writes
}

// TestCorkedOutbox: nothing is written until the outbox is uncorked, somebody else cannot
// wait, enough is held, or it is finished; then all is, in one piece.
func TestCorkedOutbox(t *testing.T) {
	for name, release := range map[string]func(o *outbox){
		"uncork": (*outbox).uncork,
		"flush":  (*outbox).flush,
		"full":   func(o *outbox) { o.send(make([]byte, maxHeld-len("onetwo"))) },
		"finish": func(o *outbox) { o.finish() },
	} {
		t.Run(name, func(t *testing.T) {
			o, client, writes := watchedOutbox(t)
			o.cork()
			o.send([]byte("one"))
			o.send([]byte("two"))
			if n := writes.Load(); n != 0 {
				t.Fatalf("%d writes while corked", n)
			}
			release(o)
			got := make([]byte, 6)
			if _, err := io.ReadFull(client, got); err != nil || string(got) != "onetwo" {
				t.Errorf("%q, %v", got, err)
			}
			if n := writes.Load(); n != 1 || o.held != nil {
				t.Errorf("%d writes", n)
			}
		})
	}
}

// TestCorkedOutboxOfDeafClient: what was held counts as what waits.
func TestCorkedOutboxOfDeafClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		all := newQueues(maxAllQueued)
		o := newOutbox(ours, all)
		for range maxQueuedEarly / 1024 {
			o.cork()
			o.send(make([]byte, 1024))
			o.uncork()
			synctest.Wait() // the first is being written
		}
		if o.err != nil {
			t.Fatal(o.err)
		}
		o.cork()
		o.send([]byte{1})
		if err := o.finish(); !errors.Is(err, errSlowReader) || all.sum() != 0 || o.held != nil {
			t.Errorf("%v, %d bytes are left", err, all.sum())
		}
	})
}

// TestCorkedOutboxIsCut: what is held goes with the connection.
func TestCorkedOutboxIsCut(t *testing.T) {
	o, _, writes := watchedOutbox(t)
	o.cork()
	o.send([]byte("lost"))
	o.cut(errTimeUp)
	o.send([]byte("lost"))
	o.uncork()
	if err := o.finish(); !errors.Is(err, errTimeUp) || writes.Load() != 0 || o.held != nil {
		t.Errorf("%v after %d writes", err, writes.Load())
	}
}
