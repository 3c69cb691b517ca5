package bench

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Moments at which the server, the machine and ourselves are looked at.
const (
	atStart = iota
	atLoggedIn
	atBegin // of submitting or being idle
	atEnd
	atExit // when all connections are closed
	moments
)

// sampler holds what was seen at the moments; those that were not reached are nil.
type sampler struct {
	pid     int
	samples [moments]*sample
	answers int64 // until atEnd
}

// sample is what was seen.
type sample struct {
	time     time.Time
	own      time.Duration // processor time of this process
	busy     time.Duration // of all processors
	total    time.Duration // that all processors could have been busy; 0: unknown
	server   process
	hasOwn   bool
	hasOther bool
}

// process is the state of a process.
type process struct {
	resident int64 // bytes
	cpu      time.Duration
	files    int
	threads  int
}

// tick is the unit of processor times in /proc: Linux has it at 100 a second for all
// that can be seen from outside.
const tick = time.Second / 100

func newSampler(pid int) (*sampler, error) {
	if pid != 0 {
		if _, err := readProcess(pid); err != nil {
			return nil, fmt.Errorf("--pid: %w", err)
		}
	}
	return &sampler{pid: pid}, nil
}

func (s *sampler) take(moment int) {
	now := &sample{time: time.Now()}
	now.own, now.hasOwn = ownTime()
	now.busy, now.total = machineTime()
	if s.pid != 0 {
		var err error
		now.server, err = readProcess(s.pid)
		now.hasOther = err == nil
	}
	s.samples[moment] = now
}

var errNoProc = errors.New("/proc cannot be read as on Linux")

// readProcess reads what Linux tells of a process.
func readProcess(pid int) (process, error) {
	var p process
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return p, err
	}
	// The second field, the name, may hold anything; it ends with the last bracket.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 22 {
		return p, errNoProc
	}
	var n [4]int64
	for i, field := range []int{11, 12, 17, 21} { // utime, stime, num_threads, rss
		if n[i], err = strconv.ParseInt(fields[field], 10, 64); err != nil {
			return p, errNoProc
		}
	}
	p.cpu = time.Duration(n[0]+n[1]) * tick
	p.threads = int(n[2])
	p.resident = n[3] * int64(os.Getpagesize())
	files, err := os.ReadDir(dir + "/fd")
	p.files = len(files)
	return p, err
}

// machineTime returns how long all processors together were busy and could have been.
func machineTime() (busy, total time.Duration) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(data), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0
	}
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, 0
		}
		d := time.Duration(n) * tick
		total += d
		if i != 3 && i != 4 { // idle, and waiting for a disk
			busy += d
		}
	}
	return busy, total
}
