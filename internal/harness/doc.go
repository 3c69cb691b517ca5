// Package harness runs whole nodes: p2poold and p2pminer as child processes
// beside a real Bitcoin node, for the end-to-end tests and for the demo.
//
// Everything listens on loopback, on ports chosen free, and keeps its files
// below one directory. Children end with their parent.
package harness
