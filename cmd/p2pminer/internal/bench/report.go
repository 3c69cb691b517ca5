package bench

import (
	"math"
	"runtime"
	"time"
)

// Report is what a run has measured. Latencies are in milliseconds, sizes in bytes.
type Report struct {
	Mode        Mode    `json:"mode"`
	Server      string  `json:"server"`
	TLS         bool    `json:"tls"`
	Connections int     `json:"connections"` // asked for
	Interrupted bool    `json:"interrupted"` // by the user
	Seconds     float64 `json:"seconds"`     // of submitting or being idle

	Logins      Logins            `json:"logins"`
	Submits     *Submits          `json:"submits,omitempty"`
	Blocks      Spread            `json:"blocks"` // new Bitcoin blocks
	Work        Spread            `json:"work"`   // all new work: after blocks, share tips, templates
	Lost        map[string]uint64 `json:"lost"`   // connections after their login, by reason
	SlowReaders *SlowReaders      `json:"slowreaders,omitempty"`
	Messages    map[string]uint64 `json:"messages"`    // texts that the server showed to clients
	BytesIn     float64           `json:"bytesin"`     // a connection got, all in all
	BytesOut    float64           `json:"bytesout"`    // a connection sent
	Jobs        float64           `json:"jobs"`        // a connection got
	Resuggested uint64            `json:"resuggested"` // times a client asked for its first difficulty again

	Generator Generator `json:"generator"`
	Process   *Process  `json:"process,omitempty"` // the server's, if it was named
	// Machine is the share of time in which all processors of the machine were busy,
	// from 0 to 1; -1: unknown.
	Machine    float64 `json:"machine"`
	Processors int     `json:"processors"` // of the machine
	// Limit is what kept the figures from being better: LimitRate and so on. Because
	// says why it is thought so.
	Limit   string `json:"limit"`
	Because string `json:"because"`
}

// Latency sums up durations, in milliseconds.
type Latency struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
	Mean  float64 `json:"mean"`
}

// Logins tells of them: from the beginning of the connection to the first job.
type Logins struct {
	Started   int64             `json:"started"`
	Succeeded uint64            `json:"succeeded"`
	Failed    map[string]uint64 `json:"failed"`    // by reason, with those that timed out
	TimedOut  uint64            `json:"timedout"`  //
	Dropped   uint64            `json:"dropped"`   // broken off on purpose
	Seconds   float64           `json:"seconds"`   // from the first one's beginning to the last one's end
	PerSecond float64           `json:"persecond"` //
	Latency   Latency           `json:"latency"`
}

// Submits tells of the submissions.
type Submits struct {
	Wanted     float64           `json:"wanted"`     // a second; 0: as fast as answers come
	Sent       uint64            `json:"sent"`       //
	Answered   uint64            `json:"answered"`   //
	Accepted   uint64            `json:"accepted"`   //
	Rejected   map[string]uint64 `json:"rejected"`   // by reason
	Unanswered uint64            `json:"unanswered"` // when the run ended, or the connection did
	HeldBack   uint64            `json:"heldback"`   // not sent: too many of the connection had no answer
	Unsolved   uint64            `json:"unsolved"`   // not sent: no solution was found in time
	PerSecond  float64           `json:"persecond"`  // answers in the time that counts
	// From writing to the answer.
	Latency Latency `json:"latency"`
	// From when it was due, by the rate, to the answer: this includes what a server
	// that answers late makes the generator wait. The same without a rate.
	LatencyDue Latency `json:"latencydue"`
	// From when it was due to writing: the generator's own lateness.
	Late Latency `json:"late"`
}

// Spread tells how long new work takes to reach all connections.
type Spread struct {
	Events     int `json:"events"`     // that reached all
	Incomplete int `json:"incomplete"` // that did not, because newer work overtook them or the run ended
	// From the first connection to the last, of each event.
	ToLast Latency `json:"tolast"`
	// From the first connection to each other one.
	ToEach Latency `json:"toeach"`
}

// SlowReaders tells of the clients that never read.
type SlowReaders struct {
	LoggedIn uint64  `json:"loggedin"`
	Closed   Latency `json:"closed"` // by the server: how long after their login
}

// Generator tells what the load cost on this side.
type Generator struct {
	Threads int     `json:"threads"`
	CPU     float64 `json:"cpu"`  // processors in use; -1: unknown
	Busy    float64 `json:"busy"` // share of time in which the event loops had something to do
	// Capacity is how many submissions a second one processor of its own could send,
	// with what each has cost; too low if the loops were seldom busy.
	Capacity        float64 `json:"capacity"`
	Hashes          uint64  `json:"hashes"`          // tried
	HashesPerSubmit float64 `json:"hashespersubmit"` // for each solution found
	Prepared        uint64  `json:"prepared"`        // solutions found before submitting began
}

// Process tells of the server's.
type Process struct {
	ResidentBefore   int64 `json:"residentbefore"`   // without connections
	ResidentLoggedIn int64 `json:"residentloggedin"` // after the logins
	ResidentEnd      int64 `json:"residentend"`      // with the connections
	// PerConnection is what came with each connection until the end. It means something
	// only if the server had no more connections since its start: freed memory stays
	// resident for a while.
	PerConnection float64 `json:"perconnection"`
	CPU           float64 `json:"cpu"`          // processors in use
	CPULogin      float64 `json:"cpulogin"`     // processor time for each login, in milliseconds
	CPUSubmit     float64 `json:"cpusubmit"`    // processor time for each answer, in milliseconds
	FilesBefore   int     `json:"filesbefore"`  // descriptors, without connections
	FilesAfter    int     `json:"filesafter"`   // again without connections
	ThreadsAfter  int     `json:"threadsafter"` // of the operating system
}

func latency(h *histogram) Latency {
	ms := func(d time.Duration) float64 { return round(float64(d)/1e6, 4) }
	return Latency{
		Count: h.n, P50: ms(h.quantile(0.5)), P95: ms(h.quantile(0.95)), P99: ms(h.quantile(0.99)),
		P999: ms(h.quantile(0.999)), Max: ms(h.max), Mean: ms(h.mean()),
	}
}

// round keeps some digits behind the point.
func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}

// ratio is a quotient, 0 if there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// report sums up, after the loops have ended.
func (r *run) report(s *sampler, interrupted bool) *Report {
	var sum stats
	for _, l := range r.loops {
		sum.merge(&l.stats)
	}
	rep := &Report{
		Mode: r.cfg.Mode, Server: r.server.String(), TLS: r.cfg.TLS, Connections: r.cfg.Connections,
		Interrupted: interrupted, Seconds: round(since(r.start.Load(), r.end.Load()).Seconds(), 3),
		Logins: r.logins(&sum), Lost: sum.lost.counts(), Messages: sum.messages.counts(), Resuggested: sum.suggested,
		Processors: runtime.NumCPU(),
	}
	logins := float64(sum.login.n)
	rep.BytesIn = round(ratio(float64(sum.bytesIn), logins), 1)
	rep.BytesOut = round(ratio(float64(sum.bytesOut), logins), 1)
	rep.Jobs = round(ratio(float64(sum.jobs), logins), 2)
	rep.Blocks, rep.Work = r.spreads(&sum)
	if r.cfg.submits() {
		rep.Submits = r.submitted(&sum, s)
	}
	if r.cfg.SlowReaders > 0 {
		rep.SlowReaders = &SlowReaders{LoggedIn: sum.mute, Closed: latency(&sum.muteLost)}
	}
	r.costs(rep, &sum, s)
	rep.judge()
	return rep
}

func (r *run) logins(sum *stats) Logins {
	took := since(sum.firstBegin, sum.lastLogin).Seconds()
	if sum.login.n == 0 {
		took = 0
	}
	return Logins{
		Started: r.started.Load(), Succeeded: sum.login.n, Failed: sum.failed.counts(), TimedOut: sum.timedOut, Dropped: sum.dropped,
		Seconds: round(took, 3), PerSecond: round(ratio(float64(sum.login.n), took), 1), Latency: latency(&sum.login),
	}
}

func (r *run) spreads(sum *stats) (blocks, work Spread) {
	b, w := r.board.spreads(r.start.Load(), r.end.Load())
	return Spread{b.complete, b.incomplete, latency(&b.toLast), latency(&sum.blockSpread)},
		Spread{w.complete, w.incomplete, latency(&w.toLast), latency(&sum.workSpread)}
}

func (r *run) submitted(sum *stats, s *sampler) *Submits {
	return &Submits{
		Wanted: r.cfg.Rate, Sent: sum.sent, Answered: sum.answer.n, Accepted: sum.accepted, Rejected: sum.rejected.counts(),
		Unanswered: sum.unanswered, HeldBack: sum.heldBack, Unsolved: sum.unsolved,
		PerSecond: round(ratio(float64(s.answers), since(r.start.Load(), r.end.Load()).Seconds()), 1),
		Latency:   latency(&sum.answer), LatencyDue: latency(&sum.total), Late: latency(&sum.late),
	}
}

// costs fills in what generator, server and machine spent.
func (r *run) costs(rep *Report, sum *stats, s *sampler) {
	g := &rep.Generator
	g.Threads, g.CPU, g.Hashes, g.Prepared = r.cfg.Threads, -1, sum.hashes, sum.prepared
	g.HashesPerSubmit = round(ratio(float64(sum.hashes), float64(sum.solutions)), 1)
	rep.Machine = -1
	begin, end := s.samples[atBegin], s.samples[atEnd]
	if begin != nil && end != nil {
		wall := end.time.Sub(begin.time)
		g.Busy = round(1-ratio(float64(sum.waited), float64(wall)*float64(r.cfg.Threads)), 3)
		if begin.hasOwn && end.hasOwn {
			own := end.own - begin.own
			g.CPU = round(ratio(float64(own), float64(wall)), 3)
			g.Capacity = round(ratio(float64(sum.sent), own.Seconds()), 0)
		}
		if total := end.total - begin.total; total > 0 {
			rep.Machine = round(ratio(float64(end.busy-begin.busy), float64(total)), 3)
		}
	}
	rep.Process = s.process(rep, float64(r.connected.Load()))
}

// process fills in what is known of the server's.
func (s *sampler) process(rep *Report, connected float64) *Process {
	start, in, exit := s.samples[atStart], s.samples[atLoggedIn], s.samples[atExit]
	if s.pid == 0 || start == nil || in == nil || exit == nil {
		return nil
	}
	p := &Process{
		ResidentBefore: start.server.resident, ResidentLoggedIn: in.server.resident, ResidentEnd: in.server.resident,
		CPULogin:    round(ratio((in.server.cpu-start.server.cpu).Seconds()*1e3, float64(rep.Logins.Succeeded)), 4),
		FilesBefore: start.server.files, FilesAfter: exit.server.files, ThreadsAfter: exit.server.threads,
	}
	if connected == 0 {
		connected = float64(rep.Logins.Succeeded)
	}
	if begin, end := s.samples[atBegin], s.samples[atEnd]; begin != nil && end != nil && end.hasOther {
		p.ResidentEnd = end.server.resident
		cpu := (end.server.cpu - begin.server.cpu).Seconds()
		p.CPU = round(ratio(cpu, end.time.Sub(begin.time).Seconds()), 3)
		p.CPUSubmit = round(ratio(cpu*1e3, float64(s.answers)), 5)
	}
	p.PerConnection = round(ratio(float64(p.ResidentEnd-p.ResidentBefore), connected), 0)
	return p
}
