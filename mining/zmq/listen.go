package zmq

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// handshakeTimeout bounds greeting and READY, which take a round trip each.
	handshakeTimeout = 10 * time.Second
	// messageTimeout bounds a message once it has begun: 4 MB at 400 kB/s.
	messageTimeout = 10 * time.Second
	// bufferSize holds many of the small messages.
	bufferSize = 4 << 10
)

// keepAlive finds a publisher that has gone without a word within half a minute. Bitcoin
// Core publishes nothing between blocks, so silence means nothing.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// CheckAddr returns an error unless addr is tcp://host:port, the only form known here.
func CheckAddr(addr string) error {
	_, err := hostPort(addr)
	return err
}

func hostPort(addr string) (string, error) {
	rest, ok := strings.CutPrefix(addr, "tcp://")
	host, port, err := net.SplitHostPort(rest)
	if !ok || err != nil || host == "" || port == "" {
		return "", fmt.Errorf("%q: want tcp://host:port", addr)
	}
	return rest, nil
}

// Listen connects to the publisher at addr, tcp://host:port, subscribes, calls up, and
// calls on for each event until ctx ends or the connection does. It returns the reason,
// and leaves nothing behind. on must not block.
func Listen(ctx context.Context, addr string, up func(), on func(Event)) error {
	target, err := hostPort(addr)
	if err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: keepAlive}
	conn, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := serve(conn, up, on); ctx.Err() == nil {
		return err
	}
	return ctx.Err()
}

// serve is Listen on a connection.
func serve(conn net.Conn, up func(), on func(Event)) error {
	r := &reader{br: bufio.NewReaderSize(conn, bufferSize)}
	if err := shake(conn, r); err != nil {
		return err
	}
	up()
	for {
		// The wait for a message may be long, the message itself must not.
		if err := conn.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
		if _, err := r.br.Peek(1); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(messageTimeout)); err != nil {
			return err
		}
		m, err := r.next()
		if err != nil {
			return err
		}
		e, ok, err := m.event()
		if err != nil {
			return err
		}
		if ok {
			on(e)
		}
	}
}

// shake makes us a subscriber of all topics.
func shake(conn net.Conn, r *reader) error {
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write(greeting()); err != nil {
		return err
	}
	theirs := make([]byte, greetingSize)
	if _, err := io.ReadFull(r.br, theirs); err != nil {
		return noEOF(err)
	}
	if err := checkGreeting(theirs); err != nil {
		return err
	}
	if _, err := conn.Write(ready()); err != nil {
		return err
	}
	flags, size, err := r.header()
	if err != nil {
		return noEOF(err)
	}
	if flags&flagCommand == 0 {
		return errors.New("a message where READY should be")
	}
	name, data, err := r.command(size)
	if err != nil {
		return err
	}
	if err := checkReady(string(name), data); err != nil {
		return err
	}
	var subscriptions []byte
	for _, topic := range topics {
		subscriptions = append(subscriptions, subscribe(topic)...)
	}
	if _, err := conn.Write(subscriptions); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// checkReady looks for the kind of the other side's socket among its properties.
func checkReady(name string, data []byte) error {
	if name != "READY" {
		return fmt.Errorf("%.20q instead of READY: %.100q", name, data)
	}
	for len(data) > 0 {
		n := int(data[0])
		if len(data) < 1+n+4 {
			return errors.New("READY is cut short")
		}
		key := string(data[1 : 1+n])
		data = data[1+n:]
		size := int64(data[0])<<24 | int64(data[1])<<16 | int64(data[2])<<8 | int64(data[3])
		if data = data[4:]; size > int64(len(data)) {
			return errors.New("READY is cut short")
		}
		value := string(data[:size])
		data = data[size:]
		if strings.EqualFold(key, "Socket-Type") && !slices.Contains([]string{"PUB", "XPUB"}, value) {
			return fmt.Errorf("a socket of type %.20q, not PUB", value)
		}
	}
	return nil
}
