package stratum

import "strconv"

// Codes of Stratum's errors, as all servers use them.
const (
	codeOther         = 20
	codeStale         = 21 // job not found, or not on the newest Bitcoin block
	codeDuplicate     = 22
	codeLowDifficulty = 23
	codeUnauthorized  = 24
	codeNotSubscribed = 25
)

// stratumError is the error of a reply. Dashboards group rejects by the text:
// those of submit are constants and stay as they are.
type stratumError struct {
	code int
	text string
}

// The verdicts of submit, in the words that miners know from other servers.
var (
	errUnknownWork   = &stratumError{codeStale, "unknown-work"}
	errStalePrevBlk  = &stratumError{codeStale, "stale-prevblk"}
	errDuplicateWork = &stratumError{codeDuplicate, "duplicate"}
	errHighHash      = &stratumError{codeLowDifficulty, "high-hash"}
	errTimeTooOld    = &stratumError{codeOther, "time-too-old"}
	errTimeTooNew    = &stratumError{codeOther, "time-too-new"}
	errBadVersion    = &stratumError{codeOther, "bad-version"}
	errBadExtranonce = &stratumError{codeOther, "bad-extranonce2"}
	errBadParams     = &stratumError{codeOther, "bad-params"}
	errShareRefused  = &stratumError{codeOther, "share-refused"}
	errJobFull       = &stratumError{codeOther, "job-full"}
	errUnauthorized  = &stratumError{codeUnauthorized, "unauthorized worker"}
	errNotSubscribed = &stratumError{codeNotSubscribed, "not subscribed"}
)

// Errors of other methods.
var (
	errMalformed     = &stratumError{codeOther, "malformed message"}
	errUnknownMethod = &stratumError{codeOther, "unknown method"}
	errUnsupported   = &stratumError{codeOther, "not supported"}
)

// appendReply appends the answer to a request. Both result and error are
// always there and in this order: cpuminer and cgminer test both. A nil id
// marks a notification, which gets no answer.
func appendReply(dst, id []byte, result string, e *stratumError) []byte {
	if id == nil {
		return dst
	}
	dst = append(dst, `{"id":`...)
	dst = append(dst, id...)
	dst = append(dst, `,"result":`...)
	dst = append(dst, result...)
	if e == nil {
		return append(dst, `,"error":null}`+"\n"...)
	}
	dst = append(dst, `,"error":[`...)
	dst = strconv.AppendInt(dst, int64(e.code), 10)
	dst = append(dst, ',')
	dst = appendString(dst, e.text)
	return append(dst, `,null]}`+"\n"...)
}

// appendString appends s as a JSON string; what is not printable ASCII becomes
// a question mark, which is all that firmware displays can show.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c > '~':
			dst = append(dst, '?')
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// appendSetDifficulty appends mining.set_difficulty.
func appendSetDifficulty(dst []byte, d float64) []byte {
	dst = append(dst, `{"id":null,"method":"mining.set_difficulty","params":[`...)
	dst = appendDifficulty(dst, d)
	return append(dst, "]}\n"...)
}

// appendShowMessage appends client.show_message, a line for the miner's
// display or log.
func appendShowMessage(dst []byte, text string) []byte {
	dst = append(dst, `{"id":null,"method":"client.show_message","params":[`...)
	dst = appendString(dst, text)
	return append(dst, "]}\n"...)
}
