package main

import ver "github.com/p2poold/p2poold/cmd/internal/version"

// version returns the release and the commit that the program was built from.
func version() string { return ver.String() }

// userAgent is how the node names itself to peers.
func userAgent() string { return ver.UserAgent("p2poold") }
