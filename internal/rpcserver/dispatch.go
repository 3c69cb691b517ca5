package rpcserver

import (
	"bytes"
	"context"
	"encoding/json"
)

// maxBatchAnswer bounds the answer to a batch, in bytes: beyond it the rest of
// the batch is answered with an error instead of being executed.
const maxBatchAnswer = 8 << 20

// responseV2 is a JSON-RPC 2.0 answer: result or error, never both.
type responseV2 struct {
	Version string          `json:"jsonrpc"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
	ID      json.RawMessage `json:"id"`
}

// responseV1 is a JSON-RPC 1.0 answer: both members always, one of them null.
type responseV1 struct {
	Result json.RawMessage `json:"result"`
	Error  *Error          `json:"error"`
	ID     json.RawMessage `json:"id"`
}

// answer executes a request body and returns the response body, nil if there is
// nothing to say because all of it were notifications.
func (s *Server) answer(ctx context.Context, body []byte) []byte {
	reqs, batch, err := parseBody(body)
	if err != nil {
		return encodeResponse(&request{v2: true}, nil, err)
	}
	if !batch {
		return s.respond(ctx, &reqs[0])
	}
	var out bytes.Buffer
	for i := range reqs {
		var one []byte
		if out.Len() > maxBatchAnswer {
			one = tooLarge(&reqs[i])
		} else {
			one = s.respond(ctx, &reqs[i])
		}
		if one == nil {
			continue
		}
		if out.Len() > 0 {
			out.WriteByte(',')
		}
		out.Write(one)
	}
	if out.Len() == 0 {
		return nil
	}
	return bytes.Join([][]byte{[]byte("["), out.Bytes(), []byte("]")}, nil)
}

// respond executes one request and returns its encoded answer, nil for a
// notification.
func (s *Server) respond(ctx context.Context, r *request) []byte {
	if r.err != nil {
		return encodeResponse(r, nil, r.err)
	}
	result, err := s.call(ctx, r)
	if err != nil {
		s.log.Debugf("Method %s: %v", quoteShort(r.method), err)
	}
	if r.notification {
		return nil
	}
	if err != nil {
		return encodeResponse(r, nil, wireError(err))
	}
	raw, err := json.Marshal(result)
	if err != nil { // a value such as NaN in an answer
		s.log.Errorf("Method %s: cannot encode the answer: %v", r.method, err)
		return encodeResponse(r, nil, &Error{CodeInternal, "the answer cannot be encoded: " + err.Error()})
	}
	return encodeResponse(r, raw, nil)
}

// call looks the method up, checks the parameters and runs the handler.
func (s *Server) call(ctx context.Context, r *request) (any, error) {
	m := findMethod(r.method)
	if m == nil {
		return nil, unknownMethod(r.method)
	}
	args, err := m.arguments(r.params)
	if err != nil {
		return nil, err
	}
	return m.handle(ctx, s.cfg.Backend, args)
}

// tooLarge answers what is left of a batch whose answer is already too large.
func tooLarge(r *request) []byte {
	if r.notification {
		return nil
	}
	return encodeResponse(r, nil, &Error{CodeInvalidRequest, "the answer to this batch is too large; use smaller batches"})
}

// encodeResponse encodes an answer in the version of the request.
func encodeResponse(r *request, result json.RawMessage, rpcErr *Error) []byte {
	id := r.id
	if id == nil {
		id = json.RawMessage("null")
	}
	var v any
	if r.v2 {
		v = responseV2{Version: "2.0", Result: result, Error: rpcErr, ID: id}
	} else {
		if result == nil {
			result = json.RawMessage("null")
		}
		v = responseV1{Result: result, Error: rpcErr, ID: id}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		// Every part has been encoded before; only the id comes from outside
		// and it was valid JSON. Answer without it rather than not at all.
		return []byte(`{"result":null,"error":{"code":-32603,"message":"the answer cannot be encoded"},"id":null}`)
	}
	return raw
}
