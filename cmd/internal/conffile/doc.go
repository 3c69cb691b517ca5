// Package conffile reads the conf file that p2poold and p2pctl share and puts
// its values into the options of a go-flags parser, and makes go-flags' errors
// about unknown options helpful.
//
// go-flags has an ini parser of its own. It is not used because it reports no
// line for a bad section, visits sections in random order, lets the last of two
// contradicting lines win in silence, and also accepts the names of Go struct
// fields as keys.
//
// # The format
//
//	# a comment, also with a semicolon
//	name=value
//	name="value with quotes, escapes as in Go"
//
// Names are the long option names. An option that may be repeated on the command
// line may be repeated here; any other may appear once. A line has one entry and
// nothing after it: "#" is part of the value, since passwords may contain it.
//
// Functions have no state and may be called concurrently.
package conffile
