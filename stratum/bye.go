package stratum

import "time"

// byeTimeout is how long the last words to the clients may take when the server stops.
// They fit into the sockets' buffers unless a client does not read.
const byeTimeout = time.Second

// bye ends the session because the server stops. A client that understands it is asked to
// come back, which it then does without counting the pool as dead.
func (s *session) bye() {
	s.mu.Lock()
	asks := s.ready && honoursReconnect(s.userAgent)
	s.mu.Unlock()
	if asks {
		s.out.send([]byte(reconnectMessage))
		s.out.flush()
	}
	s.out.conn.SetReadDeadline(time.Unix(1, 0)) // ends the reader, and with it the connection
}

// report tells in the log what became of connections with bad submissions, once in
// ladderReport at most. It is called by watchTime alone.
func (s *Server) report(now time.Time) {
	if now.Sub(s.reported) < ladderReport {
		return
	}
	s.reported = now
	if jobs, reconnects, drops, any := s.deps.counts.report(); any {
		s.cfg.Log.Infof("Bad submissions: %d connections got a new job, %d were asked to connect again, %d were dropped", jobs, reconnects, drops)
	}
}
