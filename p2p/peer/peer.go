package peer

import (
	"bufio"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/slog"

	"github.com/p2poold/p2poold/p2p/message"
)

// Timeouts. At 30 % packet loss each way a TCP round trip can take 60 s
// (measured), so those of an established connection leave room for several.
const (
	// HandshakeTimeout bounds the whole handshake, as in Bitcoin Core.
	HandshakeTimeout = 60 * time.Second
	// PingInterval is the time between pings: a third of SilenceTimeout.
	PingInterval = 30 * time.Second
	// SilenceTimeout ends a connection on which not one byte arrives, though both
	// sides ping. TCP sends again after pauses that double, up to two minutes: where a
	// network was cut for longer than this, a new connection stands sooner than the old
	// one moves again. Even on the slowest link something arrives in this time, however
	// much waits there: of two sides one at least has its way free, for its pings.
	SilenceTimeout = 90 * time.Second
	// IdleTimeout ends a connection on which no complete message arrived, though bytes
	// did: the longest one takes that long at 4 kB/s.
	IdleTimeout = 5 * time.Minute
	// WriteTimeout bounds one write of at most 192 KiB: 1.6 kB/s.
	WriteTimeout = 2 * time.Minute
)

// readBuffer is the read buffer of a connection, in bytes: a few dozen share
// announcements or an eighth of a sync answer.
const readBuffer = 16 << 10

// Config describes a connection. All functions are called from the reader
// goroutine.
type Config struct {
	Conn    net.Conn
	Inbound bool // the other side dialed

	Magic   wire.BitcoinNet
	ChainID chainhash.Hash

	// V2 allows the encrypted transport: a dialer insists on it, a listener takes
	// whichever of the two the other side begins with. Without it both know v1 only.
	V2 bool
	// Exchanges limits the key exchanges of all inbound connections together. Nil:
	// no limit.
	Exchanges *Limiter

	// Version returns the version message to send. It is called once.
	Version func() *message.Version
	// OwnNonce reports whether this node sent a version with that nonce. Nil
	// means never.
	OwnNonce func(nonce uint64) bool
	// Ready is called once when the handshake is complete, before the first
	// Handle.
	Ready func(*Peer)
	// Handle is called for every message that is not the connection's own
	// business.
	Handle func(*Peer, message.Message)
	// Budget holds the peer to its share of this node. Nil: no limits.
	Budget Budget
	// Large limits the long messages on their way to the node, LargeOut those on their
	// way from it, each of all peers together. Nil: no limit.
	Large, LargeOut *Large
	// Host is what the other side has in common with other connections of the same
	// host, for those limits. Empty: the address with its port.
	Host string

	Log slog.Logger // nil: silent
}

// Peer is one connection. It runs once.
type Peer struct {
	cfg       Config
	addr      string
	connected time.Time
	patience  patientConn // behind in
	in        *bufio.Reader
	transport transport                        // set by the handshake
	session   atomic.Pointer[[secretSize]byte] // of v2; nil: none
	queue     *sendQueue
	count     counters
	version   atomic.Pointer[message.Version] // the peer's; nil before the handshake
	arrival   arrival                         // of the reader goroutine
	owed      time.Duration                   // likewise: to wait for decoys before the next message is read

	ctx    context.Context
	cancel context.CancelCauseFunc

	pingMu sync.Mutex
	ping   uint64    // nonce of the unanswered ping
	pinged time.Time // when it was sent; zero: answered
}

// New takes over a connection, which Run closes. It does no I/O.
func New(cfg Config) *Peer {
	if cfg.Log == nil {
		cfg.Log = slog.Disabled
	}
	p := &Peer{cfg: cfg, addr: cfg.Conn.RemoteAddr().String(), connected: time.Now(), queue: newSendQueue()}
	p.patience = patientConn{Conn: cfg.Conn, admit: p.admit, arrived: p.arrived}
	counted := countingReader{r: &p.patience, n: &p.count.bytesIn}
	p.in = bufio.NewReaderSize(counted, readBuffer)
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	return p
}

// Run performs the handshake and then exchanges messages until the context or
// the connection ends. It blocks until both goroutines are gone and returns
// why; the error is never nil and always an *Error.
func (p *Peer) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { p.Disconnect(ReasonShutdown, nil) })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		if p.handshake() {
			wg.Go(p.write)
			p.cfg.Ready(p)
			p.read()
		}
	})
	<-p.ctx.Done()
	p.cfg.Conn.Close() // ends all reads and writes
	wg.Wait()
	if place := p.queue.large; place != nil {
		p.cfg.LargeOut.give(place)
	}
	return causeOf(p.ctx)
}

// Disconnect ends the connection for a reason; err gives details and may be
// nil. Only the first call counts. It does not wait: Run returns when the
// connection is gone.
func (p *Peer) Disconnect(reason Reason, err error) {
	p.cancel(&Error{Reason: reason, Err: err})
}

// Done is closed when the connection is about to end.
func (p *Peer) Done() <-chan struct{} { return p.ctx.Done() }

// Send queues an announcement and never blocks. A peer that lets its queue overflow
// is disconnected.
func (p *Peer) Send(m message.Message) {
	p.queued(m)
	if !p.queue.push(queued{Message: m, news: true}) {
		p.Disconnect(ReasonSlow, nil)
	}
}

// SendWait queues an answer, waiting while there is no room for it. It reports
// whether the connection still stands. Only Handle may call it.
func (p *Peer) SendWait(m message.Message) bool {
	p.queued(m)
	q := queued{Message: m}
	if p.cfg.LargeOut != nil && m.Size() > message.MaxSharesPayload {
		if q.large = p.newPlace(); !p.cfg.LargeOut.take(q.large, p.ctx.Done()) {
			return false
		}
	}
	for p.AwaitRoom() {
		if p.queue.push(q) {
			return true
		}
	}
	if q.large != nil {
		p.cfg.LargeOut.give(q.large)
	}
	return false
}

// AwaitRoom waits until an answer would not have to wait, so that none is made before,
// which would take memory meanwhile. It reports whether the connection still stands.
// Only Handle may call it.
func (p *Peer) AwaitRoom() bool {
	for p.ctx.Err() == nil {
		if p.queue.answerable() {
			return true
		}
		select {
		case <-p.queue.room:
		case <-p.ctx.Done():
		}
	}
	return false
}

// Addr returns the peer's network address, "host:port".
func (p *Peer) Addr() string { return p.addr }

// RemoteAddr returns the same as the connection gave it.
func (p *Peer) RemoteAddr() net.Addr { return p.cfg.Conn.RemoteAddr() }

// Inbound reports whether the other side dialed.
func (p *Peer) Inbound() bool { return p.cfg.Inbound }

// SessionID returns the id of a v2 connection, 32 bytes that are the same on both
// sides, and nil before its handshake or for a v1 connection. Operators who compare
// them over another channel know that nobody sits in between.
func (p *Peer) SessionID() []byte {
	if id := p.session.Load(); id != nil {
		return id[:]
	}
	return nil
}

// Version returns the peer's version message, nil before the handshake. It
// must not be changed.
func (p *Peer) Version() *message.Version { return p.version.Load() }
