package bitcoind

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/p2poold/p2poold/mining"
)

// keptNode is a node whose first connection answers one call and then meets with some
// accident, while further ones work.
type keptNode struct {
	*Client
	taken chan int // bytes of the body of each call that a further connection answers
}

// newKeptNode starts one whose first connection has answered a call. The accident gets the
// connection when the second call's first byte has arrived; it closes it or leaves it open.
func newKeptNode(t *testing.T, accident func(*net.TCPConn, *bufio.Reader)) *keptNode {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &keptNode{newClient(t, Config{URL: "http://u:p@" + l.Addr().String()}), make(chan int, 10)}
	n.timing.backoffMin = time.Hour // nothing here may have to wait for that
	n.timing.call, n.timing.ask = time.Hour, time.Hour
	t.Cleanup(func() { n.lanes.closeIdle(); l.Close() })
	go func() {
		for first := true; ; first = false {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(t.Context(), func() { conn.Close() })
			go n.serve(conn.(*net.TCPConn), first, accident)
		}
	}()
	n.warmUp(t.Context())
	return n
}

// serve answers the calls of a connection, of the first one only one.
func (n *keptNode) serve(conn *net.TCPConn, first bool, accident func(*net.TCPConn, *bufio.Reader)) {
	r := bufio.NewReader(conn)
	for calls := 0; ; calls++ {
		if _, err := r.Peek(1); err != nil {
			return
		}
		if first && calls == 1 {
			accident(conn, r)
			return
		}
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		size, err := io.Copy(io.Discard, req.Body)
		if err != nil {
			return // the other submission has its verdict
		}
		if !first {
			n.taken <- int(size)
		}
		const reply = `{"result":null,"error":null,"id":1}`
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(reply), reply)
	}
}

// submit submits a block, which must arrive by a further connection.
func (n *keptNode) submit(t *testing.T, block mining.RawBlock) {
	t.Helper()
	safe, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- n.SubmitBlock(t.Context(), block, safe) }()
	time.AfterFunc(time.Millisecond, func() { close(safe) })
	if err := wait(t, done, "answer"); err != nil {
		t.Fatal(err)
	}
	if size := wait(t, n.taken, "block"); size < 2*block.Size() {
		t.Errorf("%d bytes of a block of %d arrived", size, block.Size())
	}
}

// largeBlock is one as a Job makes it, of thousands of pieces.
func largeBlock() (block mining.RawBlock) {
	for range 1000 {
		block = append(block, make([]byte, 3_900))
	}
	return block
}

// TestKeptBreaks: a block whose connection, kept for it, breaks at its first bytes or amid
// them, goes out over a new one without a pause.
func TestKeptBreaks(t *testing.T) {
	for name, accident := range map[string]func(*net.TCPConn, *bufio.Reader){
		"closed": func(conn *net.TCPConn, _ *bufio.Reader) { conn.Close() },
		"reset":  func(conn *net.TCPConn, _ *bufio.Reader) { conn.SetLinger(0); conn.Close() },
		"closed amid it": func(conn *net.TCPConn, r *bufio.Reader) {
			io.CopyN(io.Discard, r, 300_000)
			conn.Close()
		},
		"half an answer": func(conn *net.TCPConn, r *bufio.Reader) {
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
			conn.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, block := range []mining.RawBlock{{make([]byte, 300)}, largeBlock()} {
				if name == "closed amid it" && len(block) == 1 {
					continue
				}
				newKeptNode(t, accident).submit(t, block)
			}
		})
	}
}

// TestKeptLeadsNowhere: a block whose connection, kept for it, is silent, goes out over a
// new one as well, and nothing waits for the old one any more.
func TestKeptLeadsNowhere(t *testing.T) {
	for name, accident := range map[string]func(*net.TCPConn, *bufio.Reader){
		"reads nothing": func(*net.TCPConn, *bufio.Reader) {},
		"reads all":     func(_ *net.TCPConn, r *bufio.Reader) { io.Copy(io.Discard, r) },
		"breaks at last": func(conn *net.TCPConn, r *bufio.Reader) {
			time.AfterFunc(50*time.Millisecond, func() { conn.Close() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, block := range []mining.RawBlock{{make([]byte, 300)}, largeBlock()} {
				n := newKeptNode(t, accident)
				n.timing.hedge = 20 * time.Millisecond
				for range ownCalls { // as if others were under way, for longer than that
					n.lanes.own.slots <- struct{}{}
					time.AfterFunc(2*n.timing.hedge, func() { <-n.lanes.own.slots })
				}
				n.submit(t, block)
				n.submit(t, block) // on no connection that is silent
			}
		})
	}
}

// TestHedgeWaits: what the second submission of a block says is no verdict while it says
// nothing of the block, and there is no second one on a connection that is new.
func TestHedgeWaits(t *testing.T) {
	var calls atomic.Int32
	answer := make(chan struct{})
	c := rawNode(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		switch calls.Add(1) {
		case 1: // keeps the connection
		case 2, 4:
			<-answer
		case 3:
			answer <- struct{}{} // to the second
			io.WriteString(w, "nonsense")
			return
		}
		io.WriteString(w, `{"result":null,"error":null,"id":1}`)
	})
	c.timing.hedge, c.timing.backoffMin, c.timing.call = 20*time.Millisecond, time.Hour, time.Hour
	c.warmUp(t.Context())
	if err := c.SubmitBlock(t.Context(), mining.RawBlock{{1}}, nil); err != nil || calls.Load() != 3 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
	c.lanes.closeIdle()
	time.AfterFunc(5*c.timing.hedge, func() { close(answer) })
	if err := c.SubmitBlock(t.Context(), mining.RawBlock{{1}}, nil); err != nil || calls.Load() != 4 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}
