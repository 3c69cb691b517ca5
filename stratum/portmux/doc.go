// Package portmux lets one port speak several protocols: Stratum, Stratum or HTTP inside
// TLS, and HTTP, each with a PROXY header in front if it comes from a proxy that the
// operator named. The first bytes that a client sends tell which.
//
// stratum.Server accepts connections and calls Mux.Admit, which takes a place for each
// (package connlimit), and then, in the connection's own goroutine, Conn.Handshake. That
// reads as few bytes as tell the protocol, no more than 16, and gives them back to whoever
// reads the connection next. What turns out to be HTTP goes to a server of its own.
//
//	accept     place among all, and of the client's address
//	PROXY      from named proxies only; then the place of the address that it names
//	protocol   first bytes: '{' or white space, 0x16 0x03, the name of an HTTP method
//	TLS        handshake, then once more the first bytes
//
// Everything up to the protocol must be there within Config.Timeout. The time goes on in
// the Stratum session, which has it from Conn.Accepted.
//
// A connection costs one goroutine throughout, and what was read ahead is freed once it
// is consumed. TLS handshakes compute in turns: see gate.
//
// httpServer.mu and warnings.mu are leaves.
package portmux
