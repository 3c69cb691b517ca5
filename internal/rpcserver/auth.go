package rpcserver

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"time"
)

const (
	// failDelay is what a wrong password costs, as in Bitcoin Core.
	failDelay = 250 * time.Millisecond

	// maxAttempts is the number of logins checked at once. A wrong one keeps
	// its slot for failDelay whatever the client does, so that all clients
	// together guess at most maxAttempts / failDelay = 32 passwords a second.
	// A right one gives its slot back at once.
	maxAttempts = 8
)

// authenticator compares credentials in constant time. It keeps only a salted
// HMAC of the right ones, so that neither their length nor a common prefix
// shows in the time it takes, and they don't lie about in memory.
//
// Safe for concurrent use.
type authenticator struct {
	salt     [32]byte
	expected []byte
	attempts chan struct{} // slots of running checks
}

func newAuthenticator(user, password string) *authenticator {
	a := &authenticator{attempts: make(chan struct{}, maxAttempts)}
	rand.Read(a.salt[:]) // never fails, see crypto/rand
	a.expected = a.mac(user, password)
	return a
}

// mac authenticates the pair. User names have no colon (RFC 7617), so the
// joined form is unambiguous.
func (a *authenticator) mac(user, password string) []byte {
	h := hmac.New(sha256.New, a.salt[:])
	h.Write([]byte(user + ":" + password))
	return h.Sum(nil)
}

// check reports whether the credentials are right. It waits for a free slot,
// unless gone is closed first, and keeps the slot for failDelay if they are
// wrong. life ends both waits; it is the server's life and not the request's, or
// else a client could guess faster by hanging up.
func (a *authenticator) check(life context.Context, gone <-chan struct{}, user, password string) bool {
	select {
	case a.attempts <- struct{}{}:
	case <-gone:
		return false
	case <-life.Done():
		return false
	}
	defer func() { <-a.attempts }()
	if hmac.Equal(a.mac(user, password), a.expected) {
		return true
	}
	t := time.NewTimer(failDelay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-life.Done():
	}
	return false
}
