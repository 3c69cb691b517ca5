package lossynet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// each runs a test on both kinds of network: the simulated one in virtual time, the
// other in namespaces, if they are to be had.
func each(t *testing.T, hosts int, f func(t *testing.T, n *Network)) {
	t.Run("simulated", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := Simulated(hosts, 1)
			f(t, n)
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("namespaces", func(t *testing.T) {
		before := runtime.NumGoroutine()
		n, err := Namespaces(hosts, 1)
		if errors.Is(err, ErrUnavailable) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		f(t, n)
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d goroutines are left, %d were there before", runtime.NumGoroutine(), before)
			}
		}
	})
}

// pair connects two hosts.
func pair(t *testing.T, n *Network, from, to int) (dialed, accepted net.Conn) {
	t.Helper()
	l, err := n.Host(to).Listen("tcp", n.Host(to).Addr().String()+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err = n.Host(from).Dial(context.Background(), "tcp", l.Addr().String())
	if err == nil {
		accepted, err = l.Accept()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return dialed, accepted
}

// echo sends bytes there and back and returns how long that took.
func echo(t *testing.T, a, b net.Conn, size int) time.Duration {
	t.Helper()
	sent := make([]byte, size)
	for i := range sent {
		sent[i] = byte(rand.Uint32())
	}
	start := time.Now()
	errs := make(chan error, 2)
	go func() {
		_, err := io.CopyN(b, b, int64(size))
		errs <- err
	}()
	go func() {
		_, err := a.Write(sent)
		errs <- err
	}()
	got := make([]byte, size)
	_, err := io.ReadFull(a, got)
	if err = errors.Join(err, <-errs, <-errs); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sent, got) {
		t.Fatal("other bytes come back")
	}
	return time.Since(start)
}

func TestStream(t *testing.T) {
	each(t, 2, func(t *testing.T, n *Network) {
		a, b := pair(t, n, 0, 1)
		if a.RemoteAddr().String() != b.LocalAddr().String() || a.LocalAddr().String() != b.RemoteAddr().String() {
			t.Errorf("%v-%v, %v-%v", a.LocalAddr(), a.RemoteAddr(), b.LocalAddr(), b.RemoteAddr())
		}
		echo(t, a, b, 1<<20)
		if st := n.Stats(); st.Passed == 0 || st.Lost != 0 {
			t.Errorf("%+v", st)
		}
		// A stream's end comes after its bytes.
		if _, err := a.Write([]byte("the end")); err != nil {
			t.Fatal(err)
		}
		a.Close()
		if got, err := io.ReadAll(b); err != nil || string(got) != "the end" {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := a.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("written after the end: %v", err)
		}
	})
}

func TestLossAndDelay(t *testing.T) {
	each(t, 3, func(t *testing.T, n *Network) {
		const delay = 20 * time.Millisecond
		n.Set(0, 2, Link{Delay: delay})
		n.Set(2, 0, Link{Delay: delay})
		c, d := pair(t, n, 0, 2)
		if took := echo(t, c, d, 100); took < 2*delay {
			t.Errorf("there and back in %v", took)
		}

		n.Set(0, 1, Link{Loss: 0.2})
		n.Set(1, 0, Link{Loss: 0.2})
		a, b := pair(t, n, 0, 1)
		for range 20 {
			echo(t, a, b, 1000)
		}
		st := n.Stats()
		if lost := float64(st.Lost) / float64(st.Lost+st.Passed); lost < 0.05 || lost > 0.35 {
			t.Errorf("%.2f of %+v are lost", lost, st)
		}
	})
}

func TestCutAndHeal(t *testing.T) {
	each(t, 3, func(t *testing.T, n *Network) {
		a, b := pair(t, n, 0, 1)
		c, d := pair(t, n, 0, 2)
		for name, cut := range map[string]func(from, to int) bool{
			"both ways": func(from, to int) bool { return (from == 1) != (to == 1) },
			"there":     func(from, to int) bool { return to == 1 },
			"back":      func(from, to int) bool { return from == 1 },
		} {
			n.Down(cut)
			go a.Write([]byte{1})
			buf := make([]byte, 1)
			b.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := b.Read(buf); (err == nil) != (name == "back") {
				t.Errorf("%s: read %v", name, err)
			} else if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			echo(t, c, d, 100)
			n.Heal()
			b.SetReadDeadline(time.Time{})
			if name != "back" {
				if _, err := b.Read(buf); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			echo(t, a, b, 100)
		}
	})
}

// TestReset: whoever goes on writing to a connection that the other has closed is told.
func TestReset(t *testing.T) {
	each(t, 2, func(t *testing.T, n *Network) {
		a, b := pair(t, n, 0, 1)
		a.Close()
		var err error
		for range 100 {
			if _, err = b.Write([]byte{1}); err != nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("written to a closed connection: %v", err)
		}
	})
}

func TestDialFails(t *testing.T) {
	each(t, 2, func(t *testing.T, n *Network) {
		if _, err := n.Host(0).Dial(context.Background(), "tcp", "10.2.0.1:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
		n.Set(1, 0, Link{Down: true})
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if _, err := n.Host(0).Dial(ctx, "tcp", "10.2.0.1:1"); err == nil {
			t.Error("connected over a link that is cut")
		}
		for _, addr := range []string{"10.2.0.1", "localhost:1", "[::1]:1"} {
			if _, err := n.Host(0).Dial(context.Background(), "tcp", addr); err == nil {
				t.Errorf("dialed %s", addr)
			}
		}
		if _, err := n.Host(0).Listen("tcp", "10.2.0.1:0"); err == nil {
			t.Error("listens on another's address")
		}
	})
}

// TestRepeats: the same seed loses the same packets.
func TestRepeats(t *testing.T) {
	draw := func(seed uint64) (lost []bool) {
		n := newNetwork(2, seed)
		n.SetAll(Link{Loss: 0.5})
		for range 100 {
			_, ok := n.pass(0, 1)
			_, back := n.pass(1, 0)
			lost = append(lost, ok, back)
		}
		return lost
	}
	first, again, other := draw(1), draw(1), draw(2)
	same := func(a, b []bool) (n int) {
		for i := range a {
			if a[i] == b[i] {
				n++
			}
		}
		return n
	}
	if same(first, again) != len(first) || same(first, other) > len(first)*3/4 {
		t.Errorf("%d equal with the same seed, %d with another", same(first, again), same(first, other))
	}
}

// TestPatience: a simulated connection ends when the kernel's would.
func TestPatience(t *testing.T) {
	tests := []struct {
		name  string
		write bool
		want  time.Duration // at least; at most half as much again
	}{
		{"idle", false, keepAliveDead},
		{"unacknowledged", true, giveUp},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := Simulated(2, 1)
				a, b := pair(t, n, 0, 1)
				time.Sleep(10 * keepAlive)
				echo(t, a, b, 100)
				n.Set(0, 1, Link{Down: true})
				start := time.Now()
				if test.write {
					if _, err := a.Write([]byte{1}); err != nil {
						t.Fatal(err)
					}
				}
				_, err := a.Read(make([]byte, 1))
				if took := time.Since(start); !errors.Is(err, syscall.ETIMEDOUT) || took < test.want || took > test.want*3/2 {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}
