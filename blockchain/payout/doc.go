// Package payout decides whom the coinbase pays: the scores that a window of
// shares earns, and the draw that turns scores into at most as many outputs as
// a mining device can carry while everybody's expected payment stays exactly
// what they are owed.
//
// Both are pure functions in integers. Scores depend on the shares in the
// window alone and the draw on the scores, the coinbase value, the class and
// the parent's ShareID, so every node arrives at the same satoshi whatever path
// it took to them. docs/payouts.md explains the rules to miners.
package payout
