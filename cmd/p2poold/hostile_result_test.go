package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// result is what became of an attack.
type result struct {
	before, during service
	tally          *tally
	taken          int64 // bytes that the victim read
	heap           int64 // growth in bytes
	foes           int
	lasted         time.Duration
	cpu, peace     float64       // of one processor, attackers included; before them
	newcomer       time.Duration // until an honest stranger was connected
	tries          int           // that he needed
	ends           map[string]int
	loud           []string
}

// honestPeers returns the addresses of the victim's nodes that are no attackers.
func (s *siege) honestPeers() (list []string) {
	for _, p := range s.victim.peers.Peers() {
		if p.UserAgent == userAgent() {
			list = append(list, p.Addr)
		}
	}
	return list
}

// dismissed checks that the victim has thrown each attacker out, for the right reason,
// and that it remembers those who broke a rule. It returns why connections ended.
func (s *siege) dismissed(t *testing.T, a attack, foes []*foe) map[string]int {
	const pause = 20 * time.Millisecond
	for deadline := time.Now().Add(patience); a.end != "" && time.Now().Before(deadline); time.Sleep(pause) {
		if !slices.ContainsFunc(foes, func(f *foe) bool { return s.journal.endings(disguised(f.host))[string(a.end)] == 0 }) {
			break
		}
		// Some wait for a share to lie about, and each is asked about by few.
		if _, err := s.deliver(s.victim, s.honest...); err != nil {
			t.Error(err)
			break
		}
	}
	discouraged := make(map[string]string)
	for _, e := range s.victim.peers.Banned() {
		discouraged[e.Subject.String()] = e.Reason
	}
	for _, f := range foes {
		host := disguised(f.host)
		if ends := s.journal.endings(host); a.end != "" && ends[string(a.end)] == 0 {
			t.Errorf("attacker %v was not thrown out for %q: %v", host, a.end, ends)
		}
		reason := discouraged[host.String()]
		if a.rule == "" && reason != "" || a.rule != "" && !strings.HasPrefix(reason, string(a.rule)+":") {
			t.Errorf("attacker %v is discouraged for %q, want %q", host, reason, a.rule)
		}
	}
	return s.journal.endings(hostNone)
}

// judge compares the figures with the bounds. It returns what is too slow and may have
// been the machine's fault.
func (s *siege) judge(t *testing.T, r result) (slow []string) {
	compare := func(what string, before, during []time.Duration) {
		limit := serviceRatio*rank(before, 0.95) + serviceSlack
		if raceDetector {
			limit *= raceSlowdown
		}
		if got := rank(during, 0.95); got > limit {
			slow = append(slow, fmt.Sprintf("p95 of %s is %v during the attack, %v before", what, got, rank(before, 0.95)))
		}
	}
	compare("shares", r.before.shares, r.during.shares)
	compare("pings", r.before.pings, r.during.pings)
	if most := r.mostCPU(); r.cpu > most && !raceDetector {
		slow = append(slow, fmt.Sprintf("%.0f %% of a processor are used, at most %.0f %% may be", 100*r.cpu, 100*most))
	}
	if r.heap > maxHeapGrowth {
		t.Errorf("the heap grew by %s", inMiB(r.heap))
	}
	if len(r.loud) > maxLoud {
		t.Errorf("%d lines for the operator, the last ones:\n%s", len(r.loud), strings.Join(r.loud[len(r.loud)-maxLoud:], "\n"))
	}
	if n := s.blocks.Swap(0); n > 0 {
		t.Errorf("%d blocks were submitted", n)
	}
	return slow
}

// ceilings fails whatever cannot be the machine's fault.
func (r *result) ceilings(t *testing.T) {
	if raceDetector {
		return
	}
	if p95 := max(rank(r.during.shares, 0.95), rank(r.during.pings, 0.95)); p95 >= serviceCeiling {
		t.Errorf("p95 of shares or pings is %v during the attack", p95)
	}
	if worst := rank(r.during.shares, 1); worst >= worstShare {
		t.Errorf("a share took %v", worst)
	}
}

// mostCPU returns which part of a processor an attack may use.
func (r *result) mostCPU() float64 {
	each := time.Duration(r.tally.conns.Load())*connCost + time.Duration(r.tally.bytes.Load()*int64(mibCost)/mib)
	return 2*max(r.peace, peaceShare) + attackerShare*float64(r.foes) + float64(each)/float64(r.lasted)
}

// describe words a result in a line.
func (r *result) describe(a attack) string {
	text := fmt.Sprintf("%d connections, %d messages, %s, of which %s were read; heap +%s; cpu %.0f %% of %.0f %%; shares p95 %s (before %s); pings p95 %s (%s); %s",
		r.tally.conns.Load(), r.tally.messages.Load(), inMiB(r.tally.bytes.Load()), inMiB(r.taken), inMiB(max(0, r.heap)), 100*r.cpu, 100*r.mostCPU(),
		ms(rank(r.during.shares, 0.95)), ms(rank(r.before.shares, 0.95)), ms(rank(r.during.pings, 0.95)), ms(rank(r.before.pings, 0.95)), describe(r.ends))
	if r.tries > 1 {
		text += fmt.Sprintf("; a newcomer got in after %s at the attempt %d", ms(r.newcomer), r.tries)
	}
	if a.rule != "" {
		text += fmt.Sprintf("; discouraged for %s", a.rule)
	}
	return text
}
