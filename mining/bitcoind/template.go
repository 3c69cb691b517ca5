package bitcoind

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/p2poold/p2poold/mining"
)

// Limits of the lists in a template, checked while it is parsed: a reply of "[{},{},…"
// would otherwise take 50 times its size in memory.
const (
	maxRules = 64 // rule names; Bitcoin has 29 version bits
	maxRule  = 64 // bytes of a rule's name
)

// templateJSON is the reply to getblocktemplate (BIP 22, 23, 145). Pointers mark what
// some node leaves out.
type templateJSON struct {
	Version         int64           `json:"version"`
	Rules           ruleList        `json:"rules"`
	VBRequired      uint32          `json:"vbrequired"`
	VBAvailable     json.RawMessage `json:"vbavailable"`
	PreviousHash    string          `json:"previousblockhash"`
	CoinbaseValue   *int64          `json:"coinbasevalue"`
	LongPollID      string          `json:"longpollid"`
	MinTime         uint32          `json:"mintime"`
	SigopLimit      *int64          `json:"sigoplimit"`
	WeightLimit     *int64          `json:"weightlimit"`
	CurTime         uint32          `json:"curtime"`
	Bits            string          `json:"bits"`
	Height          uint32          `json:"height"`
	SignetChallenge string          `json:"signet_challenge"`
}

// ruleList is a type of its own so that it can have its limit.
type ruleList []string

// UnmarshalJSON implements json.Unmarshaler with a limit.
func (l *ruleList) UnmarshalJSON(b []byte) (err error) {
	*l, err = unmarshalList[string](b, maxRules)
	for _, rule := range *l {
		if len(rule) > maxRule {
			return fmt.Errorf("a rule's name has %d characters", len(rule))
		}
	}
	return err
}

// unmarshalList parses a JSON array, or null, of at most most elements.
func unmarshalList[T any](b []byte, most int) ([]T, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	tok, err := dec.Token()
	if err != nil || tok == nil {
		return nil, err
	}
	if tok != json.Delim('[') {
		return nil, fmt.Errorf("got %v instead of a list", tok)
	}
	var list []T
	for dec.More() {
		if len(list) == most {
			return nil, fmt.Errorf("a list of more than %d elements", most)
		}
		var v T
		if err := dec.Decode(&v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// templateRequest is the argument of getblocktemplate. A node refuses callers that don't
// name the rules they follow.
type templateRequest struct {
	Rules      []string `json:"rules"`
	LongPollID string   `json:"longpollid,omitempty"`
}

// fetchTemplate asks for a template; with a longpoll id, for the one that follows it.
func (c *Client) fetchTemplate(ctx context.Context, longPollID string) (*mining.Template, error) {
	arg := templateRequest{Rules: []string{"segwit"}, LongPollID: longPollID}
	if c.challenge != nil {
		arg.Rules = append(arg.Rules, "signet")
	}
	ln, timeout := c.lanes.poll, c.timing.call
	if longPollID != "" {
		ln, timeout = c.lanes.longpoll, c.timing.longpoll
	}
	raw, err := c.callWithin(ctx, ln, timeout, "getblocktemplate", arg)
	if err != nil {
		return nil, err
	}
	return c.parseTemplate(raw, time.Now())
}

// parseTemplate turns a reply to getblocktemplate into a template that has passed its
// Check and whose rules we follow.
func (c *Client) parseTemplate(raw []byte, now time.Time) (*mining.Template, error) {
	txs, rest, err := cutTransactions(raw)
	var reply templateJSON
	if err == nil {
		err = json.Unmarshal(rest, &reply)
	}
	if err != nil {
		return nil, badTemplate(err)
	}
	if err := c.checkRules(&reply); err != nil {
		return nil, err
	}
	t, err := reply.template(now)
	if err == nil {
		t.Txs, err = parseTxs(txs)
	}
	if err == nil {
		err = t.Check()
	}
	if err != nil {
		return nil, badTemplate(err)
	}
	return t, nil
}

// badTemplate returns the error for a template that can't be used.
func badTemplate(err error) error {
	return newError(ErrBadReply, "the Bitcoin node's block template can't be used: %v", err)
}

// template converts the reply.
func (r *templateJSON) template(now time.Time) (*mining.Template, error) {
	t := &mining.Template{
		Version: int32(r.Version), Height: r.Height, CurTime: r.CurTime, MinTime: r.MinTime,
		WeightLimit: mining.DefaultWeightLimit, SigopLimit: mining.DefaultSigopLimit,
		LongPollID: r.LongPollID, Rules: r.Rules, Received: now,
		Deploying: r.VBRequired != 0 || !isEmptyObject(r.VBAvailable),
	}
	if int64(t.Version) != r.Version {
		return nil, fmt.Errorf("version %d is out of range", r.Version)
	}
	if r.CoinbaseValue == nil {
		return nil, fmt.Errorf("it has no coinbasevalue")
	}
	t.CoinbaseValue = *r.CoinbaseValue
	// A limit above Bitcoin's own would make blocks that others refuse.
	if r.WeightLimit != nil {
		t.WeightLimit = min(*r.WeightLimit, mining.DefaultWeightLimit)
	}
	if r.SigopLimit != nil {
		t.SigopLimit = min(*r.SigopLimit, mining.DefaultSigopLimit)
	}
	bits, err := strconv.ParseUint(r.Bits, 16, 32)
	if err != nil {
		return nil, fmt.Errorf("bits %q: not 32 bits in hex", clip(r.Bits))
	}
	t.Bits = uint32(bits)
	if err := decodeHash(&t.PrevBlock, r.PreviousHash); err != nil {
		return nil, fmt.Errorf("previousblockhash: %w", err)
	}
	return t, nil
}

// isEmptyObject tells whether a member is there, and {}. Bitcoin Core lists in vbavailable
// the soft forks that are being signalled or are locked in; btcd leaves it out.
func isEmptyObject(raw json.RawMessage) bool {
	var compact bytes.Buffer
	return json.Compact(&compact, raw) == nil && compact.String() == "{}"
}

// decodeHash reads the full 64 hex digits of a hash; chainhash alone would accept fewer.
func decodeHash(h *chainhash.Hash, s string) error {
	if len(s) != chainhash.MaxHashStringSize {
		return fmt.Errorf("%q is not a hash", clip(s))
	}
	return chainhash.Decode(h, s)
}
