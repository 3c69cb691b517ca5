package bitcoind

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/btcsuite/websocket"
)

const (
	// maxNotice bounds a notification, in bytes. One has a header's 160 hex digits and
	// some 100 around them, or a hash; more would be transactions, which nobody asked for.
	maxNotice = 64 << 10
	// wsHandshake bounds the upgrade of the connection.
	wsHandshake = 10 * time.Second
	// wsPing is the pause between pings, wsSilence the longest time without an answer.
	wsPing    = 30 * time.Second
	wsSilence = 90 * time.Second
)

// listenWebsocket listens to btcd's block notifications. btcd's own client library isn't
// used: its connecting can't be interrupted and it takes messages of any size.
func (c *Client) listenWebsocket(ctx context.Context, f *feed, up func()) error {
	dialer := net.Dialer{Timeout: c.timing.dial}
	conn, err := dialer.DialContext(ctx, "tcp", c.end.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	ws, err := c.upgrade(conn)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer func() { cancel(); <-done }()
	go func() {
		defer close(done)
		pingWebsocket(ctx, ws)
	}()
	return readNotices(ws, f, up)
}

// upgrade makes a websocket of the connection and asks for notifications.
func (c *Client) upgrade(conn net.Conn) (*websocket.Conn, error) {
	user, pass, err := c.end.credentials()
	if err != nil {
		return nil, err
	}
	login := base64.StdEncoding.EncodeToString([]byte(user + ":" + pass))
	header := http.Header{"Authorization": {"Basic " + login}}
	if err := conn.SetDeadline(time.Now().Add(wsHandshake)); err != nil {
		return nil, err
	}
	const buffer = 4 << 10
	ws, _, err := websocket.NewClient(conn, &url.URL{Scheme: "ws", Host: c.end.addr, Path: "/ws"}, header, buffer, buffer)
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(maxNotice)
	call, err := marshalCall("1.0", 1, "notifyblocks", nil)
	if err != nil {
		return nil, err
	}
	if err := ws.WriteMessage(websocket.TextMessage, call); err != nil {
		return nil, err
	}
	return ws, conn.SetDeadline(time.Time{})
}

// pingWebsocket keeps a connection that is alive from falling silent.
func pingWebsocket(ctx context.Context, ws *websocket.Conn) {
	ticker := time.NewTicker(wsPing)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := ws.WriteControl(websocket.PingMessage, nil, now.Add(wsHandshake)); err != nil {
				ws.Close()
				return
			}
		}
	}
}

// readNotices reads until the connection ends.
func readNotices(ws *websocket.Conn, f *feed, up func()) error {
	alive := func(string) error { return ws.SetReadDeadline(time.Now().Add(wsSilence)) }
	ws.SetPongHandler(alive)
	confirmed := false
	for {
		if err := alive(""); err != nil {
			return err
		}
		_, text, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		n, err := parseNotice(text)
		switch {
		case err != nil:
			return err
		case n.confirmed && !confirmed:
			confirmed = true
			up()
		case n.s != nil:
			n.s.source = f.source
			f.put(*n.s)
		}
	}
}

// notice is a message of btcd's.
type notice struct {
	confirmed bool      // it answers notifyblocks
	s         *sighting // nil if it isn't news of a block
}

// parseNotice reads a message. Those that mean nothing here are no error.
func parseNotice(text []byte) (n notice, err error) {
	var msg struct {
		Method string            `json:"method"`
		Params []json.RawMessage `json:"params"`
		Error  json.RawMessage   `json:"error"`
		ID     json.RawMessage   `json:"id"`
	}
	if err := json.Unmarshal(text, &msg); err != nil {
		return n, fmt.Errorf("notification can't be read: %w", err)
	}
	switch msg.Method {
	case "":
		if len(msg.Error) > 0 && string(msg.Error) != "null" {
			return n, fmt.Errorf("btcd refuses: %s", clip(string(msg.Error)))
		}
		return notice{confirmed: string(msg.ID) == "1"}, nil
	case "filteredblockconnected": // height, header, transactions
		if len(msg.Params) < 2 {
			return n, errors.New("notification without a header")
		}
		n.s, err = noticeHeader(msg.Params[1])
		return n, err
	}
	// blockconnected has the same without the header, and comes after it.
	return n, nil
}

// noticeHeader reads a header in hex.
func noticeHeader(raw json.RawMessage) (*sighting, error) {
	var digits string
	if err := json.Unmarshal(raw, &digits); err != nil {
		return nil, fmt.Errorf("header in a notification: %w", err)
	}
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != wire.MaxBlockHeaderPayload {
		return nil, fmt.Errorf("header of %d bytes in a notification", len(b))
	}
	header := new(wire.BlockHeader)
	if err := header.Deserialize(bytes.NewReader(b)); err != nil {
		return nil, err
	}
	return &sighting{hash: header.BlockHash(), header: header}, nil
}
