package stratum

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/p2poold/p2poold/blockchain/target"
)

// The replay tests send what real clients send, byte by byte, and hold the answers against
// what those clients can read. A script has one step a line:
//
//	> TEXT         send a line, in one packet with the sending steps around it
//	>> TEXT        send the beginning of a line in a packet of its own
//	< TEXT         the next line of the server must be this
//	difficulty D   the next line must be a set_difficulty with this text
//	job            the next line must be a notify without clean_jobs; it becomes the
//	job clean      device's job; or one with
//	mine HOW       find a nonce for the job; HOW says how the device makes the version of
//	               $VBITS: plain (it does not roll), or, xor or replace; old: plain, for
//	               the job before
//	miss           find a nonce whose hash is above the target, plain
//	login AGENT    in one packet, as user rig; all answers and a clean job are taken
//	suggest D      the device asks for a difficulty, and gets it with a job
//	accepted       the answer to $SUBMIT is this, or
//	rejected C T   this, with code C and text T
//	ping           a ping is answered next: nothing else has come, and the connection is there
//	tip, share     a new Bitcoin block, or a new share, comes
//	wait D         time passes, as in time.ParseDuration
//	carries N      the job's coinbase has at most N bytes
//
// In TEXT, $JOB, $NTIME, $NONCE and $VBITS stand for what the device has, $OLDJOB and
// $OLDNTIME for what it had, $SHORTNONCE for the nonce without leading zeros, $E2 for its
// extranonce2, $SUB for what every subscribe is answered, $ADDR for an address, $SUBMIT and
// $OLDSUBMIT for the submission of rig's nonce for either job.
type replay struct {
	*client
	h      *harness
	payees int
	shares float64 // their difficulty
	tips   byte
	packet strings.Builder
	job    testJob
	old    testJob // the one before
	nonce  uint32
}

// replayVBits are the version bits that devices roll in the scripts.
const replayVBits = 0x00a34000

// runReplay plays a script against a server whose pool has some payees. Shares are easy.
func runReplay(t *testing.T, payees int, script string) {
	t.Helper()
	(&replay{payees: payees, shares: easy}).run(t, nil, script)
}

// runWorkReplay is the same where devices have easy work that is no share: it is about what
// they are given.
func runWorkReplay(t *testing.T, script string) {
	t.Helper()
	(&replay{payees: 1, shares: hard}).run(t, easyDevices, script)
}

func (r *replay) run(t *testing.T, change func(*Config), script string) {
	t.Helper()
	scene(t, r.work(), change, func(t *testing.T, h *harness, c *client) {
		r.h, r.client = h, c
		if err := r.steps(strings.Split(strings.TrimSpace(script), "\n")...); err != nil {
			t.Fatal(err)
		}
		r.flush()
	})
}

// work returns the pool's work on the newest tip.
func (r *replay) work() Work {
	w := newPayoutWork(r.tips, r.payees)
	w.job.ShareTarget = target.FromDifficulty(r.shares)
	return w
}

// steps names the one that fails.
func (r *replay) steps(steps ...string) error {
	for n, step := range steps {
		if step = strings.TrimSpace(step); step != "" && step[0] != '#' {
			if err := r.step(step); err != nil {
				return fmt.Errorf("step %d, %s:\n%w", n+1, step, err)
			}
		}
	}
	return nil
}

func (r *replay) step(step string) error {
	verb, text, _ := strings.Cut(step, " ")
	if verb != ">" && verb != ">>" {
		r.flush()
	}
	switch verb {
	case ">":
		r.packet.WriteString(r.expand(text) + "\n")
	case ">>":
		r.packet.WriteString(r.expand(text))
		r.flush()
	case "<":
		return r.expect(r.expand(text))
	case "difficulty":
		return r.expect(`{"id":null,"method":"mining.set_difficulty","params":[` + text + `]}`)
	case "job":
		return r.takeJob(text == "clean")
	case "mine", "miss":
		return r.mine(verb == "mine", text)
	case "login":
		return r.login(text)
	case "suggest":
		return r.steps(`> {"id": 3, "method": "mining.suggest_difficulty", "params": [`+text+`]}`,
			`< {"id":3,"result":true,"error":null}`, `difficulty `+text, `job`)
	case "accepted":
		return r.expect(accepted)
	case "rejected":
		code, text, _ := strings.Cut(text, " ")
		return r.expect(rejectedWith(code, text))
	case "ping":
		r.send(`{"id":5,"method":"mining.ping"}`)
		return r.expect(pong)
	case "tip", "share":
		if verb == "tip" {
			r.tips++
		}
		r.h.source.set(r.work(), "")
	case "wait":
		d, err := time.ParseDuration(text)
		time.Sleep(d)
		return err
	case "carries":
		if n, err := strconv.Atoi(text); err != nil || r.job.size() > n {
			return fmt.Errorf("coinbase of %d bytes", r.job.size())
		}
	default:
		return fmt.Errorf("no such step")
	}
	return nil
}

func (r *replay) flush() {
	if r.packet.Len() > 0 {
		if _, err := r.conn.Write([]byte(r.packet.String())); err != nil {
			r.t.Fatal(err)
		}
		r.packet.Reset()
	}
}

func (r *replay) expand(text string) string {
	nonce := string(appendUint32(nil, r.nonce))
	return os.Expand(text, func(name string) string {
		return map[string]string{
			"JOB": r.job.id, "NTIME": r.job.ntime, "OLDJOB": r.old.id, "OLDNTIME": r.old.ntime, "NONCE": nonce, "SHORTNONCE": strings.TrimLeft(nonce, "0"),
			"SUBMIT": r.job.submitLine("rig", r.nonce), "OLDSUBMIT": r.old.submitLine("rig", r.nonce),
			"E2": testExtranonce2, "VBITS": fmt.Sprintf("%08x", uint32(replayVBits)), "SUB": subscribeResult, "ADDR": regtestAddr,
		}[name]
	})
}

func (r *replay) expect(want string) error {
	if got := r.checkedLine(); got != want {
		return fmt.Errorf("got  %s\nwant %s", got, want)
	}
	return nil
}

// login takes the shortest way to a job.
func (r *replay) login(agent string) error {
	r.send(`{"id":1,"method":"mining.subscribe","params":["`+agent+`"]}`, `{"id":2,"method":"mining.authorize","params":["rig","x"]}`)
	for _, want := range []string{`{"id":1,"result":` + subscribeResult + `,"error":null}`, `{"id":2,"result":true,"error":null}`} {
		if err := r.expect(want); err != nil {
			return err
		}
	}
	if line := r.checkedLine(); !strings.Contains(line, `"mining.set_difficulty"`) {
		return fmt.Errorf("got %s", line)
	}
	return r.takeJob(true)
}

// replyForm is what every answer looks like: id, result, error, in this order, on one line
// of at most the 8,192 bytes that cgminer reads.
var replyForm = regexp.MustCompile(`^\{"id":.+,"result":.+,"error":(null|\[\d+,"[ -~]*",null\])\}$`)

// notices are the methods that clients are sent. What else there is, some crash on.
var notices = []any{"mining.set_difficulty", "mining.notify", "client.show_message", "client.reconnect"}

// checkedLine is the next line, which must be an object that clients understand.
func (r *replay) checkedLine() string {
	line := r.line()
	var m map[string]any
	if json.Unmarshal([]byte(line), &m) != nil {
		r.t.Fatalf("not an object: %s", line)
	}
	if m["method"] == nil && !replyForm.MatchString(line) || m["method"] != nil && !slices.Contains(notices, m["method"]) {
		r.t.Fatalf("in another form: %s", line)
	}
	return line
}

// fieldForms are what cpuminer refuses notifies without.
var fieldForms = map[string]*regexp.Regexp{
	"prevhash": regexp.MustCompile(`^[0-9a-f]{64}$`), "field": regexp.MustCompile(`^[0-9a-f]{8}$`), "coinbase": regexp.MustCompile(`^([0-9a-f]{2})+$`),
}

func (r *replay) takeJob(clean bool) error {
	line := r.checkedLine()
	j, ok := parseNotify(r.t, line)
	switch {
	case !ok:
		return fmt.Errorf("got %s", line)
	case j.clean != clean:
		return fmt.Errorf("clean_jobs is %v", j.clean)
	case j.id == r.job.id:
		return fmt.Errorf("the job's id is that of the one before")
	case !fieldForms["prevhash"].MatchString(j.prev) || !fieldForms["coinbase"].MatchString(j.coinb1) || !fieldForms["coinbase"].MatchString(j.coinb2),
		!fieldForms["field"].MatchString(j.version), !fieldForms["field"].MatchString(j.bits), !fieldForms["field"].MatchString(j.ntime):
		return fmt.Errorf("malformed: %s", line)
	case len(j.branch) > 16:
		return fmt.Errorf("%d branches", len(j.branch))
	}
	for _, b := range j.branch {
		if !fieldForms["prevhash"].MatchString(b.(string)) {
			return fmt.Errorf("malformed branch: %s", line)
		}
	}
	if version, _ := parseHex32([]byte(j.version)); version&versionMask != 0 {
		return fmt.Errorf("version %s has bits under the mask", j.version)
	}
	j.extranonce1 = "abcd0001"
	r.old, r.job = r.job, j
	return nil
}

// mine looks for a nonce as the device does, from the last one on.
func (r *replay) mine(good bool, how string) error {
	job := &r.job
	version, _ := parseHex32([]byte(r.job.version))
	switch how {
	case "", "plain":
	case "old":
		job = &r.old
	case "or":
		version |= replayVBits
	case "xor":
		version ^= replayVBits
	case "replace":
		version = version&^versionMask | replayVBits
	default:
		return fmt.Errorf("no such way")
	}
	ntime, _ := parseHex32([]byte(job.ntime))
	bound := target.FromDifficulty(easy)
	for {
		r.nonce++
		hash := job.hash(r.t, testExtranonce2, version, ntime, r.nonce)
		if target.HashMeets(&hash, &bound) == good {
			return nil
		}
	}
}
