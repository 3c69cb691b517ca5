package web

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
)

// contains looks for texts in a page.
func contains(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

// lacks looks that texts are not in a page.
func lacks(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("the page says %q:\n%s", text, page)
		}
	}
}

func TestFront(t *testing.T) {
	b := working()
	page := ask(New(b), "GET", "/", "pool.example:3333").Body.String()
	contains(t, page, "Pool main", "on mainnet", "Miners get work", "height 12345", "block 910000", "1.50 PH/s", "2.00 TH/s", "17 workers, 42 connections",
		"2h 0m", "98.8 k", "p2poold 1.2.3", "stratum+tcp://pool.example:3333", "stratum+ssl://pool.example:3333", b.status.Fingerprint,
		"block 910001 now, it would pay 3.15002500 BTC: 0.01575012 BTC to its finder, the rest to 16 payees, for the last 360 shares and 4 uncles",
		"909999", "2 confirmations", "3.12500000", "orphaned: another block won", b.blocks[0].Hash)
	lacks(t, page, "no work", "any name", "fee of", "donates")

	b.status.Working, b.status.Reasons = false, []string{"the node is catching up"}
	b.status.Syncing, b.status.Synced = true, 12.34
	b.status.TLS, b.status.NeedsAddress = false, false
	b.status.Fee, b.status.Donation = 1.5, 0.25
	b.status.Next, b.status.BlockTime, b.status.LastShare, b.blocks = Next{}, 0, 0, nil
	page = ask(New(b), "GET", "/", "x").Body.String()
	contains(t, page, "Miners get no work", "the node is catching up", "12.3 % done", "any name", "fee of 1.5 %", "donates 0.25 %",
		"Not known while there is no work", "None yet", "none yet", "not known yet")
	lacks(t, page, "stratum+ssl", "Miners get work", "confirmation")

	b.status.Starting = true
	page = ask(New(b), "GET", "/", "x").Body.String()
	lacks(t, page, "none yet", "height 12345", "PH/s")
}

func TestMinerPage(t *testing.T) {
	b := working()
	page := ask(New(b), "GET", "/miner/"+knownAddress, "x").Body.String()
	contains(t, page, knownAddress, "attic", "bitaxe/1.0", "2 connections", "3.00 TH/s", "2.00 TH/s", "2.05 k", "4.00 M", "stale 5, rejected 6",
		">0.03761129 <small>BTC", ">36 <small>and 1 uncle", "1.20%", ">9 <small>of 16 payees", "80.0%", "0.04701412", "always", "/api/miner/"+knownAddress)
	lacks(t, page, "no work", "Nothing is owed", "those that do most", "fee of")

	b.miner.Workers[0].Connections, b.miner.Workers[0].LastSubmit, b.miner.Workers[0].Name = 0, 0, ""
	b.miner.WorkerCount, b.miner.Payout = 500, Payout{}
	b.status.Fee, b.status.Working, b.status.Reasons = 2, false, []string{"the disk is full"}
	page = ask(New(b), "GET", "/miner/"+knownAddress, "x").Body.String()
	contains(t, page, "without a name", "not connected", "never", "1 of 500, those that do most", "the disk is full", "fee of 2 %", "Not known while there is no work")
}

// TestManyBlocks: the page shows some, programs get more.
func TestManyBlocks(t *testing.T) {
	b := working()
	for range 2 * maxBlocks {
		b.blocks = append(b.blocks, b.blocks[0])
	}
	h := New(b)
	if n := strings.Count(ask(h, "GET", "/", "x").Body.String(), "confirmations<"); n != pageBlocks-1 { // one is orphaned
		t.Errorf("%d blocks on the page", n)
	}
	if n := strings.Count(ask(h, "GET", "/api/blocks", "x").Body.String(), `"hash"`); n != maxBlocks {
		t.Errorf("%d blocks for programs", n)
	}
}

// evil is text that would do something if it were markup, script or style.
const evil = `"'><script>alert(1)</script></style><!--{{.}}` + "`${1}"

// TestEscaping: whatever miners, visitors, peers and Bitcoin nodes say is text.
func TestEscaping(t *testing.T) {
	b := working()
	b.miner.Workers[0].Name, b.miner.Workers[0].UserAgent = evil, evil
	b.status.Reasons, b.status.Working = []string{evil}, false
	b.status.Version, b.status.Pool, b.status.Network, b.status.Fingerprint = evil, evil, evil, evil
	b.blocks[0].Hash, b.blocks[0].Status = evil, evil
	h := New(b)
	for path, times := range map[string]int{
		"/": 5, "/miner/" + knownAddress: 5, "/miner/" + knownAddress + "%22%3E%3Cscript%3E": 5, "/miner?address=%22%3E%3Cscript%3Ealert(1)%3C/script%3E": 2,
	} {
		page := ask(h, "GET", path, evil).Body.String()
		lacks(t, page, "<script>alert", "</style><!--", "<!--", "><script>alert")
		if n := strings.Count(page, "</style>"); n != 1 {
			t.Errorf("%s: %d styles", path, n)
		}
		if n := strings.Count(html.UnescapeString(page), "<script>alert(1)"); n < times {
			t.Errorf("%s: shown %d times, want %d", path, n, times)
		}
	}
	if body := ask(h, "GET", "/api/miner/"+knownAddress, evil).Body.String(); strings.Contains(body, "<script>") {
		t.Errorf("JSON has markup:\n%s", body)
	}
}

// TestPolicy: the style and the script of each page are those that its policy allows, and
// there is nothing else to load.
func TestPolicy(t *testing.T) {
	h := New(working())
	inline := regexp.MustCompile(`(?s)<(style|script)>(.*?)</`)
	for path, scripts := range map[string]int{"/": 1, "/miner/" + knownAddress: 1, "/miner/none": 0} {
		w := ask(h, "GET", path, "x")
		csp := w.Header().Get("Content-Security-Policy")
		found := map[string]int{}
		for _, m := range inline.FindAllStringSubmatch(w.Body.String(), -1) {
			found[m[1]]++
			if !strings.Contains(csp, fmt.Sprintf("%s-src '%s'", m[1], hashOf(m[2]))) {
				t.Errorf("%s: the policy %s forbids the %s", path, csp, m[1])
			}
		}
		if found["style"] != 1 || found["script"] != scripts {
			t.Errorf("%s: %v", path, found)
		}
		lacks(t, w.Body.String(), "http://", "https://", "src=", "onclick", ` style="`)
	}
}

// TestTablesHaveHeaders: who hears the page is told what a cell is about.
func TestTablesHaveHeaders(t *testing.T) {
	h := New(working())
	for _, path := range []string{"/", "/miner/" + knownAddress} {
		page := ask(h, "GET", path, "x").Body.String()
		for _, table := range regexp.MustCompile(`(?s)<table.*?</table>`).FindAllString(page, -1) {
			rows := strings.Count(table, "<tr")
			if strings.Contains(table, "<thead>") {
				rows--
				if strings.Count(table, `scope="col"`) < 3 {
					t.Errorf("%s: columns without headers:\n%s", path, table)
				}
			}
			if n := strings.Count(table, `scope="row"`); n != rows {
				t.Errorf("%s: %d of %d rows have headers:\n%s", path, n, rows, table)
			}
		}
	}
}

func TestSpan(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "less than a second", -1: "less than a second", 0.3: "less than a second", 90: "1m 30s", 1e8: "3y 62d", 1e300: "more than 292y 171d",
	} {
		if got := span(seconds); got != want {
			t.Errorf("span(%v) = %q, want %q", seconds, got, want)
		}
	}
}
