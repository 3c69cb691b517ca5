package bench

import "fmt"

// Limits, for Report.
const (
	LimitNone      = ""          // nothing was to be driven to its limit
	LimitRate      = "rate"      // the server did all that was asked of it
	LimitServer    = "server"    // it is what was measured
	LimitGenerator = "generator" // the server could have done more
	LimitMachine   = "machine"   // server and generator share too few processors
)

const (
	// fullyBusy is the share of time from which on a loop, or all processors, count as
	// busy all the time: some is always lost in waking up.
	fullyBusy = 0.95
	// punctual is how late, in milliseconds, one submission in a hundred may be written:
	// above, the generator did not get to it. Go's timers alone are up to 1 ms late.
	punctual = 5
	// patience is the latency, in milliseconds, above which one answer in a hundred shows
	// that the server does not keep up with a rate.
	patience = 1000
	// hardWork is from how many hashes on a solution costs more than to send it.
	hardWork = 50
	// foreign is from how many processors on it is worth telling that others use them:
	// the kernel's work for connections may count as theirs.
	foreign = 0.2
)

// judge says what the figures are the figures of.
func (rep *Report) judge() {
	s := rep.Submits
	if s == nil || s.Sent == 0 && s.Unsolved == 0 {
		return
	}
	g := &rep.Generator
	due := s.Sent + s.HeldBack + s.Unsolved
	switch {
	case s.Unsolved*100 > due:
		rep.say(LimitGenerator, "%d submissions were not sent, as no solution was found in time: "+
			"a solution takes %.0f hashes; lower the difficulty, or prepare for longer", s.Unsolved, g.HashesPerSubmit)
	case s.Wanted > 0 && s.HeldBack*100 > due:
		rep.say(LimitServer, "%d submissions were not sent, as their connections had %d without an answer", s.HeldBack, MaxDepth)
	case s.Wanted > 0 && s.Late.P99 <= punctual && float64(due) >= 0.99*s.Wanted*rep.Seconds:
		rep.judgeRate()
	case g.Busy >= fullyBusy && g.HashesPerSubmit > hardWork:
		rep.say(LimitGenerator, "its event loops were busy looking for solutions, which take %.0f hashes, %s; "+
			"lower the difficulty, or prepare for longer", g.HashesPerSubmit, rep.shares())
	case rep.Machine >= fullyBusy:
		rep.say(LimitMachine, "all processors were busy, %s; with processors of their own both could do more", rep.shares())
	case g.Busy >= fullyBusy:
		rep.say(LimitGenerator, "its event loops were busy all the time, %s; give it more --threads", rep.shares())
	case s.Wanted > 0:
		rep.say(LimitMachine, "one submission in a hundred was written more than %.1f ms late although the processors were not busy all the time, %s; "+
			"there are moments when all want them, such as new work", s.Late.P99, rep.shares())
	default:
		rep.say(LimitServer, "the generator was waiting for answers, %s; more --connections or --depth may show more", rep.shares())
	}
}

// judgeRate judges a run whose submissions were written in time.
func (rep *Report) judgeRate() {
	s := rep.Submits
	if s.Unanswered*100 > s.Sent || s.LatencyDue.P99 > patience {
		rep.say(LimitServer, "everything was written in time and %d were not answered, or late", s.Unanswered)
		return
	}
	rep.say(LimitRate, "everything was written in time and answered, %s", rep.shares())
}

// shares says who used how much.
func (rep *Report) shares() string {
	text := fmt.Sprintf("the generator used %.2f processors", rep.Generator.CPU)
	if rep.Process == nil {
		return text
	}
	text += fmt.Sprintf(", the server %.2f", rep.Process.CPU)
	others := rep.Machine*float64(rep.Processors) - rep.Generator.CPU - rep.Process.CPU
	if rep.Machine < 0 || others < foreign {
		return text
	}
	return text + fmt.Sprintf(", the rest of the machine %.2f", others)
}

func (rep *Report) say(limit, format string, args ...any) {
	rep.Limit, rep.Because = limit, fmt.Sprintf(format, args...)
}
