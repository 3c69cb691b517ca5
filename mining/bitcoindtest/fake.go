package bitcoindtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/chaincfg/v2"
)

// User and password of a [Fake].
const (
	FakeUser = "p2pool"
	FakePass = "secret"
)

// maxRequest bounds a request to a [Fake], in bytes.
const maxRequest = 32 << 20

// Faults is how a [Fake] misbehaves; the zero value is a sound node.
type Faults struct {
	// Pass is the password it wants instead of FakePass.
	Pass string

	// Status makes it answer everything with this HTTP status and the text of Body.
	Status int
	Body   string

	// Raw makes it answer a method with these bytes in place of JSON-RPC.
	Raw map[string]string

	// Errors makes it answer a method with an error.
	Errors map[string]*btcjson.RPCError

	// Delay is how long it waits before it answers a method.
	Delay map[string]time.Duration

	// InitialDownload makes it say that it is still downloading the chain.
	InitialDownload bool

	// Template changes each template before it is sent.
	Template func(map[string]any)
}

// Fake is a scripted Bitcoin node. Its blocks are headers with a coinbase; it checks of a
// submitted block no more than its proof of work and its place. It is safe for concurrent
// use.
type Fake struct {
	params *chaincfg.Params
	btcd   bool
	addr   string
	chain  *fakeChain

	mu     sync.Mutex // guards what follows
	faults Faults
	calls  map[string]int
	server *http.Server // nil while down
	done   chan struct{}
}

// NewFake starts a fake node on the given network that speaks like Bitcoin Core, or like
// btcd. It listens on loopback; end it with [Fake.Down].
func NewFake(params *chaincfg.Params, likeBtcd bool) (*Fake, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	f := &Fake{
		params: params, btcd: likeBtcd, addr: net.JoinHostPort("127.0.0.1", port),
		chain: newFakeChain(params), calls: make(map[string]int),
	}
	return f, f.Up()
}

// NewFakeTest is [NewFake] for a test, which ends the node.
func NewFakeTest(tb TB, params *chaincfg.Params, likeBtcd bool) *Fake {
	tb.Helper()
	f, err := NewFake(params, likeBtcd)
	if err != nil {
		tb.Fatalf("fake Bitcoin node: %v", err)
	}
	tb.Cleanup(f.Down)
	return f
}

// Up makes a node that is down listen again at the same address.
func (f *Fake) Up() error {
	l, err := net.Listen("tcp", f.addr)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.server = &http.Server{Handler: http.HandlerFunc(f.serve), ReadHeaderTimeout: 10 * time.Second}
	f.done = make(chan struct{})
	go func(server *http.Server, done chan struct{}) {
		defer close(done)
		_ = server.Serve(l) // always ErrServerClosed
	}(f.server, f.done)
	return nil
}

// Down closes the port and all connections, as the end of the node would.
func (f *Fake) Down() {
	f.mu.Lock()
	server, done := f.server, f.done
	f.server = nil
	f.mu.Unlock()
	if server != nil {
		_ = server.Close() // the port is closed in any case
		<-done
	}
}

// Addr returns host:port.
func (f *Fake) Addr() string { return f.addr }

// URL returns the address with user and password.
func (f *Fake) URL() string {
	u := url.URL{Scheme: "http", Host: f.addr, User: url.UserPassword(FakeUser, FakePass)}
	return u.String()
}

// SetFaults replaces the node's misbehaviour.
func (f *Fake) SetFaults(faults Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults
}

// Calls returns how often a method was called.
func (f *Fake) Calls(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// rpcRequest is a JSON-RPC request.
type rpcRequest struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

// rpcReply is its answer.
type rpcReply struct {
	Result any               `json:"result"`
	Error  *btcjson.RPCError `json:"error"`
	ID     json.RawMessage   `json:"id"`
}

// serve answers an HTTP request.
func (f *Fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	faults := f.faults
	f.mu.Unlock()

	pass := FakePass
	if faults.Pass != "" {
		pass = faults.Pass
	}
	if _, got, _ := r.BasicAuth(); got != pass {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if faults.Status != 0 {
		w.WriteHeader(faults.Status)
		fmt.Fprint(w, faults.Body)
		return
	}
	var body json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}

	var batch []rpcRequest
	if json.Unmarshal(body, &batch) == nil {
		replies := make([]rpcReply, len(batch))
		for i := range batch {
			replies[i] = f.answer(r.Context(), &batch[i], &faults)
		}
		_ = json.NewEncoder(w).Encode(replies) // fails if the caller is gone
		return
	}
	var req rpcRequest
	if err := json.Unmarshal(body, &req); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	reply := f.answer(r.Context(), &req, &faults)
	if raw, ok := faults.Raw[req.Method]; ok {
		fmt.Fprint(w, raw)
		return
	}
	if reply.Error != nil && !f.btcd {
		w.WriteHeader(http.StatusInternalServerError) // as Bitcoin Core does
	}
	_ = json.NewEncoder(w).Encode(reply) // fails if the caller is gone
}

// answer runs one call.
func (f *Fake) answer(ctx context.Context, req *rpcRequest, faults *Faults) rpcReply {
	f.mu.Lock()
	f.calls[req.Method]++
	f.mu.Unlock()

	if delay := faults.Delay[req.Method]; delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	reply := rpcReply{ID: req.ID}
	if reply.Error = faults.Errors[req.Method]; reply.Error == nil {
		reply.Result, reply.Error = f.dispatch(ctx, req, faults)
	}
	return reply
}
