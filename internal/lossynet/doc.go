// Package lossynet is a small internet with faults for the tests of the peer
// network: hosts whose links lose packets, delay them, work one way only, or are
// cut, and heal again. Which packets are lost is drawn from a seed.
//
// There are two of the kind:
//
//	Namespaces  Each host is a network namespace of Linux with a TUN device, and
//	            this process is the router between them. What is tested is the
//	            kernel's TCP: its retransmissions, its timeouts and its patience.
//	            Needs the rights of root, and leaves nothing behind.
//	Simulated   Connections in memory that behave as TCP does, by a simple model
//	            of it. They run on the clock of testing/synctest as well, so that
//	            a day takes seconds.
//
// A Host's Dial and Listen go into p2p.Config.
//
// # Concurrency
//
// All methods are safe for concurrent use. A namespace belongs to a thread: what
// opens a socket there runs in a goroutine of its own, whose thread ends with it.
// Every other goroutine of a Network has gone when Close returns. Locks are leaves.
package lossynet
