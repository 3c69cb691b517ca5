// Command p2pctl sends a command to a running p2poold and prints the answer.
//
//	p2pctl [options] METHOD [PARAMETER…]
//
// It reads the same conf file as p2poold, so that on the node's own machine it
// needs no options but, where it is not mainnet, --network:
//
//	config.go   options, conf file → where the node is and how to log in
//	client.go   one JSON-RPC call, with errors that say what to do
//	tables.go   tables for the methods that people use most
//	bans.go     that of listbanned
//	payouts.go  that of getpayouts, and the page about one payee
//	payees.go   whom the node's jobs pay
//	generic.go  any other answer, as indented names and values
//	format.go   numbers, amounts, times
//
// Exit codes: 0 done, 1 the node cannot be reached or refuses, 2 the arguments or
// the conf file must be corrected.
package main
