// Package bitcoindtest stands in for Bitcoin nodes in tests and in the demo.
//
// [Start] runs a real node on a private regtest network: btcd, which the module pins as
// a tool, or Bitcoin Core where the environment variable P2POOL_BITCOIND names its
// program. It listens on loopback only, keeps everything in one directory and is ended
// by its process id. [StartTest] wraps it for tests.
//
// [Fake] is a scripted node inside the process: it speaks enough JSON-RPC to serve
// templates and to take blocks, and fails in every way a test asks for.
//
// Nothing but tests, the demo and the test harness may import this package. It talks to
// nodes with its own few lines of JSON-RPC, so that it also checks what the product's
// adapter says. [Node] and [Fake] are safe for concurrent use.
package bitcoindtest
