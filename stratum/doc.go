// Package stratum serves mining hardware: Stratum V1 with version rolling
// (BIP 310), per-connection jobs, duplicate checks, vardiff and statistics.
//
// A Server takes its work from a Source, which FromGenerator makes of the
// node's mining.Generator, turns it into one job for each connection and gives
// the solutions back.
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
// Each connection has two: one reads and executes (and waits for the verdict on
// a share, which holds up nobody else), one writes what is queued. One
// distributor brings new work to all sessions and makes their time pass; it
// never waits for a client, whose full queue ends the connection instead.
// Run returns when all of them are gone.
//
// # Locks
//
// Server.mu and workset.mu are held for moments and never while another lock is
// taken. session.mu comes before those of workset, registry, worker and outbox;
// registry.mu before worker.mu. None is held during I/O or Source.Submit.
// session.mu is held while Work.Job builds a job, which delays that client only.
package stratum
