package stratum

import (
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/mining"
)

// maxPrepared bounds the jobs that one workset remembers, of 1.3 kB each beside what all of
// a class share: enough for 20,000 connections that all have an address of their own, and
// for others that come and go meanwhile. A connection above it still gets its job, built
// for it alone.
const maxPrepared = 1 << 15

// workset is one Work with the jobs made of it so far, or, without one, the
// reason. A new workset replaces it as a whole. Safe for concurrent use.
type workset struct {
	work   Work // nil: no work
	turn   turn // of work
	reason string

	mu   sync.Mutex
	jobs map[jobKey]*prepared
}

// jobKey is what jobs of one workset differ by.
type jobKey struct {
	payee string // output script
	class share.Class
}

// prepared is a job with the part of its notify that is equal for all
// connections, so that a new tip is serialised once for each payee and class.
type prepared struct {
	once sync.Once
	err  error

	*lasting
	built     time.Time
	shareDiff float64 // the difficulty of the share target
	auxDiff   float64 // that of the easiest block of another chain; infinite: there is none
	notify    notifyParts
}

// lasting is what all connections that got a prepared job keep of it.
type lasting struct {
	job     *mining.Job
	version int32       // the job's, with the rollable bits zero
	class   share.Class // asked for
	size    int         // of the coinbase, in bytes
}

// notifyParts are the parameters of notify from prevhash to nbits, commas around.
// The long one belongs to all jobs of a class.
type notifyParts struct{ begin, shared, end []byte }

func newWorkset(work Work, payees Payees, reason string) *workset {
	ws := &workset{work: work, reason: reason, jobs: make(map[jobKey]*prepared)}
	if work != nil {
		ws.turn = newTurn(payees, work)
	}
	return ws
}

// prepare returns the job for a class and for whom it has to pay on a connection
// whose usernames name an output script, nil for none. Only callers with the same
// pair of payee and class wait for one another. ws.work must not be nil.
func (ws *workset) prepare(named []byte, class share.Class) (*prepared, error) {
	payee := ws.turn.payee(named)
	ws.mu.Lock()
	p := ws.jobs[jobKey{string(payee), class}]
	if p == nil {
		p = new(prepared)
		if len(ws.jobs) < maxPrepared {
			ws.jobs[jobKey{string(payee), class}] = p
		}
	}
	ws.mu.Unlock()
	p.once.Do(func() { p.build(ws.work, payee, class) })
	return p, p.err
}

func (p *prepared) build(work Work, payee []byte, class share.Class) {
	job, err := work.Job(payee, class)
	if err != nil {
		p.err = err
		return
	}
	p.built = time.Now()
	// BIP 310 replaces the masked bits, some clients XOR and some OR them in:
	// with zeros to start from all three agree.
	version := job.Version &^ int32(versionMask)
	p.lasting = &lasting{job: job, version: version, class: class, size: coinbaseSize(job)}
	p.shareDiff, p.auxDiff = target.Difficulty(&p.job.ShareTarget), target.Difficulty(&p.job.AuxTarget)
	p.notify = newNotifyParts(p.job, p.version)
}

// ntime is the header time to send now: the job's, moved on by the time that
// has passed since it was built, whatever the local clock shows.
func (p *prepared) ntime(now time.Time) uint32 {
	elapsed := max(0, now.Sub(p.built)/time.Second)
	t := min(uint64(p.job.Time)+uint64(elapsed), uint64(p.job.MaxTime))
	return uint32(max(t, uint64(p.job.MinTime)))
}

// coinbaseSize is the length of a job's coinbase without witness, in bytes.
func coinbaseSize(job *mining.Job) int {
	n := len(job.Head) + len(job.Tail) + share.ExtranonceSize + len(job.Coinb2)
	if job.Shared != nil {
		n += len(job.Shared.Bytes)
	}
	return n
}

func newNotifyParts(job *mining.Job, version int32) notifyParts {
	begin := append(make([]byte, 0, 80+2*len(job.Head)), `,"`...)
	begin = appendPrevHash(begin, &job.PrevBlock)
	begin = append(begin, `","`...)
	begin = hex.AppendEncode(begin, job.Head)

	const perHash = 3 + 2*chainhash.HashSize
	end := make([]byte, 0, 64+2*len(job.Tail)+2*len(job.Coinb2)+perHash*len(job.Branch))
	end = hex.AppendEncode(end, job.Tail)
	end = append(end, `","`...)
	end = hex.AppendEncode(end, job.Coinb2)
	end = append(end, `",[`...)
	for i := range job.Branch {
		if i > 0 {
			end = append(end, ',')
		}
		end = append(end, '"')
		end = hex.AppendEncode(end, job.Branch[i][:])
		end = append(end, '"')
	}
	end = append(end, `],"`...)
	end = appendUint32(end, uint32(version))
	end = append(end, `","`...)
	end = appendUint32(end, job.Bits)
	end = append(end, `","`...)
	return notifyParts{begin: begin, shared: job.Shared.Hex(), end: end}
}

// appendPrevHash appends the hash as Stratum has it: in internal byte order,
// with the bytes of each 32-bit word reversed.
func appendPrevHash(dst []byte, hash *chainhash.Hash) []byte {
	for i := 0; i < len(hash); i += 4 {
		dst = appendUint32(dst, binary.LittleEndian.Uint32(hash[i:]))
	}
	return dst
}

// appendUint32 appends eight hex digits, most significant first, zero-padded:
// cpuminer refuses other lengths.
func appendUint32(dst []byte, v uint32) []byte {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return hex.AppendEncode(dst, b[:])
}
