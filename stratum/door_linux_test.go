package stratum

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	sys "golang.org/x/sys/unix"
)

// TestNerdMinerSocket: each line leaves at once, as a NerdMiner waits for one for a second, and
// a dead miner shows within some two minutes; on a socket that was inherited, too.
func TestNerdMinerSocket(t *testing.T) {
	for name, open := range map[string]func(context.Context, string) (net.Listener, error){
		"own": ListenTCP,
		"inherited": func(ctx context.Context, addr string) (net.Listener, error) {
			l, err := ListenTCP(ctx, addr)
			if err != nil {
				return nil, err
			}
			defer l.Close()
			f, err := l.(*net.TCPListener).File()
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return net.FileListener(f)
		},
	} {
		cfg := testConfig("127.0.0.1:0")
		cfg.OpenListener = open
		server, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Listen(); err != nil {
			t.Fatal(err)
		}
		l := server.listeners[0]
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		socket, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn := server.admit(socket, false)
		defer conn.Close()
		raw, err := socket.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			for _, option := range []struct{ level, name, want int }{
				{sys.IPPROTO_TCP, sys.TCP_NODELAY, 1},
				{sys.SOL_SOCKET, sys.SO_KEEPALIVE, 1},
				{sys.IPPROTO_TCP, sys.TCP_KEEPIDLE, int(keepAlive.Idle / time.Second)},
				{sys.IPPROTO_TCP, sys.TCP_KEEPINTVL, int(keepAlive.Interval / time.Second)},
				{sys.IPPROTO_TCP, sys.TCP_KEEPCNT, keepAlive.Count},
			} {
				if got, err := sys.GetsockoptInt(int(fd), option.level, option.name); err != nil || got != option.want {
					t.Errorf("%s: option %d is %d, %v; want %d", name, option.name, got, err, option.want)
				}
			}
		})
		closeAll(server.listeners)
	}
}
