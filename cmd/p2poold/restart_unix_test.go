//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/internal/rpcserver"
	"github.com/p2poold/p2poold/mining/bitcoindtest"
)

// envProgram makes the test binary the program.
const envProgram = "P2POOLD_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(envProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// process runs the program in a process of its own. extra files are its descriptors from 3
// on.
func process(t *testing.T, dir string, fake *bitcoindtest.Fake, env []string, extra []*os.File, args ...string) (*program, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command(os.Args[0], arguments(dir, fake, args...)...)
	cmd.Env = append(append(os.Environ(), envProgram+"=1"), env...)
	cmd.ExtraFiles = extra
	p := launch(t, dir, func(stdout, stderr io.Writer) int {
		cmd.Stdout, cmd.Stderr = stdout, stderr
		err := cmd.Run()
		if exit, ok := err.(*exec.ExitError); ok {
			return exit.ExitCode()
		}
		if err != nil {
			fmt.Fprintln(stderr, err)
			return exitRun
		}
		return exitOK
	})
	return p, cmd
}

// lineMiner is a miner with one processor.
type lineMiner struct {
	net.Conn
	r                    *bufio.Reader
	session, extranonce1 string
	job                  []any // parameters of the last notify
	difficulty           float64
	solved               int
	read                 strings.Builder // all lines
}

// logIn connects, naming a session if it is not empty.
func logIn(t *testing.T, addr, agent, session, user string) *lineMiner {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m := &lineMiner{Conn: conn, r: bufio.NewReader(conn)}
	fmt.Fprintf(m, `{"id":1,"method":"mining.subscribe","params":["%s","%s"]}`+"\n"+`{"id":2,"method":"mining.authorize","params":["%s","x"]}`+"\n", agent, session, user)
	var answer struct{ Result []any }
	if err := json.Unmarshal([]byte(m.line(t)), &answer); err != nil {
		t.Fatal(err)
	}
	m.session = answer.Result[0].([]any)[1].([]any)[1].(string)
	m.extranonce1 = answer.Result[1].(string)
	for m.job == nil {
		m.notified(t, m.line(t))
	}
	return m
}

func (m *lineMiner) line(t *testing.T) string {
	t.Helper()
	m.SetReadDeadline(time.Now().Add(patience))
	line, err := m.r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	m.read.WriteString(line)
	return line
}

// notified takes the job or difficulty of a line, if it has one.
func (m *lineMiner) notified(t *testing.T, line string) {
	t.Helper()
	var note struct {
		Method string
		Params []any
	}
	if err := json.Unmarshal([]byte(line), &note); err != nil {
		t.Fatal(err)
	}
	switch note.Method {
	case "mining.notify":
		m.job = note.Params
	case "mining.set_difficulty":
		m.difficulty = note.Params[0].(float64)
	}
}

// solve finds a nonce for the newest job.
func (m *lineMiner) solve(t *testing.T, extranonce2 string) uint32 {
	t.Helper()
	text := func(i int) string { return m.job[i].(string) }
	bytesOf := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	word := func(s string) []byte {
		b := bytesOf(s)
		slices.Reverse(b)
		return b
	}
	root := chainhash.DoubleHashH(bytesOf(text(2) + m.extranonce1 + extranonce2 + text(3)))
	for _, b := range m.job[4].([]any) {
		root = chainhash.DoubleHashH(append(root[:], bytesOf(b.(string))...))
	}
	header := word(text(5))
	for i := 0; i < 64; i += 8 {
		header = append(header, word(text(1)[i:i+8])...)
	}
	header = slices.Concat(header, root[:], word(text(7)), word(text(6)), make([]byte, 4))
	goal := target.FromDifficulty(m.difficulty)
	for nonce := range uint32(100_000_000) {
		binary.LittleEndian.PutUint32(header[76:], nonce)
		hash := chainhash.DoubleHashH(header)
		if target.HashMeets(&hash, &goal) {
			return nonce
		}
	}
	t.Fatal("no solution")
	return 0
}

// work hands in a solution that must be accepted.
func (m *lineMiner) work(t *testing.T, user string) {
	t.Helper()
	m.solved++
	extranonce2 := fmt.Sprintf("%08x%08x", os.Getpid(), m.solved)
	fmt.Fprintf(m, `{"id":4,"method":"mining.submit","params":["%s","%s","%s","%s","%08x"]}`+"\n",
		user, m.job[0], extranonce2, m.job[7], m.solve(t, extranonce2))
	for {
		line := m.line(t)
		if strings.HasPrefix(line, `{"id":4,`) {
			if !strings.HasPrefix(line, `{"id":4,"result":true`) {
				t.Fatal(line)
			}
			return
		}
		m.notified(t, line)
	}
}

// knocker connects again and again and counts who is refused.
func knocker(addr string, stop chan struct{}, wg *sync.WaitGroup, knocks, refused *atomic.Int64) {
	defer wg.Done()
	for {
		select {
		case <-stop:
			return
		case <-time.After(5 * time.Millisecond):
		}
		conn, err := net.DialTimeout("tcp", addr, patience)
		knocks.Add(1)
		if err != nil {
			refused.Add(1)
			continue
		}
		conn.Close()
	}
}

// TestRestart: the program replaces itself, on a signal and over RPC, in the same process
// and on the same ports; nobody who connects is refused, and a miner goes on with his
// session and statistics.
func TestRestart(t *testing.T) {
	withHome(t)
	dir, fake := t.TempDir(), newFake(t)
	p, cmd := process(t, dir, fake, nil, nil)
	addr := p.await(t, `Stratum listens on (\S+)`)[1]
	awaitInfo(t, p, "the node works", healthy)
	const agent = "cgminer/4.12"
	user := regP2WPKH + "+0.0000001"
	m := logIn(t, addr, agent, "", user)
	m.work(t, user)
	accepted := call[[]rpcserver.MinerInfo](t, p, "getminers")[0].Accepted

	for round, restart := range []func(){
		func() { cmd.Process.Signal(syscall.SIGUSR2) },
		func() {
			if answer := call[string](t, p, "restart"); answer != "p2poold is restarting" {
				t.Errorf("%q", answer)
			}
		},
	} {
		var wg sync.WaitGroup
		var knocks, refused atomic.Int64
		stop := make(chan struct{})
		wg.Add(1)
		go knocker(addr, stop, &wg, &knocks, &refused)
		began := time.Now()
		restart()
		asked := false
		for {
			m.SetReadDeadline(time.Now().Add(patience))
			line, err := m.r.ReadString('\n')
			asked = asked || strings.Contains(line, "client.reconnect")
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the connection does not end")
			}
			if err != nil {
				break
			}
		}
		if !asked {
			t.Error("the miner was not asked to connect again")
		}
		back := logIn(t, addr, agent, m.session, user)
		t.Logf("the miner had a job again %v after the restart began; %d others connected meanwhile", time.Since(began), knocks.Load())
		close(stop)
		wg.Wait()
		if refused.Load() > 0 {
			t.Errorf("%d of %d connections refused", refused.Load(), knocks.Load())
		}
		if back.session != m.session || back.extranonce1 == m.extranonce1 {
			t.Errorf("session %s with %s, was %s with %s", back.session, back.extranonce1, m.session, m.extranonce1)
		}
		m = back
		p.await(t, strings.Repeat(`(?s)P2PD: p2poold .*`, round+2))
		miners := call[[]rpcserver.MinerInfo](t, p, "getminers")
		if len(miners) != 1 || miners[0].Accepted < accepted || miners[0].Connections != 1 || miners[0].HashRate <= 0 || miners[0].BestSession <= 0 {
			t.Errorf("%+v", miners)
		}
		m.work(t, user)
	}
	p.stop(t)
	if n := strings.Count(p.stdout.String(), "Stratum listens on "+addr); n != 3 {
		t.Errorf("%d times on %s", n, addr)
	}
}

// TestRestartHammered: signals that come at any moment of a restart don't end the process.
func TestRestartHammered(t *testing.T) {
	withHome(t)
	dir, fake := t.TempDir(), newFake(t)
	p, cmd := process(t, dir, fake, nil, nil)
	p.await(t, `Stratum listens on`)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for _, sig := range []os.Signal{syscall.SIGUSR2, syscall.SIGHUP} {
		wg.Go(func() {
			for ticker := time.NewTicker(100 * time.Microsecond); ; {
				select {
				case <-stop:
					return
				case <-ticker.C:
					cmd.Process.Signal(sig)
				}
			}
		})
	}
	p.await(t, strings.Repeat(`(?s)P2PD: p2poold .*`, 6))
	cmd.Process.Kill() // it would restart before it does what RPC asks for
	p.wait(t)
}

// TestRestartRefused: with a conf file that is wrong, neither restart nor reload changes
// anything.
func TestRestartRefused(t *testing.T) {
	withHome(t)
	dir, fake := t.TempDir(), newFake(t)
	conf := dir + "/test.conf"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("fee=1\n")
	p, cmd := process(t, dir, fake, nil, nil, "-C", conf)
	awaitInfo(t, p, "the node works", healthy)

	write("fee=1\nnonsense=1\n")
	callError(t, p, rpcserver.CodeInternal, "nonsense", "restart")
	callError(t, p, rpcserver.CodeInternal, "nonsense", "reload")
	cmd.Process.Signal(syscall.SIGUSR2)
	p.await(t, `No restart: .*nonsense`)
	cmd.Process.Signal(syscall.SIGHUP)
	p.await(t, `Nothing is changed: .*nonsense`)

	write("fee=2.5\nmaxpeers=7\ndebuglevel=debug\n")
	cmd.Process.Signal(syscall.SIGHUP)
	p.await(t, `The configuration was read again.*changed: fee, debuglevel`)
	p.await(t, `take effect after a restart: maxpeers`)
	if again := call[rpcserver.Reload](t, p, "reload"); len(again.Changed) != 0 || len(again.Restart) != 1 {
		t.Errorf("%+v", again)
	}
	if levels := call[map[string]string](t, p, "debuglevel"); levels[subsysStratum] != "debug" {
		t.Errorf("%v", levels)
	}
	addr := p.await(t, `Stratum listens on (\S+)`)[1]
	m := logIn(t, addr, "rig/1", "", regP2WPKH)
	for !strings.Contains(m.read.String(), "a fee of 2.5") {
		m.line(t)
	}
	if miners := call[[]rpcserver.MinerInfo](t, p, "getminers"); len(miners) != 1 || miners[0].Fee != 2.5 {
		t.Errorf("%+v", miners)
	}
	p.stop(t)
}

// TestReloadIntoFault: if one thing cannot be taken over, nothing is.
func TestReloadIntoFault(t *testing.T) {
	withHome(t)
	dir, fake := t.TempDir(), newFake(t)
	conf := filepath.Join(dir, "test.conf")
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(conf, "fee=1\n")
	p, _ := process(t, dir, fake, nil, nil, "-C", conf)
	awaitInfo(t, p, "the node works", healthy)
	write(conf, "fee=2\ndebuglevel=debug\n")
	write(filepath.Join(dir, "regtest-main", "stratum.pem"), "junk")
	callError(t, p, rpcserver.CodeInternal, "stratum.pem", "reload")
	if levels := call[map[string]string](t, p, "debuglevel"); levels[subsysStratum] != "info" {
		t.Errorf("%v", levels)
	}
	logIn(t, p.await(t, `Stratum listens on (\S+)`)[1], "rig/1", "", regP2WPKH)
	if miners := call[[]rpcserver.MinerInfo](t, p, "getminers"); len(miners) != 1 || miners[0].Fee != 1 {
		t.Errorf("%+v", miners)
	}
	p.stop(t)
}

// TestRestartIntoFault: what the new program would end by keeps the old one running.
func TestRestartIntoFault(t *testing.T) {
	withHome(t)
	dir, fake := t.TempDir(), newFake(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	conf := filepath.Join(dir, "test.conf")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	p, _ := process(t, dir, fake, nil, nil, "-C", conf)
	awaitInfo(t, p, "the node works", healthy)
	for option, text := range map[string]string{
		"stratumcert":      "stratumcert=/nope.pem\nstratumkey=/nope.pem\n",
		"stratumtlslisten": "stratumtlslisten=" + taken.Addr().String() + "\n",
		"rpccookiefile":    "rpccookiefile=" + dir + "/nope/cookie\n",
		"logdir":           "logdir=" + conf + "\n",
	} {
		write(text)
		callError(t, p, rpcserver.CodeInternal, option, "restart")
	}
	write("stratumtlslisten=127.0.0.1:0\n")
	call[string](t, p, "restart")
	p.await(t, `Stratum over TLS listens on`)
	p.await(t, strings.Repeat(`(?s)RPC server listening.*`, 2)) // before that there is no cookie
	awaitInfo(t, p, "the node works", healthy)
	p.stop(t)
}

// TestCheckDoesNotHang: what the checked program leaves behind is not waited for, nor is
// its exit code lost.
func TestCheckDoesNotHang(t *testing.T) {
	dir := t.TempDir()
	for _, code := range []string{"0", "3"} {
		path, pidFile := filepath.Join(dir, "program"+code), filepath.Join(dir, "pid"+code)
		script := "#!/bin/sh\nsleep 1000 &\necho $! >" + pidFile + "\necho some words\nexit " + code + "\n"
		if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		err := (&control{ports: new(ports)}).checkWith(t.Context(), path)
		text, readErr := os.ReadFile(pidFile)
		pid, numErr := strconv.Atoi(strings.TrimSpace(string(text)))
		if readErr != nil || numErr != nil {
			t.Fatal(err, readErr, numErr)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("exit code %s: it was waited for what was left: %v", code, err)
		}
		if (err == nil) != (code == "0") || err != nil && !strings.Contains(err.Error(), "some words") {
			t.Errorf("exit code %s: %v", code, err)
		}
	}
}

// TestSocketActivation: sockets that systemd holds are listened on if they are configured,
// and closed if not.
func TestSocketActivation(t *testing.T) {
	withHome(t)
	var files []*os.File
	var addrs []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, l.Addr().String())
		files = append(files, f)
		l.Close()
	}
	dir, fake := t.TempDir(), newFake(t)
	// The process's number is not known before it runs: a shell sets it.
	args := arguments(dir, fake)
	for i, arg := range args {
		if strings.HasPrefix(arg, "--stratumlisten") {
			args[i] = "--stratumlisten=" + addrs[0]
		}
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", `LISTEN_PID=$$ LISTEN_FDS=2 exec "$0" "$@"`, os.Args[0]}, args...)...)
	cmd.Env = append(os.Environ(), envProgram+"=1")
	cmd.ExtraFiles = files
	p := launch(t, dir, func(stdout, stderr io.Writer) int {
		cmd.Stdout, cmd.Stderr = stdout, stderr
		cmd.Run()
		return cmd.ProcessState.ExitCode()
	})
	p.await(t, `Nothing is configured to listen on `+addrs[1])
	p.await(t, `Stratum listens on `+addrs[0])
	for _, f := range files {
		f.Close()
	}
	awaitInfo(t, p, "the node works", healthy)
	logIn(t, addrs[0], "rig/1", "", regP2WPKH)
	if conn, err := net.DialTimeout("tcp", addrs[1], patience); err == nil {
		conn.Close()
		t.Error("the other socket is open")
	}
	p.stop(t)
}
