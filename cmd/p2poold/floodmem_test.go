package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/p2p/message"
)

const (
	// floodMemory is what a node may have resident in bytes, whatever its peers do.
	floodMemory = 256 << 20
	// floodPeers are all inbound peers but the node's own one.
	floodPeers = 113
	// shareMemory is what the chain keeps in memory for a share, in bytes. In a short
	// chain as much ballast stands for each share that it lacks.
	shareMemory = 650
	// floodQuiet is how long a write must be stuck for the flood to be over: nothing
	// more is taken. Turns at a busy node are shorter.
	floodQuiet = 3 * time.Second
	// floodVariable in the environment has TestFloodMemory use a chain as long as the
	// retention with its candidates. floodChild makes the test binary the node: the
	// address of another, a folder, the tip to sync to, the time and the ballast, in
	// lines.
	floodVariable = "P2POOL_FULL_WINDOW"
	floodChild    = "P2POOLD_FLOOD_CHILD"
)

// TestFloodMemory: a node with the whole retention stays below 256 MiB while all of its
// inbound peers ask for shares as fast as they may and read nothing. The chain is one of
// 15,000 shares, the rest is ballast, unless P2POOL_FULL_WINDOW is set.
func TestFloodMemory(t *testing.T) {
	if peakResident(t, os.Getpid()) == 0 {
		t.Skip("this system does not tell what a process has resident")
	}
	if raceDetector {
		t.Skip("the race detector takes several times the memory")
	}
	j := newJoinNet(t, 10_000)
	old := j.start(t.TempDir())
	full := int(j.params.RetentionShares) * 11 / 10
	shares := full / 10
	if os.Getenv(floodVariable) != "" {
		shares = full
	}
	old.fill(shares)
	addr, pid := j.floodTarget(old, max(0, full-shares)*shareMemory)
	before := peakResident(t, pid)
	asked := j.floodDeaf(addr, old)
	after := peakResident(t, pid)
	t.Logf("%d shares; %d peers sent %.1f MB of requests and read nothing: at most %.0f MB resident before, %.0f in all",
		shares, floodPeers, float64(asked)/1e6, float64(before)/1e6, float64(after)/1e6)
	if after > floodMemory {
		t.Errorf("%d bytes were resident, at most %d are allowed", after, floodMemory)
	}
}

// floodTarget starts the node in a process of its own and returns when it has synced.
func (j *joinNet) floodTarget(from *joinNode, ballast int) (addr string, pid int) {
	j.Helper()
	exe, err := os.Executable()
	if err != nil {
		j.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestFloodMemoryChild$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s\n%s\n%v\n%d\n%d", floodChild,
		from.addr(), j.TempDir(), from.chain.Tip().ID, j.now.Load(), ballast))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		j.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		j.Fatal(err)
	}
	j.Cleanup(func() {
		in.Close() // the child ends
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		j.Fatalf("the node says %q: %v", line, err)
	}
	return strings.TrimSpace(line), cmd.Process.Pid
}

// TestFloodMemoryChild is the node of TestFloodMemory.
func TestFloodMemoryChild(t *testing.T) {
	lines := strings.Split(os.Getenv(floodChild), "\n")
	if len(lines) != 5 {
		return // the test runs by itself
	}
	j := newJoinNet(t, 1)
	now, err1 := strconv.ParseInt(lines[3], 10, 64)
	size, err2 := strconv.Atoi(lines[4])
	tip, err3 := chainhash.NewHashFromStr(lines[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	ballast := make([]byte, size)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1 // so that it is resident
	}
	j.now.Store(now)
	go governMemory(context.Background(), memoryGoal)
	n := j.start(lines[1], lines[0])
	n.sync(*tip)
	fmt.Println(n.addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(ballast)
	os.Exit(0)
}

// floodDeaf connects all peers to the node and has them ask for shares anywhere in the
// chain, without reading, until it takes no more. It returns how many bytes it took.
func (j *joinNet) floodDeaf(addr string, from *joinNode) (asked int) {
	j.Helper()
	requests := j.floodRequests(from)
	taken := make([]int, floodPeers)
	var wg sync.WaitGroup
	for i := range taken {
		c, err := j.newcomer(addr)
		if err == nil {
			_, err = c.in.Next() // verack
		}
		if err != nil {
			j.Fatalf("peer %d: %v", i, err)
		}
		j.Cleanup(func() { c.Close() })
		tcp := c.Conn.(*net.TCPConn)
		if err := errors.Join(tcp.SetReadBuffer(4096), tcp.SetWriteBuffer(4096)); err != nil {
			j.Fatal(err)
		}
		wg.Go(func() {
			for k := i; ; k++ {
				_ = tcp.SetWriteDeadline(time.Now().Add(floodQuiet))
				n, err := tcp.Write(requests[k%len(requests)])
				taken[i] += n
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, n := range taken {
		asked += n
	}
	return asked
}

// floodRequests returns frames that ask for as much as a request may.
func (j *joinNet) floodRequests(from *joinNode) (frames [][]byte) {
	j.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	tip := from.chain.Tip().Height
	for range 20 {
		m := &message.GetShares{Parents: message.MaxParents}
		for len(m.IDs) < message.MaxGetShares {
			if id, ok := from.chain.IDAt(tip - rng.Uint32N(tip*4/5)); ok {
				m.IDs = append(m.IDs, id)
			}
		}
		frame, err := message.AppendFrame(nil, j.params.Magic, m)
		if err != nil {
			j.Fatal(err)
		}
		frames = append(frames, frame)
	}
	return frames
}
