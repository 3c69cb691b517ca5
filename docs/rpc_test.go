package docs_test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/p2poold/p2poold/internal/rpcserver"
)

// usage returns the first line of a method's help: its name and parameters.
func usage(t *testing.T, method string) string {
	t.Helper()
	help, err := rpcserver.Help(method)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(help, "\n")
	return line
}

// TestMethods: rpc.md has a heading for each method, with its parameters, the
// sentence of its help and its other name, and no heading for anything else.
func TestMethods(t *testing.T) {
	doc := read(t, "docs/rpc.md")
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^### ([a-z]+)`).FindAllStringSubmatch(doc, -1) {
		got = append(got, m[1])
	}
	same(t, "methods of rpc.md", got, rpcserver.MethodNames())
	for _, name := range got {
		text := section(t, doc, "### "+usage(t, name))
		help, err := rpcserver.Help(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(help, "\n")
		if !strings.Contains(text, lines[2]) {
			t.Errorf("%s: the document lacks the sentence %q", name, lines[2])
		}
		if _, alias, found := strings.Cut(help, "\nAlso known as "); found {
			alias, _, _ = strings.Cut(alias, ".")
			if !strings.Contains(text, "`"+alias+"`") {
				t.Errorf("%s: the document lacks its other name %s", name, alias)
			}
		}
		for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+) {2,}(.+)$`).FindAllStringSubmatch(help, -1) {
			if !strings.Contains(text, "- `"+m[1]+"`: "+m[2]) {
				t.Errorf("%s: the document lacks the parameter %s: %s", name, m[1], m[2])
			}
		}
	}
}

// answers are the types of rpc.md's tables of fields, by their headings.
var answers = map[string]any{
	"### getinfo":                                     rpcserver.Info{},
	"#### Member bitcoind of getinfo":                 rpcserver.BitcoindInfo{},
	"#### Member nodes of bitcoind of getinfo":        rpcserver.BitcoinNode{},
	"#### Member sync of getinfo":                     rpcserver.SyncInfo{},
	"### reload":                                      rpcserver.Reload{},
	"### getsharechaininfo":                           rpcserver.ChainInfo{},
	"#### Member window of getsharechaininfo":         rpcserver.WindowInfo{},
	"### getshare HASH [VERBOSITY]":                   rpcserver.Share{},
	"#### Member link of getshare":                    rpcserver.ShareLink{},
	"#### Member header of getshare":                  rpcserver.ShareHeader{},
	"#### Member data of getshare":                    rpcserver.ShareData{},
	"### getshares [COUNT]":                           rpcserver.ShareSummary{},
	"### getpayouts [CLASS] [ADDRESS] [COUNT] [SKIP]": rpcserver.Payouts{},
	"#### Member payouts of getpayouts":               rpcserver.Payout{},
	"#### Member classes of getpayouts":               rpcserver.ClassChance{},
	"### getpayoutaddresses":                          rpcserver.PayoutAddress{},
	"### getblocksfound [COUNT]":                      rpcserver.FoundBlock{},
	"### getpeerinfo":                                 rpcserver.PeerInfo{},
	"### listbanned":                                  rpcserver.BanInfo{},
	"### getnetworkinfo":                              rpcserver.NetworkInfo{},
	"#### Member networks of getnetworkinfo":          rpcserver.NetworkState{},
	"#### Member localaddresses of getnetworkinfo":    rpcserver.LocalAddress{},
	"#### Member portmapping of getnetworkinfo":       rpcserver.PortMapping{},
	"### getstratuminfo":                              rpcserver.StratumInfo{},
	"#### Member largest of getstratuminfo":           rpcserver.StratumAddress{},
	"#### Member counts of getstratuminfo":            rpcserver.StratumCounts{},
	"### getrelayinfo":                                rpcserver.RelayInfo{},
	"#### Member shares of getrelayinfo":              rpcserver.RelayedShares{},
	"#### Member transactions of getrelayinfo":        rpcserver.RelayedTxLists{},
	"#### Member blocks of getrelayinfo":              rpcserver.RelayedBlocks{},
	"### getminers":                                   rpcserver.MinerInfo{},
	"### getmineraddresses":                           rpcserver.MinerAddress{},
	"### gettemplate":                                 rpcserver.TemplateInfo{},
	"### getmergedmining":                             rpcserver.MergedChain{},
	"#### Member tipsources of gettemplate":           rpcserver.TipSource{},
}

// TestFields compares names, order and types of all fields.
func TestFields(t *testing.T) { compareFields(t, "docs/rpc.md", answers) }

// compareFields compares a document's tables of fields with types, by their headings.
func compareFields(t *testing.T, name string, types map[string]any) {
	t.Helper()
	doc := read(t, name)
	for heading, answer := range types {
		var want, got [][]string
		typ := reflect.TypeOf(answer)
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			want = append(want, []string{name, jsonType(t, typ.Field(i).Type)})
		}
		for _, row := range table(t, section(t, doc, heading), "Field") {
			got = append(got, row[:2])
		}
		if !reflect.DeepEqual(got, want) {
			t.Logf("%s:", heading)
		}
		compare(t, got, want)
	}
}

func jsonType(t *testing.T, typ reflect.Type) string {
	t.Helper()
	switch typ.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Slice:
		return "array of " + jsonType(t, typ.Elem()) + "s"
	case reflect.Float64:
		return "number"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return "integer"
	}
	t.Fatalf("there is no name for the type %v", typ)
	return ""
}

// TestCodes: rpc.md lists the error codes.
func TestCodes(t *testing.T) {
	var want, got []string
	for _, m := range regexp.MustCompile(`(?m)^\tCode\w+ += (-\d+)`).FindAllStringSubmatch(read(t, "internal/rpcserver/errors.go"), -1) {
		want = append(want, m[1])
	}
	for _, row := range table(t, read(t, "docs/rpc.md"), "Code") {
		got = append(got, row[0])
	}
	same(t, "error codes of rpc.md", got, want)
}
