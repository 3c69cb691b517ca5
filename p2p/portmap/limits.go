package portmap

import "time"

// Times.
const (
	// lease is how long a mapping is asked for: twice the time between renewals, so
	// that one may fail. A node that was killed leaves its mapping for this long.
	lease = 2 * renewal
	// renewal is the time between renewals, as in Bitcoin Core: a router that was
	// restarted and forgot the mapping lacks it for this long at most.
	renewal = 20 * time.Minute
	// leaseMin is the shortest lease that is heeded, so that no router can have this
	// node ask it all the time.
	leaseMin = 2 * time.Minute
	// retryMin and retryMax bound the pause after an attempt without success; it
	// doubles each time. A router that is restarted takes a minute or more.
	retryMin = time.Minute
	retryMax = renewal
	// attemptTimeout bounds one attempt by one protocol: the search, and four
	// requests that time out.
	attemptTimeout = searchTime*2 + 4*requestTimeout
	// removeTimeout bounds the removal at the end, which the shutdown waits for. In a
	// local network an answer takes milliseconds; without one the lease runs out.
	removeTimeout = time.Second
)

// Limits of UPnP.
const (
	// searchTime is how long answers to a search are waited for. Devices answer
	// within a random part of it, of at least a second (UPnP Device Architecture,
	// 1.3.2).
	searchTime = 2 * time.Second
	// settleTime is how long others are waited for after the first answer: most
	// networks have one router.
	settleTime = 300 * time.Millisecond
	// searchSends is how often a search is sent, since datagrams get lost.
	searchSends = 2
	// maxNetworks is the number of local networks searched: one, and those of
	// virtual machines and containers.
	maxNetworks = 8
	// maxAnswers is the number of answers taken from one network, and maxDatagrams
	// the number looked at.
	maxAnswers   = 16
	maxDatagrams = 256
	// maxAnswer is the length of an answer, in bytes: a datagram of an Ethernet.
	maxAnswer = 1500
	// maxRouters is the number of devices tried in an attempt, and maxConnections
	// the number of connections tried on each.
	maxRouters     = 4
	maxConnections = 4
	// requestTimeout bounds one HTTP request with its answer.
	requestTimeout = 3 * time.Second
	// maxBody is the length of a device's description or answer, in bytes. Usual are
	// 5,000; decoded, the worst that fits needs some 8 MB for a moment.
	maxBody = 64 << 10
	// maxHeader is the length of an answer's HTTP header, in bytes.
	maxHeader = 8 << 10
	// maxPorts is the number of other ports tried if the wanted one is taken.
	maxPorts = 3
	// maxText is the length of a router's words in an error, in bytes.
	maxText = 200
)

// Limits of NAT-PMP.
const (
	// pmpTimeout is the time of a call to the library, which can't be interrupted:
	// it sends twice, 250 ms apart, and waits 500 ms for the second answer.
	pmpTimeout = 750 * time.Millisecond
	// pmpCalls is the number of calls until a router counts as silent, after 3 s. The
	// RFC has a minute in mind; the next attempt comes after that.
	pmpCalls = 4
)
