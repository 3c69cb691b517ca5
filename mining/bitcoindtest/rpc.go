package bitcoindtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/btcsuite/btcd/btcjson"
	"github.com/btcsuite/btcd/chainhash/v2"
)

// maxReply bounds a reply that [Node.Call] reads, in bytes: a block of 4 MB in hex, with
// room for a template's JSON.
const maxReply = 32 << 20

// Call asks the node by JSON-RPC and stores the answer in result, unless that is nil. An
// error that the node itself reports is a *btcjson.RPCError.
func (n *Node) Call(ctx context.Context, result any, method string, params ...any) error {
	user, pass, err := n.credentials()
	if err != nil {
		return err
	}
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "1.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.Addr(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(user, pass)
	req.Close = true // btcd closes anyhow; so no connection outlives the node
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return err
	}

	var reply struct {
		Result json.RawMessage   `json:"result"`
		Error  *btcjson.RPCError `json:"error"`
	}
	if err := json.Unmarshal(text, &reply); err != nil {
		return fmt.Errorf("%s: status %s: %w", method, resp.Status, err)
	}
	if reply.Error != nil {
		return reply.Error
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(reply.Result, result)
}

// credentials returns user and password, from the cookie file where Core writes it.
func (n *Node) credentials() (user, pass string, err error) {
	if n.opts.Cookie && n.prog.core {
		b, err := os.ReadFile(n.CookieFile())
		if err != nil {
			return "", "", err
		}
		user, pass, ok := strings.Cut(strings.TrimSpace(string(b)), ":")
		if !ok {
			return "", "", errors.New("malformed cookie file")
		}
		return user, pass, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.user, n.pass, nil
}

// Generate makes the node mine count blocks that pay Options.MiningAddress and returns
// their hashes, lowest first.
func (n *Node) Generate(ctx context.Context, count int) ([]chainhash.Hash, error) {
	var hashes []string
	var err error
	if n.prog.core {
		err = n.Call(ctx, &hashes, "generatetoaddress", count, n.opts.MiningAddress)
	} else {
		err = n.Call(ctx, &hashes, "generate", count)
	}
	if err != nil {
		return nil, fmt.Errorf("generate %d blocks: %w", count, err)
	}
	blocks := make([]chainhash.Hash, len(hashes))
	for i, s := range hashes {
		if err := chainhash.Decode(&blocks[i], s); err != nil {
			return nil, err
		}
	}
	return blocks, nil
}

// Height returns the height of the node's best chain.
func (n *Node) Height(ctx context.Context) (int64, error) {
	var height int64
	err := n.Call(ctx, &height, "getblockcount")
	return height, err
}
