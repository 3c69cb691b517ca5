package lan

import "time"

// Sizes.
const (
	// poolBytes is how many bytes of the ChainID are told: enough that no two pools
	// have the same. The handshake compares all of it.
	poolBytes = 8
	// nameBytes is the length of a node's random name, in bytes before hex.
	nameBytes = 8
	// maxDatagram is the length of a message, in bytes (RFC 6762, 17).
	maxDatagram = 9000
	// maxRecords is how many records of a message are looked at: a node has four, and
	// one more for each further address.
	maxRecords = 64
	// maxNodes is how many nodes are taken from a message: each node sends its own.
	maxNodes = 4
	// maxInterfaces is the number of interfaces used: a wire, a radio, and those of
	// virtual machines and containers.
	maxInterfaces = 8
	// maxRate is how many datagrams a second are read, and maxBurst how many after a
	// pause. A home with 100 talkative devices has some ten a second. Reading one
	// costs 1 µs, or 30 µs if it is the worst there is (measured).
	maxRate  = 50
	maxBurst = 200
)

// Times, those without a reason from RFC 6762.
const (
	// ttl is how long others may remember the records: that of records with a host
	// name (10).
	ttl = 2 * time.Minute
	// queryMin and queryMax bound the time between queries, which doubles (5.2).
	// Nodes that come later announce themselves.
	queryMin = time.Second
	queryMax = time.Hour
	// announceGap is the time between the two announcements at the start (8.3), and
	// the least between answers (6).
	announceGap = time.Second
	// delayMin and delayMax bound the random time before a query (5.2) and an answer
	// (6): all that were asked don't answer at once.
	delayMin = 20 * time.Millisecond
	delayMax = 120 * time.Millisecond
	// watchInterval is the time between looks at the interfaces: a portable machine is
	// in another network a minute later.
	watchInterval = time.Minute
)
