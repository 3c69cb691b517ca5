// Package bench is a load generator for Stratum V1 servers: thousands of clients in
// one process, each of which logs in, takes jobs and hands in real proof of work.
// It measures how long logins and answers take, how fast new work reaches everybody,
// and what the server and itself spend.
//
// Run goes through the phases of a run (run.go) and returns a Report (report.go,
// table.go, verdict.go). The clients are spread over event loops, one goroutine each
// (loop.go), which share nothing but the board of jobs (body.go, fanout.go) and a few
// counters. A loop holds the protocol state of its clients (client.go, handshake.go,
// submit.go, solve.go) and one of two kinds of I/O: an epoll instance, which costs a
// connection nothing but its descriptor (epoll_linux.go), or a goroutine for each
// connection, for TLS and other systems (netpoll.go).
package bench
