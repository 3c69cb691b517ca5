package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"github.com/p2poold/p2poold/cmd/internal/conffile"
	"github.com/p2poold/p2poold/internal/rpcserver"
)

// maxAnswer bounds the answer that is read, in bytes: getpayouts of 10,000
// payees, the most that it gives, has up to 8 MB.
const maxAnswer = 16 << 20

// response is the answer to the one call that this program makes.
type response struct {
	Result json.RawMessage  `json:"result"`
	Error  *rpcserver.Error `json:"error"`
}

// call sends the command and returns its result. Errors say what to do about
// them.
func call(ctx context.Context, cfg *config, params []any) (json.RawMessage, error) {
	if cfg.user == "" {
		var err error
		if cfg.user, cfg.password, err = rpcserver.ReadCookie(cfg.CookieFile); err != nil {
			return nil, cookieError(cfg, err)
		}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": cfg.method, "params": params})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+cfg.server+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(cfg.user, cfg.password)
	// No proxy and no redirects: the request carries the password.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, connectError(cfg, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, connectError(cfg, err)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	case resp.StatusCode != http.StatusOK:
		return nil, statusError(cfg, resp.StatusCode, answer)
	}
	return decodeAnswer(cfg, answer)
}

func decodeAnswer(cfg *config, answer []byte) (json.RawMessage, error) {
	var r response
	if err := json.Unmarshal(answer, &r); err != nil || r.Result == nil && r.Error == nil {
		return nil, fmt.Errorf("%s does not answer like a p2poold; is --rpcserver right?", cfg.server)
	}
	if r.Error == nil {
		return r.Result, nil
	}
	text := rpcserver.Printable(r.Error.Message)
	if r.Error.Code == rpcserver.CodeMethodNotFound {
		return nil, fmt.Errorf("there is no method %q%s; p2pctl help lists all", cfg.method,
			conffile.Suggest(cfg.method, rpcserver.MethodNames()))
	}
	return nil, fmt.Errorf("%s (error %d)", text, r.Error.Code)
}

// cookieError says why there is no password.
func cookieError(cfg *config, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no cookie file %s: either no p2poold is running for network %v and pool %s "+
			"(see --network, --pool, --datadir), or it uses --rpcuser and --rpcpass", cfg.CookieFile, cfg.params.Network, cfg.params.Pool)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the cookie file %s cannot be read; run p2pctl as the user who runs p2poold", cfg.CookieFile)
	}
	return fmt.Errorf("cookie file: %w", err)
}

// connectError says why the node could not be talked to.
func connectError(cfg *config, err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no p2poold accepts commands on %s: is it running, and for network %v? (see --network, --rpcserver)",
			cfg.server, cfg.params.Network)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer from %s within %v (see --timeout)", cfg.server, cfg.Timeout)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%s closed the connection without an answer; is --rpcserver right, and the node not stopping?", cfg.server)
	}
	return fmt.Errorf("cannot talk to %s: %w", cfg.server, err)
}

// statusError says why the node refused the request before looking at it.
func statusError(cfg *config, status int, answer []byte) error {
	const most = 200 // bytes of the text; it may come from something else than p2poold
	text := rpcserver.Printable(strings.TrimSpace(string(answer[:min(most, len(answer))])))
	if status == http.StatusUnauthorized {
		if cfg.User != "" {
			return fmt.Errorf("%s refuses user %q with this password; compare --rpcuser and --rpcpass with the node's", cfg.server, cfg.User)
		}
		return fmt.Errorf("%s refuses the cookie of %s: it belongs to another p2poold, or that one uses --rpcuser and --rpcpass", cfg.server, cfg.CookieFile)
	}
	return fmt.Errorf("%s refuses: %s (HTTP %d)", cfg.server, text, status)
}
