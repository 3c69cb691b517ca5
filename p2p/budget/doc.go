// Package budget says how much of this node's time, memory and disk one peer may
// take. It knows what an honest peer needs of each message type, with headroom, and
// tells how long a peer that takes more has to wait.
//
// Package p2p gets one Budget per connection and asks it about every message, in the
// peer's reader goroutine: Received charges the message and says how long to wait
// before it is handled. Meanwhile nothing is read from this peer, its side's
// buffers fill, and TCP slows it down. That is all that happens to a peer out of
// budget, unless it goes on for Patience with messages that nobody asked for: then
// it is not worth its slot. It is not blamed either, as no rule was broken.
//
// # What is charged
//
//   - Each message and its bytes, to buckets of its type. The answers to our own
//     requests are free: Sent notes what was asked for. So a sync runs as fast as
//     the chain verifies.
//   - The time that verifying the peer's shares took, refunded for those that were
//     valid and new. Nobody can mine those without paying for them.
//   - The time that answering its requests took.
//   - Shares that were pushed at us, to buckets of the peer's address group (Groups):
//     connections are easily made in numbers, addresses in many groups are not.
//
// The connections of a host spend from one budget, and what they have left when they end
// is where the next one begins. Beside each other each has an eighth of a budget to
// itself, so that nobody behind the same address can starve another (Hosts).
//
// Turns gives the peers their turn at what only one can do at a time. Whoever has
// taken least goes first, so a new share of an honest peer doesn't queue behind a
// flood.
//
// # Concurrency
//
// Nothing here looks at a clock or starts a goroutine; time is passed in. All methods
// of Budget, Hosts, Groups and Turns are safe for concurrent use. Their locks are leaves,
// but for that of Hosts, which comes before those of budgets. A Bucket is for its owner
// alone.
package budget
