package stratum

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain"
	"github.com/p2poold/p2poold/blockchain/target"
	"github.com/p2poold/p2poold/mining"
)

// submitTimeout bounds the wait for the verdict on a share. It outlives the
// server's context, so that a solution in hand is not lost at shutdown.
const submitTimeout = 15 * time.Second

// submission is what mining.submit says, decoded.
type submission struct {
	user        []byte
	jobID       []byte
	extranonce2 [extranonce2Size]byte
	ntime       uint32
	nonce       uint32
	versionBits uint32
	rolled      bool // versionBits is present
}

// parseSubmission decodes [user, job, extranonce2, ntime, nonce, version bits?].
// Its slices point into params.
func parseSubmission(params []byte) (submission, *stratumError) {
	var sub submission
	var buf [maxParams][]byte
	var text [6][]byte
	list := args(params, &buf)
	for i := range text {
		if i == 5 && (len(list) <= 5 || isNull(list[5])) {
			break
		}
		value, ok := stringValue(arg(list, i))
		if !ok {
			return sub, errBadParams
		}
		text[i] = value
	}
	sub.user, sub.jobID = text[0], text[1]
	// Never guess what a client meant by another length.
	if len(text[2]) != hex.EncodedLen(extranonce2Size) {
		return sub, errBadExtranonce
	}
	if _, err := hex.Decode(sub.extranonce2[:], text[2]); err != nil {
		return sub, errBadExtranonce
	}
	var ok bool
	if sub.ntime, ok = parseHex32(text[3]); !ok {
		return sub, errBadParams
	}
	if sub.nonce, ok = parseHex32(text[4]); !ok {
		return sub, errBadParams
	}
	if text[5] != nil {
		sub.rolled = true
		if sub.versionBits, ok = parseHex32(text[5]); !ok {
			return sub, errBadVersion
		}
	}
	return sub, nil
}

// handleSubmit answers one mining.submit after its verdict. It returns how long
// to wait before the next message; an error ends the connection.
func (s *session) handleSubmit(ctx context.Context, req request, now time.Time) (delay time.Duration, err error) {
	solved, e := s.submit(ctx, req.params, now)
	result := resultTrue
	if e != nil {
		result = resultFalse
	}
	m := newMessage()
	m.text = appendReply(m.text, req.id, result, e)
	s.out.sendOff(m)
	if e == errHighHash {
		s.afterMiss(now)
	}
	if solved {
		s.mu.Lock()
		delay = s.shares.spend(now)
		s.mu.Unlock()
	}
	return delay, s.climb(e, now)
}

// submit judges a submission. A solution goes to the source as soon as its
// hash is known; statistics and vardiff come after it. solved says that there
// was one.
func (s *session) submit(ctx context.Context, params []byte, now time.Time) (solved bool, e *stratumError) {
	sub, e := parseSubmission(params)
	if e != nil {
		return false, e
	}
	s.mu.Lock()
	s.start(now) // what goes on with a session has jobs before its first
	w := s.worker(sub.user)
	j, live := s.jobs.find(sub.jobID)
	subscribed, tip := s.subscribed, s.tip
	s.mu.Unlock()
	switch {
	case !subscribed:
		return false, errNotSubscribed
	case w == nil:
		return false, errUnauthorized
	case !live:
		e = errUnknownWork
	default:
		solved, e = s.judge(ctx, w, &j, &sub, tip)
	}
	if e != nil {
		w.rejected(e)
	}
	return solved, e
}

// judge checks the proof of work of a submission for a live job. tip is the
// Bitcoin block that the connection's newest job builds on.
func (s *session) judge(ctx context.Context, w *worker, j *liveJob, sub *submission, tip chainhash.Hash) (solved bool, e *stratumError) {
	solution, e := s.solution(j, sub)
	if e != nil {
		return false, e
	}
	header := j.job.Header(solution.Extranonce, solution.Version, solution.Time, solution.Nonce)
	hash := headerHash(&header)
	number := target.HashToUint256(&hash)
	solved = number.LtEq(&j.job.BlockTarget) || number.LtEq(&j.job.ShareTarget)

	diff, e := s.admit(j, &hash, &number, solved)
	if e == errHighHash {
		s.missed(j, solution, &hash, time.Now())
	}
	if e != nil {
		if e != errDuplicateWork && j.job.SolvesAux(&hash) {
			s.handOn(ctx, j, solution, w.name()) // a block of another chain is one all the same
		}
		return false, e
	}
	if j.job.PrevBlock != tip && j.created >= secondsOf(s.connected) {
		w.isLate(diff)
	}
	var outcome mining.Outcome
	// A block of another chain is the source's affair alone: it makes no difference to
	// whether the submission is good enough.
	if solved {
		s.out.uncork() // answers do not wait for the verdict
	}
	if solved || j.job.SolvesAux(&hash) {
		outcome, e = s.handOn(ctx, j, solution, w.name())
	}
	switch {
	case outcome.Share || outcome.Block:
		// It has its use, whatever the age of its job and, for a block, the verdict
		// on its share.
	case j.job.PrevBlock != tip:
		return solved, errStalePrevBlk
	case e != nil:
		return solved, e
	}
	s.credit(w, credit{difficulty: diff, best: hashDifficulty(&hash), share: outcome.Share})
	return solved, nil
}

// headerHash is the header's hash. Unlike its own method it allocates nothing.
func headerHash(h *wire.BlockHeader) chainhash.Hash {
	var b [wire.MaxBlockHeaderPayload]byte
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(h.Version))
	copy(b[4:], h.PrevBlock[:])
	copy(b[36:], h.MerkleRoot[:])
	le.PutUint32(b[68:], uint32(h.Timestamp.Unix()))
	le.PutUint32(b[72:], h.Bits)
	le.PutUint32(b[76:], h.Nonce)
	return chainhash.DoubleHashH(b[:])
}

// admit decides whether a hash is new and good enough, and remembers it if so.
// It returns the difficulty to credit.
func (s *session) admit(j *liveJob, hash *chainhash.Hash, number *uint256.Uint256, solved bool) (float64, *stratumError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	diff, bound := j.diff, deviceTarget(j.diff)
	valid := solved || number.LtEq(&bound)
	if !valid && s.sentDiff < diff {
		// A device may apply a lowered difficulty to the job that it already has.
		lowered := deviceTarget(s.sentDiff)
		diff, valid = s.sentDiff, number.LtEq(&lowered)
	}
	switch {
	case !solved && (s.gone || !s.jobs.has(j.lasting)):
		return 0, errUnknownWork // another connection goes on with the job, or it just went
	case s.jobs.isDuplicate(hash):
		return 0, errDuplicateWork
	case !valid:
		return 0, errHighHash
	case !s.jobs.remember(j, hash) && !solved:
		return 0, errJobFull
	}
	s.carrier.fits(j)
	return diff, nil
}

// handOn gives a solution to the source and waits for what it was and for the
// verdict on the share, in the miner's terms.
func (s *session) handOn(ctx context.Context, j *liveJob, solution mining.Solution, worker string) (outcome mining.Outcome, e *stratumError) {
	solution.Worker = worker
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), submitTimeout)
	defer cancel()
	outcome, err := s.cfg.Source.Submit(ctx, j.job, solution)
	if err != nil {
		s.log.Debugf("Share %v of %s: %v", outcome.Hash, worker, err)
		e = refusal(err)
	}
	return outcome, e
}

// solution puts a submission together with what the job fixes, within the
// bounds that the job has for time and version.
func (s *session) solution(j *liveJob, sub *submission) (mining.Solution, *stratumError) {
	solution := mining.Solution{Time: sub.ntime, Nonce: sub.nonce, Version: j.version}
	switch {
	case sub.ntime < j.job.MinTime:
		return solution, errTimeTooOld
	case sub.ntime > j.job.MaxTime:
		return solution, errTimeTooNew
	case sub.versionBits&^j.mask != 0:
		return solution, errBadVersion
	}
	solution.Version |= int32(sub.versionBits)
	binary.BigEndian.PutUint32(solution.Extranonce[:extranonce1Size], s.extranonce1)
	copy(solution.Extranonce[extranonce1Size:], sub.extranonce2[:])
	return solution, nil
}

// refusal is what the miner is told about a share that was not accepted. One
// that is undecided is good work: the node holds it and judges it when what is
// missing arrives.
func refusal(err error) *stratumError {
	if _, undecided := errors.AsType[*blockchain.UndecidedError](err); undecided {
		return nil
	}
	return errShareRefused
}

// credit counts an accepted submission.
func (s *session) credit(w *worker, c credit) {
	now := time.Now()
	s.mu.Lock()
	s.vardiff.accepted(c.difficulty)
	if !s.worked || now.Sub(s.lastWork) >= workNoticeEvery {
		s.lastWork = now
		s.out.works()
	}
	s.worked = true
	s.mu.Unlock()
	if w.accepted(c, now) {
		s.registry.proves(w)
	}
	s.registry.credit(c.difficulty, now)
}
