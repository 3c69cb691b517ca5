package rpcserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// ServeHTTP answers one HTTP request. It is exported for net/http only.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if refused := s.guard.check(r); refused != nil {
		s.refuse(w, r, refused)
		return
	}
	if refused := s.authenticate(w, r); refused != nil {
		s.refuse(w, r, refused)
		return
	}
	body, refused := readBody(w, r)
	if refused != nil {
		s.refuse(w, r, refused)
		return
	}
	if c := requestConn(r.Context()); c != nil {
		c.setBusy(true)
		defer c.setBusy(false)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Timeouts.Request)
	defer cancel()
	answer := s.answer(ctx, body)
	if answer == nil { // notifications only
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer = append(answer, '\n')
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(answer)))
	// Errors here mean that the client is gone. The answer has to be on its way
	// before the connection counts as idle: a server that stops closes those.
	w.Write(answer)
	http.NewResponseController(w).Flush()
}

// authenticate checks the Basic credentials of the request.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) *refusal {
	user, password, ok := r.BasicAuth()
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="p2poold"`)
		return &refusal{http.StatusUnauthorized, "credentials are missing: use the cookie file or rpcuser and rpcpass"}
	}
	// An evicted connection stops waiting for its turn, so no more requests
	// wait than there are connections.
	var evicted <-chan struct{}
	if c := requestConn(r.Context()); c != nil {
		evicted = c.closed
	}
	if s.auth.check(s.ctx, evicted, user, password) {
		return nil
	}
	select {
	case <-evicted: // perhaps not even checked, and nobody reads the answer
		return &refusal{http.StatusServiceUnavailable, "too many connections"}
	default:
	}
	if ok, more := s.badLogin.allow(time.Now()); ok {
		s.log.Warnf("Wrong RPC user or password from %s (and %d times more since the last such line)", r.RemoteAddr, more)
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="p2poold"`)
	return &refusal{http.StatusUnauthorized, "wrong user or password"}
}

// refuse turns a request away and closes its connection.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, why *refusal) {
	s.log.Debugf("Refused a request from %s: %s", r.RemoteAddr, why.text)
	if why.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.Header().Set("Connection", "close")
	http.Error(w, why.text, why.status)
}

// readBody reads the body up to its limit.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodySize))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &refusal{http.StatusRequestEntityTooLarge, "the request body is larger than 1 MiB"}
	}
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "the request body could not be read"}
	}
	return body, nil
}
