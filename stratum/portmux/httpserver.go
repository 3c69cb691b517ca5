package portmux

import (
	"context"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/decred/slog"
)

// Limits of HTTP on the miners' port. It is for people who have a look and for health
// checks of load balancers, and must not cost miners anything.
const (
	// maxHTTP is the most HTTP connections; when there are more, the oldest ends.
	maxHTTP = 64
	// httpReadTimeout bounds a request, httpWriteTimeout its answer.
	httpReadTimeout  = 5 * time.Second
	httpWriteTimeout = 10 * time.Second
	// maxHTTPHeader bounds the headers of a request, in bytes; net/http reads 4 KiB
	// beyond it.
	maxHTTPHeader = 4 << 10
	// httpShutdown is how long answers under way may take at the end.
	httpShutdown = time.Second
)

// httpServer answers HTTP on connections that it is given. One request is answered on
// each: what a client sends behind it is not read.
type httpServer struct {
	server   *http.Server
	accepted chan net.Conn
	done     chan struct{} // closed when nobody accepts any more

	mu    sync.Mutex
	open  []*httpConn // the oldest first, at most maxHTTP
	total uint64
}

// httpConn is a connection of an httpServer.
type httpConn struct {
	*Conn
	server *httpServer
}

func newHTTPServer(handler http.Handler, logger slog.Logger) *httpServer {
	s := &httpServer{accepted: make(chan net.Conn), done: make(chan struct{})}
	s.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: httpReadTimeout,
		ReadTimeout:       httpReadTimeout,
		WriteTimeout:      httpWriteTimeout,
		MaxHeaderBytes:    maxHTTPHeader,
		ErrorLog:          log.New(debugLog{logger}, "", 0),
	}
	s.server.SetKeepAlivesEnabled(false)
	return s
}

// run serves until ctx is done and all connections are gone.
func (s *httpServer) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { s.server.Serve(s) }) // returns when it is shut down
	<-ctx.Done()
	close(s.done)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpShutdown)
	defer cancel()
	if s.server.Shutdown(grace) != nil {
		s.server.Close()
	}
	wg.Wait()
}

// take serves a connection. It never waits for a client.
func (s *httpServer) take(c *Conn) {
	conn := &httpConn{c, s}
	s.mu.Lock()
	s.total++
	var oldest *httpConn
	if len(s.open) >= maxHTTP {
		oldest = s.open[0]
		s.open = slices.Delete(s.open, 0, 1)
	}
	s.open = append(s.open, conn)
	s.mu.Unlock()
	if oldest != nil {
		oldest.socket.Close()
	}
	select {
	case s.accepted <- conn:
	case <-s.done:
		conn.Close()
	}
}

// Close implements net.Conn.
func (c *httpConn) Close() error {
	c.server.mu.Lock()
	if i := slices.Index(c.server.open, c); i >= 0 {
		c.server.open = slices.Delete(c.server.open, i, i+1)
	}
	c.server.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite lets net/http end an answer without a reset that could overtake it, should
// the client have sent more than was read.
func (c *httpConn) CloseWrite() error {
	if tcp, ok := c.Conn.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}

func (s *httpServer) counts() (total uint64, open int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total, len(s.open)
}

// Accept implements net.Listener for net/http.
func (s *httpServer) Accept() (net.Conn, error) {
	select {
	case conn := <-s.accepted:
		return conn, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. The connections come from elsewhere.
func (s *httpServer) Close() error { return nil }

// Addr implements net.Listener.
func (s *httpServer) Addr() net.Addr { return &net.TCPAddr{} }

// debugLog turns what net/http says about clients into debug lines.
type debugLog struct{ log slog.Logger }

func (d debugLog) Write(line []byte) (int, error) {
	d.log.Debugf("HTTP on the Stratum port: %s", line)
	return len(line), nil
}
