// Package chaingen makes valid sharechains for tests, share by named share,
// after an idea of dcrd's package of that name.
//
// A Generator works out difficulty, uncle accounting and payouts from the shares
// it has made, by the definitions and without package blockchain, so that the
// two check each other. Tests draw their chains in comments and name the shares:
//
//	g.Next("a1", "a0")                        // a0 - a1
//	g.Next("b1", "a0")                        //   \- b1
//	g.Next("a2", "a1", chaingen.Uncles("b1")) // a0 - a1 - a2(b1)
//
// It works with parameters whose difficulty a CPU meets at once: regtest's with
// the option Easy. A Generator is not safe for concurrent use.
package chaingen
