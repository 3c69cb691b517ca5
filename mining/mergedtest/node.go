package mergedtest

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// User, Pass and Address are what a [Node] wants.
const (
	User    = "miner"
	Pass    = "s3cret"
	Address = "NPayMeHere"
)

// Faults is how a [Node] misbehaves; the zero value is a sound node.
type Faults struct {
	Status  int                    // answers everything with this HTTP status and Body
	Body    string                 // of Status
	Raw     map[string]string      // answers a method with these bytes
	Errors  map[string]Error       // answers a method with an error
	Hang    bool                   // answers nothing until the caller has gone
	Reject  bool                   // answers false to whatever is submitted
	Chain   *uint32                // says it is another chain
	Missing []string               // methods it does not have
	Change  func(m map[string]any) // changes what createauxblock answers
}

// Error is an error of JSON-RPC.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Accepted is a block that the node has taken.
type Accepted struct {
	Hash   chainhash.Hash
	Height int
	Proof  *AuxPow
}

// Node is a scripted node of a merged-mined chain, which judges what it is given as
// Namecoin Core does and forgets its templates when its tip changes, as that does.
// It is safe for concurrent use.
type Node struct {
	server  *httptest.Server
	closed  chan struct{}
	closing sync.Once
	chain   uint32
	bits    uint32

	mu       sync.Mutex
	faults   Faults
	prev     chainhash.Hash
	height   int
	current  chainhash.Hash
	blocks   map[chainhash.Hash]bool // that may be submitted
	accepted []Accepted
	refused  []string // why
	calls    map[string]int
}

// NewNode starts a node of the chain with this id and compact target, and ends it
// with the test.
func NewNode(tb testing.TB, chain, bits uint32) *Node {
	tb.Helper()
	n := &Node{chain: chain, bits: bits, height: 100, closed: make(chan struct{}), calls: make(map[string]int)}
	n.newTip(chainhash.Hash{1})
	n.server = httptest.NewServer(n)
	tb.Cleanup(n.Close)
	return n
}

// Close ends the node, and with it all requests that hang.
func (n *Node) Close() {
	n.closing.Do(func() {
		close(n.closed)
		n.server.CloseClientConnections()
		n.server.Close()
	})
}

// URL returns what --mergedmining takes, with the address to pay.
func (n *Node) URL() string { return n.PlainURL() + "?address=" + Address }

// PlainURL is URL without the address.
func (n *Node) PlainURL() string {
	u := url.URL{Scheme: "http", Host: n.server.Listener.Addr().String(), User: url.UserPassword(User, Pass), Path: "/"}
	return u.String()
}

// SetFaults replaces the node's misbehaviour.
func (n *Node) SetFaults(f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = f
}

// NewTip makes somebody else find the next block.
func (n *Node) NewTip() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.newTip(chainhash.HashH([]byte(rand.Text())))
}

func (n *Node) newTip(tip chainhash.Hash) {
	n.prev, n.blocks = tip, make(map[chainhash.Hash]bool)
	n.height++
	n.refresh()
}

// Refresh makes a new template on the same tip; the old one stays good.
func (n *Node) Refresh() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refresh()
}

func (n *Node) refresh() {
	header := wire.BlockHeader{
		Version: int32(n.chain<<16 | 0x0104), PrevBlock: n.prev, Bits: n.bits,
		MerkleRoot: chainhash.HashH([]byte(rand.Text())), Timestamp: time.Unix(1_700_000_000, 0),
	}
	n.current = header.BlockHash()
	n.blocks[n.current] = true
}

// Current returns the hash of the newest template.
func (n *Node) Current() chainhash.Hash {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.current
}

// Accepted returns the blocks taken so far.
func (n *Node) Accepted() []Accepted {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.accepted)
}

// Refused returns why proofs were refused.
func (n *Node) Refused() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.refused)
}

// Calls returns how often a method was called.
func (n *Node) Calls(method string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls[method]
}

// request is one of JSON-RPC.
type request struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params []string        `json:"params"`
}

// ServeHTTP implements http.Handler.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req request
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&req)
	_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the caller goes
	n.mu.Lock()
	faults := n.faults
	n.calls[req.Method]++
	n.mu.Unlock()
	user, pass, _ := r.BasicAuth()
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case faults.Hang:
		select {
		case <-r.Context().Done():
		case <-n.closed:
		}
	case user != User || pass != Pass:
		w.WriteHeader(http.StatusUnauthorized)
	case faults.Status != 0:
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(faults.Status)
		fmt.Fprint(w, faults.Body)
	case faults.Raw[req.Method] != "":
		fmt.Fprint(w, faults.Raw[req.Method])
	default:
		n.answer(w, &req, &faults)
	}
}

// answer runs one call.
func (n *Node) answer(w http.ResponseWriter, req *request, faults *Faults) {
	reply := struct {
		Result any             `json:"result"`
		Error  *Error          `json:"error"`
		ID     json.RawMessage `json:"id"`
	}{ID: req.ID}
	if e, ok := faults.Errors[req.Method]; ok {
		reply.Error = &e
	} else {
		reply.Result, reply.Error = n.call(req, faults)
	}
	switch {
	case reply.Error == nil:
	case reply.Error.Code == -32601:
		w.WriteHeader(http.StatusNotFound) // as Bitcoin Core and its descendants do
	default:
		w.WriteHeader(http.StatusInternalServerError)
	}
	_ = json.NewEncoder(w).Encode(reply) // fails if the caller is gone
}

func (n *Node) call(req *request, faults *Faults) (any, *Error) {
	if slices.Contains(faults.Missing, req.Method) {
		return nil, &Error{-32601, "Method not found"}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case req.Method == "createauxblock" && len(req.Params) == 1:
		if req.Params[0] != Address {
			return nil, &Error{-5, "Error: Invalid coinbase payout address"}
		}
		return n.template(faults), nil
	case req.Method == "getauxblock" && len(req.Params) == 0:
		return n.template(faults), nil
	case (req.Method == "submitauxblock" || req.Method == "getauxblock") && len(req.Params) == 2:
		return n.submit(req.Params[0], req.Params[1], faults)
	}
	return nil, &Error{-32601, "Method not found"}
}

// template is the answer of createauxblock.
func (n *Node) template(faults *Faults) map[string]any {
	chain := n.chain
	if faults.Chain != nil {
		chain = *faults.Chain
	}
	m := map[string]any{
		"hash": n.current.String(), "chainid": chain, "previousblockhash": n.prev.String(),
		"coinbasevalue": 625000000, "bits": fmt.Sprintf("%08x", n.bits), "height": n.height,
		"_target": strings.Repeat("f", 56) + "00000000",
	}
	if faults.Change != nil {
		faults.Change(m)
	}
	return m
}

// submit judges a block.
func (n *Node) submit(hashText, proofText string, faults *Faults) (any, *Error) {
	hash, err := chainhash.NewHashFromStr(hashText)
	if err != nil || len(hashText) != 64 {
		return nil, &Error{-8, "invalid block hash hex"}
	}
	if !n.blocks[*hash] {
		n.refused = append(n.refused, "block hash unknown")
		return nil, &Error{-8, "block hash unknown"}
	}
	proof, err := n.judge(*hash, proofText)
	if err != nil || faults.Reject {
		n.refused = append(n.refused, fmt.Sprint(err))
		return false, nil
	}
	n.accepted = append(n.accepted, Accepted{Hash: *hash, Height: n.height, Proof: proof})
	n.newTip(*hash)
	return true, nil
}

func (n *Node) judge(hash chainhash.Hash, text string) (*AuxPow, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	proof, err := ParseAuxPow(raw)
	if err != nil {
		return nil, err
	}
	if err := proof.Check(hash, n.chain); err != nil {
		return nil, err
	}
	return proof, proof.CheckWork(n.bits)
}
