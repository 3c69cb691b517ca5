// Command p2poold is a node of a decentralised Bitcoin mining pool.
//
// It joins the parts that the library packages implement and has no logic of its
// own:
//
//	main.go       process: arguments, signals, exit codes
//	config*.go    flags and conf file → config, checked and completed
//	log.go        loggers for the library packages
//	datadir*.go   the data directory and its lock
//	version.go    version
//	node.go       wiring: makes the parts and joins them
//	adapters.go   parts as other parts want to see them
//	start.go      the wait for the Bitcoin node, loading of the sharechain
//	run.go        running the parts side by side until the end
//	openblocks.go found blocks → peers
//	templates.go  Bitcoin node → sharechain → miners
//	restart*.go   the program replaces itself; ports.go keeps its ports open
//	reload.go     the conf file is read again
//	supervise.go  when miners must get no work
//	backend*.go   answers to RPC commands
//
// Exit codes: 0 stopped as asked, 1 failed while running, 2 the arguments or the
// conf file must be corrected.
package main
