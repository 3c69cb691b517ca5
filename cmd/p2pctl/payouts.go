package main

import (
	"cmp"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/p2poold/p2poold/internal/human"
	"github.com/p2poold/p2poold/internal/rpcserver"
)

// payeeWidth is the length of a P2WPKH address of mainnet. Longer ones lose their
// middle, so that the table has no more than 120 columns; --json has them whole.
const payeeWidth = 42

// payoutTable writes the list of payees, or a page about one of them.
func payoutTable(w io.Writer, p rpcserver.Payouts, _ time.Time) {
	row(w, fmt.Sprintf("Bitcoin block %d, share %d: coinbase %s BTC, finder fee %s BTC, at most %d outputs",
		p.BitcoinHeight, p.Height, human.Bitcoins(p.CoinbaseValue), human.Bitcoins(p.FinderFee), p.Class))
	switch {
	case p.Payees == 0:
		row(w, "no shares in the window: the finder is paid everything")
	case len(p.Payouts) == 0:
		row(w, fmt.Sprintf("nobody after the first %d: the window has %s", p.Skipped, human.Plural(p.Payees, "payee")))
	case len(p.Payouts) == 1:
		payeePage(w, &p, &p.Payouts[0])
	default:
		payeeList(w, &p)
	}
}

// payeeList has one line for each payee, with a column for each class.
func payeeList(w io.Writer, p *rpcserver.Payouts) {
	heads := []any{"ADDRESS", "OWED (BTC)", "THIS BLOCK"}
	for i, c := range p.Payouts[0].Classes {
		title := "CLASS "
		if i > 0 {
			title = ""
		}
		heads = append(heads, fmt.Sprint(title, c.Class))
	}
	row(w, heads...)
	var owed, paid int64
	for i := range p.Payouts {
		o := &p.Payouts[i]
		owed += o.Owed
		paid += o.Amount
		cells := []any{human.Middle(cmp.Or(o.Address, o.Script), payeeWidth), human.Bitcoins(o.Owed), human.Bitcoins(o.Amount)}
		for _, c := range o.Classes {
			cells = append(cells, chance(c))
		}
		row(w, cells...)
	}
	count, last := human.Plural(p.Payees, "payee"), p.Skipped+len(p.Payouts)
	if len(p.Payouts) < p.Payees {
		count = fmt.Sprintf("payees %d to %d of %d", p.Skipped+1, last, p.Payees)
	}
	row(w, count, human.Bitcoins(owed), human.Bitcoins(paid), "")
	row(w, "Class columns: chance to be paid by a block of that class; exact: always, and just what is owed.")
	if prizes := prizes(p.Payouts); prizes != "" {
		row(w, "Who is drawn gets (BTC): "+prizes)
	}
	if last < p.Payees {
		row(w, fmt.Sprintf(`More: p2pctl getpayouts %d "" %d %d`, p.Class, len(p.Payouts), last))
	}
}

// prizes lists what a drawn payee gets in each class that draws for a listed one.
func prizes(rows []rpcserver.Payout) string {
	var list []string
	seen := make(map[int]bool)
	for i := range rows {
		for _, c := range rows[i].Classes {
			if !c.Exact && c.Probability > 0 && !seen[c.Class] {
				seen[c.Class] = true
				list = append(list, fmt.Sprintf("%s at %d", human.Bitcoins(c.Amount), c.Class))
			}
		}
	}
	return strings.Join(list, ", ")
}

// payeePage tells everything about one payee.
func payeePage(w io.Writer, p *rpcserver.Payouts, o *rpcserver.Payout) {
	row(w, "Address", cmp.Or(o.Address, o.Script))
	row(w, "Place", fmt.Sprintf("%d of %s", p.Skipped+1, human.Plural(p.Payees, "payee")))
	row(w, "Score", human.Percent(part(o.Score, p.TotalScore))+" of all scores")
	row(w, "Owed", human.Bitcoins(o.Owed)+" BTC")
	row(w, "This block", human.Bitcoins(o.Amount)+" BTC")
	row(w)
	row(w, "CLASS", "CHANCE", "PAYMENT (BTC)")
	for _, c := range o.Classes {
		row(w, c.Class, chance(c), human.Bitcoins(c.Amount))
	}
}

// chance is what a class holds for a payee, in one cell.
func chance(c rpcserver.ClassChance) string {
	if c.Exact {
		return "exact"
	}
	return human.Percent(c.Probability)
}

// part divides a score by the sum of all. Scores have up to 58 digits.
func part(score, total string) float64 {
	a, ok := new(big.Int).SetString(score, 10)
	b, ok2 := new(big.Int).SetString(total, 10)
	if !ok || !ok2 || b.Sign() <= 0 {
		return 0
	}
	f, _ := new(big.Rat).SetFrac(a, b).Float64()
	return f
}
