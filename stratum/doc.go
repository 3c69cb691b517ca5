// Package stratum serves mining hardware: Stratum V1 with version rolling
// (BIP 310), per-connection jobs, duplicate checks, vardiff and statistics.
//
// A Server takes its work from a Source, which FromGenerator makes of the
// node's mining.Generator, turns it into one job for each connection and gives
// the solutions back.
//
// # A connection's way in
//
// Listeners hand what they accept to package portmux, which finds a place for it
// (package connlimit), believes PROXY headers of named proxies, ends TLS, and gives HTTP
// to a server of its own. What is left is Stratum, plain.
//
// # Life of a submission
//
// A line is parsed without decoding more than it needs, the job is found among
// those the connection got, the header is rebuilt and hashed, and its hash held
// against three targets. One that meets the share's or Bitcoin's target goes to
// Source.Submit at once; statistics and vardiff come after, the answer last,
// so that it tells the verdict. A job keeps its difficulty and version mask for
// life: a device may be late in noticing a new one. Jobs of an older share tip
// are as good as the newest, because their shares become uncles; clean_jobs is
// sent for a new Bitcoin block only.
//
// # Devices
//
// What is known of devices by their user agents, in devices.txt, decides the output
// class and where vardiff begins, unless the user says otherwise. A device that turns out
// not to hash the coinbases of its class (carry.go) gets a smaller one. The worker's next
// session goes on where this one ended (past.go).
//
// # Goroutines
//
// Each connection has one that reads, executes and answers (and waits for the
// verdict on a share, which holds up nobody else). A distributor brings new work to
// all sessions: at once and on all processors when a Bitcoin block was found, else little
// by little, so that answers do not wait. Another goroutine makes their time pass, also
// little by little. Both stop for a while when much is queued, so that who reads is not
// dropped for what was queued too fast. Whoever has something to say to a client writes it at once, as far as
// the socket takes it; only the rest is queued, and has a goroutine that writes it. A reader
// that has the client's next line at hand holds its answer, and writes it together with what
// follows: the answers to what came in one packet, and a login's first job. While it holds
// anything it waits for nothing, and a new job takes along what is held.
// So nobody ever waits for a client, whose full queue ends the connection; if all
// queues together are too long, the longest one does. A
// connection that waits for its client's next line holds no buffers. Run returns
// when all goroutines are gone.
//
// # Locks
//
// Server.mu and workset.mu are held for moments and never while another lock is
// taken. session.mu comes before those of workset, registry, worker and outbox;
// registry.mu before worker.mu; that of outbox before queues.mu; connlimit's lock is
// a leaf, and may be taken with queues.mu held, to close a connection. None is held
// during Source.Submit or I/O that waits.
// session.mu is held while Work.Job builds a job, which delays that client only.
package stratum
