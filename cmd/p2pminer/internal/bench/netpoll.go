package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// chunkSize is how much one connection reads at once.
	chunkSize = 4 << 10
	// netQueue is how many connections may wait for their loop.
	netQueue = 256
	// netBatch is how many of them a loop serves before it looks at the time.
	netBatch = 256
	// writeTimeout is how long a write may take. What clients send is far less than
	// the kernel keeps for them: it happens only if the server has stopped reading.
	writeTimeout = 5 * time.Second
	// maxUnsent bounds what waits to be written to one connection.
	maxUnsent = 64 << 10
)

var errUnsent = errors.New("the server does not read")

// netPoller is a poller with a goroutine for each connection, which reads and waits
// for the loop to have taken what it read.
type netPoller struct {
	loop   *loop
	events chan netEvent
	timer  *time.Timer
	ctx    context.Context // until close
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// netEvent is what happened on a connection.
type netEvent struct {
	link *netLink
	conn net.Conn // it has opened
	data []byte   // what was read
	err  error    // it has ended
}

func newNetPoller(l *loop) *netPoller {
	p := &netPoller{loop: l, events: make(chan netEvent, netQueue), timer: time.NewTimer(0)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

func (p *netPoller) close() {
	p.cancel()
	p.wg.Wait()
}

// netLink is a connection of a netPoller.
type netLink struct {
	poller *netPoller
	client *client
	ctx    context.Context // until shut
	cancel context.CancelFunc
	conn   net.Conn      // of the loop, once opened
	taken  chan struct{} // the loop is done with what was read
	unread chan []byte   // messages of a client that never reads, else nil
}

func (p *netPoller) dial(c *client) (link, error) {
	k := &netLink{poller: p, client: c, taken: make(chan struct{}, 1)}
	k.ctx, k.cancel = context.WithCancel(p.ctx)
	p.wg.Go(k.run)
	return k, nil
}

// run connects and reads until the link is shut.
func (k *netLink) run() {
	conn, err := k.connect()
	if conn != nil {
		defer conn.Close()
	}
	if !k.tell(netEvent{link: k, conn: conn, err: err}) || err != nil {
		return
	}
	stop := context.AfterFunc(k.ctx, func() { conn.Close() })
	defer stop()
	buf := make([]byte, chunkSize)
	for {
		n, err := conn.Read(buf)
		if n > 0 && !k.tell(netEvent{link: k, data: buf[:n]}) {
			return
		}
		if err != nil {
			k.tell(netEvent{link: k, err: err})
			return
		}
	}
}

// tell hands an event to the loop and waits until it is done with it. false: the
// link is shut.
func (k *netLink) tell(e netEvent) bool {
	select {
	case k.poller.events <- e:
	case <-k.ctx.Done():
		return false
	}
	select {
	case <-k.taken:
		return true
	case <-k.ctx.Done():
		return false
	}
}

func (k *netLink) connect() (net.Conn, error) {
	run := k.poller.loop.run
	ctx, cancel := context.WithTimeout(k.ctx, run.cfg.Timeout)
	defer cancel()
	var d net.Dialer
	if source := run.source(k.client.number); source.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: source.AsSlice()}
	}
	conn, err := d.DialContext(ctx, "tcp", run.server.String())
	if err != nil || !run.cfg.TLS {
		return conn, err
	}
	// InsecureSkipVerify: a farm's server has a certificate that it made itself.
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// wait handles what there is, or what comes first.
func (p *netPoller) wait(until int64) (waited time.Duration) {
	for range netBatch {
		select {
		case e := <-p.events:
			p.handle(e)
			continue
		default:
		}
		begun := p.loop.run.now()
		if waited > 0 || begun >= until {
			return waited
		}
		p.timer.Reset(since(begun, until))
		select {
		case e := <-p.events:
			waited = since(begun, p.loop.run.now())
			p.handle(e)
		case <-p.timer.C:
			return since(begun, p.loop.run.now())
		}
	}
	return waited
}

func (p *netPoller) handle(e netEvent) {
	l, c, now := p.loop, e.link.client, p.loop.run.now()
	switch {
	case c.state == gone:
		return
	case e.err != nil:
		l.lose(c, ioReason(e.err), now)
		return
	case e.conn != nil:
		e.link.conn = e.conn
		l.opened(c, now)
	default:
		l.received(c, e.data, now)
	}
	if e.link.unread == nil && c.state != gone {
		e.link.taken <- struct{}{} // has room: one event at a time
	}
}

func (k *netLink) write(b []byte) error {
	if k.unread != nil {
		select {
		case k.unread <- bytes.Clone(b):
		default: // the server does not read what cannot be answered either
		}
		return nil
	}
	k.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := k.conn.Write(b)
	return err
}

// mute leaves the reader waiting. Writing gets a goroutine of its own, because a
// server that waits to be read will not read.
func (k *netLink) mute() {
	k.unread = make(chan []byte, 1)
	k.conn.SetWriteDeadline(time.Time{})
	k.poller.wg.Go(func() {
		for {
			select {
			case b := <-k.unread:
				if _, err := k.conn.Write(b); err != nil {
					k.tell(netEvent{link: k, err: err})
					return
				}
			case <-k.ctx.Done():
				return
			}
		}
	})
}

func (k *netLink) shut(reset bool) {
	if reset {
		switch conn := k.conn.(type) {
		case *net.TCPConn:
			conn.SetLinger(0)
		case *tls.Conn:
			if inner, ok := conn.NetConn().(*net.TCPConn); ok {
				inner.SetLinger(0)
			}
		}
	}
	k.cancel()
}

// ioReason puts the errors of connections into few words, so that they can be counted.
func ioReason(err error) string {
	if errors.Is(err, io.EOF) {
		return "closed by the server"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // without the addresses
	}
	return err.Error()
}
