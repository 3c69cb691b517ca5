package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/decred/dcrd/math/uint256"

	"github.com/p2poold/p2poold/blockchain/chainparams"
	"github.com/p2poold/p2poold/blockchain/payout"
	"github.com/p2poold/p2poold/blockchain/share"
	"github.com/p2poold/p2poold/internal/rpcserver"
)

const (
	testTaproot = "bc1p5d7rjq7g6rdk2yhzks9smlaqtedr4dekq08ge8ztwac72sfr9rusxg3297"
	testP2WPKH  = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
)

// chances are those of a payee that draws in the first classes and is paid
// exactly in the others.
func chances(owed int64, drawn ...rpcserver.ClassChance) []rpcserver.ClassChance {
	for _, class := range []int{12, 36, 144, 288, 1152}[len(drawn):] {
		drawn = append(drawn, rpcserver.ClassChance{Class: class, Exact: true, Probability: 1, Amount: owed})
	}
	return drawn
}

// testPayouts has three of forty payees: one exact in all classes, one that draws
// in class 12, and one that draws in 12 and 36.
func testPayouts() rpcserver.Payouts {
	class12 := rpcserver.ClassChance{Class: 12, Probability: 0.8, Amount: 40_000_000}
	class36 := rpcserver.ClassChance{Class: 36, Probability: 1. / 30_000, Amount: 3_000}
	last12 := class12
	last12.Probability = 1e-9
	return rpcserver.Payouts{
		Height: 8, BitcoinHeight: 9, CoinbaseValue: 5_000_000_000, FinderFee: 25_000_000, Class: 12, TotalScore: "4000", Payees: 40,
		Payouts: []rpcserver.Payout{
			{Address: testTaproot, Score: "3000", Owed: 3_000_000_000, Amount: 3_000_000_000, Classes: chances(3_000_000_000)},
			{Address: testP2WPKH, Score: "32", Owed: 32_000_000, Amount: 40_000_000, Classes: chances(32_000_000, class12)},
			{Script: "51", Score: "0", Owed: 1, Classes: chances(1, last12, class36)},
		},
	}
}

const payoutTitle = "Bitcoin block 9, share 8: coinbase 50.00000000 BTC, finder fee 0.25000000 BTC, at most 12 outputs\n"

func TestPayoutTable(t *testing.T) {
	got := tableOf(t, "getpayouts", testPayouts())
	want := payoutTitle +
		"ADDRESS                                     OWED (BTC)   THIS BLOCK   CLASS 12  36      144    288    1152\n" +
		"bc1p5d7rjq7g6rdk2yhz…8ztwac72sfr9rusxg3297  30.00000000  30.00000000  exact     exact   exact  exact  exact\n" +
		"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq  0.32000000   0.40000000   80.0%     exact   exact  exact  exact\n" +
		"51                                          0.00000001   0.00000000   <0.001%   0.003%  exact  exact  exact\n" +
		"payees 1 to 3 of 40                         30.32000001  30.40000000\n" +
		"Class columns: chance to be paid by a block of that class; exact: always, and just what is owed.\n" +
		"Who is drawn gets (BTC): 0.40000000 at 12, 0.00003000 at 36\n" +
		"More: p2pctl getpayouts 12 \"\" 3 3\n"
	if trim(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestPayoutTableWidth: the widest lines that there can be fit into 120 columns.
func TestPayoutTableWidth(t *testing.T) {
	wide := rpcserver.ClassChance{Probability: 1e-9, Amount: 40_000_000}
	var drawn []rpcserver.ClassChance
	for _, class := range []int{12, 36, 144, 288, 1152} {
		wide.Class = class
		drawn = append(drawn, wide)
	}
	p := testPayouts()
	p.Payouts[0].Classes = drawn
	for line := range strings.Lines(tableOf(t, "getpayouts", p)) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, " \n")); n > 120 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestPayoutTableEnds: an empty window, a list that is complete, and one that
// begins behind its end.
func TestPayoutTableEnds(t *testing.T) {
	p := testPayouts()
	p.Payees, p.Payouts = 2, p.Payouts[:2]
	got := tableOf(t, "getpayouts", p)
	if !strings.Contains(got, "\n2 payees  ") || strings.Contains(got, "More:") {
		t.Errorf("complete:\n%s", got)
	}
	p.Payouts = p.Payouts[:0]
	p.Skipped = 2
	if got := tableOf(t, "getpayouts", p); got != payoutTitle+"nobody after the first 2: the window has 2 payees\n" {
		t.Errorf("behind the end:\n%s", got)
	}
	p.Payees = 0
	if got := tableOf(t, "getpayouts", p); got != payoutTitle+"no shares in the window: the finder is paid everything\n" {
		t.Errorf("empty:\n%s", got)
	}
}

// TestPayeePage shows one payee with the whole address.
func TestPayeePage(t *testing.T) {
	p := testPayouts()
	p.Skipped, p.Payouts = 1, p.Payouts[1:2]
	got := tableOf(t, "getpayouts", p)
	want := payoutTitle +
		"Address     bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq\n" +
		"Place       2 of 40 payees\n" +
		"Score       0.800% of all scores\n" +
		"Owed        0.32000000 BTC\n" +
		"This block  0.40000000 BTC\n" +
		"\n" +
		"CLASS  CHANCE  PAYMENT (BTC)\n" +
		"12     80.0%   0.40000000\n" +
		"36     exact   0.32000000\n" +
		"144    exact   0.32000000\n" +
		"288    exact   0.32000000\n" +
		"1152   exact   0.32000000\n"
	if trim(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	p.Payouts[0].Address, p.Payouts[0].Script, p.TotalScore = "", "51\x1b", "nonsense"
	if got := tableOf(t, "getpayouts", p); !strings.Contains(got, "Address     51?\n") || !strings.Contains(got, "Score       0% of") {
		t.Errorf("odd values:\n%s", got)
	}
}

// TestDocumentedPayouts compares the outputs in payouts.md with those for its
// example, whose scores and payments are taken from the table there.
func TestDocumentedPayouts(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "payouts.md"))
	if err != nil {
		t.Fatal(err)
	}
	doc := strings.ReplaceAll(string(raw), "\r", "")
	p := documentedPayouts(t, doc)
	list := tableOf(t, "getpayouts", p)
	p.Skipped, p.Payouts = 8, p.Payouts[8:9]
	page := tableOf(t, "getpayouts", p)
	command := "    $ p2pctl getpayouts 12 " + p.Payouts[0].Address + "\n"
	for _, want := range []string{indented(list), command, indented(page)} {
		if !strings.Contains(doc, "\n\n"+want+"\n") {
			t.Errorf("docs/payouts.md lacks the block\n%s", want)
		}
	}
}

// indented makes an output a code block.
func indented(text string) string {
	return strings.ReplaceAll("    "+strings.ReplaceAll(strings.TrimSpace(trim(text)), "\n", "\n    ")+"\n", "\n    \n", "\n\n")
}

// documentedPayouts is the answer for the example: payee i has the script 0014 ‖
// twenty bytes of value i+1.
func documentedPayouts(t *testing.T, doc string) rpcserver.Payouts {
	t.Helper()
	params, err := chainparams.New(chainparams.Mainnet, "main")
	if err != nil {
		t.Fatal(err)
	}
	const value = 315_002_500
	p := rpcserver.Payouts{Height: 250_000, BitcoinHeight: 910_000, CoinbaseValue: value, FinderFee: value, Class: 12}
	table := new(payout.Table)
	for i, m := range regexp.MustCompile(`(?m)^\| [A-Z] \| ([0-9,]+) \| [0-9,]+ \| ([0-9,]+) \|`).FindAllStringSubmatch(doc, -1) {
		script := append([]byte{0x00, 0x14}, bytes.Repeat([]byte{byte(i + 1)}, 20)...)
		table.Add(script, new(uint256.Uint256).SetUint64(uint64(number(t, m[1]))))
		p.Payouts = append(p.Payouts, rpcserver.Payout{
			Address: rpcserver.Address(script, params.Bitcoin), Score: fmt.Sprint(number(t, m[1])), Amount: number(t, m[2]),
		})
		p.FinderFee -= number(t, m[2])
	}
	total, odds := table.Total(), table.Odds(params, value)
	p.TotalScore, p.Payees = total.String(), odds.Len()
	for rank := range p.Payouts {
		row := &p.Payouts[rank]
		row.Owed = odds.Owed(rank)
		for _, class := range share.Classes() {
			c := odds.Chance(rank, class)
			row.Classes = append(row.Classes, rpcserver.ClassChance{Class: class.Outputs(), Exact: c.Exact, Probability: c.Probability, Amount: c.Amount})
		}
	}
	return p
}

// number reads a number with commas.
func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
