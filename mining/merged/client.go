package merged

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/btcsuite/btcd/chainhash/v2"
)

const (
	// maxReply bounds what is read of an answer, in bytes. The answer of
	// createauxblock has about 400; and errors may be long.
	maxReply = 64 << 10
	// maxReplyHeader bounds the headers of an answer, in bytes.
	maxReplyHeader = 16 << 10
	// maxMessage is where a text that a node says is cut, in bytes.
	maxMessage = 200
	// maxConns is how many connections to a node there may be: one that asks for
	// blocks and one that submits.
	maxConns = 2
)

// Methods of the nodes.
const (
	methodCreate = "createauxblock"
	methodSubmit = "submitauxblock"
	// methodBoth is the older one, which creates without arguments, for the node's own
	// wallet, and submits with two.
	methodBoth = "getauxblock"
)

// Codes of JSON-RPC and of Bitcoin Core's descendants.
const (
	codeMethodNotFound = -32601
	codeNotConnected   = -9
	codeSyncing        = -10
	codeWarmUp         = -28
)

// rpcError is an error that the node answered.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *rpcError) Error() string { return fmt.Sprintf("it answers %q (%d)", e.Message, e.Code) }

// isCode reports whether the node answered with one of the codes.
func isCode(err error, codes ...int) bool {
	e, ok := errors.AsType[*rpcError](err)
	return ok && slices.Contains(codes, e.Code)
}

// client calls one node. It is safe for concurrent use.
type client struct {
	end     *Endpoint
	timeout time.Duration // of a call, from dialing to the last byte
	http    *http.Client
}

func newClient(end *Endpoint, timeout time.Duration) *client {
	dialer := &net.Dialer{Timeout: timeout}
	return &client{end: end, timeout: timeout, http: &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, MaxConnsPerHost: maxConns, MaxIdleConnsPerHost: maxConns,
			IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxReplyHeader, DisableCompression: true,
		},
		// Where to would the password go?
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// close ends idle connections.
func (c *client) close() { c.http.CloseIdleConnections() }

// create asks for a block to mine. It returns the method that takes the proof.
func (c *client) create(ctx context.Context) (*template, string, error) {
	method, submit := methodBoth, methodBoth
	var raw json.RawMessage
	err := error(&rpcError{Code: codeMethodNotFound})
	if c.end.address != "" {
		method, submit = methodCreate, methodSubmit
		raw, err = c.call(ctx, method, c.end.address)
	}
	if isCode(err, codeMethodNotFound) {
		method, submit = methodBoth, methodBoth
		raw, err = c.call(ctx, method)
	}
	switch {
	case isCode(err, codeMethodNotFound) && c.end.address == "":
		return nil, "", fmt.Errorf("it has no %s: give ?address=ADDRESS behind its port, or is it a node of a chain that can be merged-mined?", methodBoth)
	case isCode(err, codeMethodNotFound):
		return nil, "", fmt.Errorf("it has neither %s nor %s: is it a node of a chain that can be merged-mined?", methodCreate, methodBoth)
	case err != nil:
		return nil, "", err
	}
	t, err := parseTemplate(raw)
	return t, submit, err
}

// forgotten is part of what Namecoin Core and its descendants say about a block whose
// template they have dropped, with the code of any bad parameter.
const forgotten = "hash unknown"

// verdict is what became of a proof.
type verdict uint8

const (
	unsettled verdict = iota // it may be worth another try
	accepted                 // the block is on the chain, or was
	rejected
	stale // the node has forgotten the block, as its chain has moved on
)

// submit hands in a proof for the block with this hash. The error says why it was not
// accepted.
func (c *client) submit(ctx context.Context, method string, hash *chainhash.Hash, proof []byte) (verdict, error) {
	raw, err := c.call(ctx, method, hash.String(), hex.EncodeToString(proof))
	return judge(raw, err)
}

// judge reads the answer to a proof: true from most nodes, nothing from some, and
// from few a text, in the manner of submitblock.
func judge(raw json.RawMessage, err error) (verdict, error) {
	e, answered := errors.AsType[*rpcError](err)
	switch {
	case err == nil:
	case isCode(err, codeNotConnected, codeSyncing, codeWarmUp):
		return unsettled, err
	case answered && strings.Contains(e.Message, forgotten):
		return stale, errors.New("the node has forgotten the block")
	case answered:
		return rejected, err
	default:
		return unsettled, err
	}
	var answer any
	if err := json.Unmarshal(raw, &answer); err != nil {
		return unsettled, err
	}
	switch v := answer.(type) {
	case nil:
		return accepted, nil
	case bool:
		if v {
			return accepted, nil
		}
		return rejected, errors.New("the node refused the block, or had one already")
	case string:
		return rejected, fmt.Errorf("the node refused the block: %q", clean(v))
	}
	return rejected, errors.New("the node's answer makes no sense")
}

// call makes a call and returns the result. Errors have no secrets.
func (c *client) call(ctx context.Context, method string, params ...string) (json.RawMessage, error) {
	if params == nil {
		params = []string{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "1.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	user, pass, err := c.end.credentials()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.end.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(user, pass)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.transportError(err)
	}
	defer resp.Body.Close()
	// One more byte tells that there is more.
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err != nil {
		return nil, c.transportError(err)
	}
	return parseReply(resp.StatusCode, text)
}

// transportError words an error of the connection. The URL in it would be repeated.
func (c *client) transportError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", c.timeout)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fmt.Errorf("it cannot be reached: %s", clean(err.Error()))
}

// parseReply reads an answer of JSON-RPC. Nodes answer errors with status 404 or 500.
func parseReply(status int, text []byte) (json.RawMessage, error) {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return nil, fmt.Errorf("it refuses user and password, or this machine (HTTP status %d)", status)
	case len(text) > maxReply:
		return nil, fmt.Errorf("it answers with more than %d bytes", maxReply)
	}
	var reply struct {
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(text, &reply); err != nil {
		return nil, fmt.Errorf("it does not answer with JSON-RPC (HTTP status %d)", status)
	}
	if len(reply.Error) > 0 && string(reply.Error) != "null" {
		e := new(rpcError)
		if err := json.Unmarshal(reply.Error, e); err != nil {
			return nil, errors.New("it answers with an error that cannot be read")
		}
		e.Message = clean(e.Message)
		return nil, e
	}
	if status != http.StatusOK || len(reply.Result) == 0 {
		return nil, fmt.Errorf("it answers without a result (HTTP status %d)", status)
	}
	return reply.Result, nil
}

// clean makes a text of a node fit for a log line: short and printable.
func clean(text string) string {
	if len(text) > maxMessage {
		text = text[:maxMessage] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
