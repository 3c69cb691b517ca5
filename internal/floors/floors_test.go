package floors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/p2poold/p2poold"

// A family is packages that belong together, from the bottom up. Those of one
// step do not import one another.
type family [][]string

// floors from the bottom up. A family may import all floors below its own; the
// families of a floor do not import one another.
// Some places wait for packages that the architecture names and that are not
// written yet.
var floors = [][]family{
	{
		{{"blockchain/target"}},
		{{"blockchain/rawtx"}},
		{{"internal/atomicfile"}},
		{{"internal/childproc"}},
		{{"internal/human"}},
		{{"internal/lossynet"}},
	},
	{{{"blockchain/chainparams"}}},
	{{{"blockchain/share"}}},
	{{{"blockchain/payout"}}},
	{
		{{"blockchain"}},
		{{"blockchain/chaingen"}},
	},
	{
		{{"database"}},
		{{"internal/chainman"}},
		{
			{"mining/internal/realchain"},
			{"mining"},
			{"mining/zmq", "mining/bitcoinp2p", "mining/payee"},
			{"mining/bitcoind", "mining/merged", "mining/mergedtest"},
			{"mining/bitcoindtest", "mining/nodes", "mining/solutions"},
		},
		{
			{"p2p/netaddr", "p2p/lan", "p2p/internal/fakesocks"},
			{"p2p/message", "p2p/addrmgr", "p2p/banman", "p2p/dialer", "p2p/eviction", "p2p/portmap", "p2p/internal/fakechain"},
			{"p2p/peer", "p2p/netsync", "p2p/connmgr", "p2p/budget", "p2p/compact", "p2p/peer/peertest"},
			{"p2p"},
		},
	},
	{
		{
			{"stratum/connlimit", "stratum/tlscert"},
			{"stratum/portmux"},
			{"stratum"},
		},
		{{"internal/rpcserver"}},
		{{"internal/web"}},
		{{"internal/floors"}},
	},
	{
		{{"docs"}}, // tests of what the documents say
		{
			{"internal/harness"},
			{"internal/harness/demo"},
		},
		{
			{"cmd/internal/appdir", "cmd/internal/conffile", "cmd/internal/hostport", "cmd/internal/version", "cmd/p2pminer/internal/pow", "cmd/p2pminer/internal/poolserver"},
			{"cmd/p2pminer/internal/bench"},
			{"cmd/p2poold", "cmd/p2pctl", "cmd/p2pminer", "cmd/p2psim"},
		},
	},
}

// helpers are for tests and the demo only.
var helpers = []string{
	"blockchain/chaingen",
	"mining/bitcoindtest",
	"mining/mergedtest",
	"mining/internal/realchain",
	"cmd/p2pminer/internal/poolserver",
	"p2p/internal/fakechain",
	"p2p/internal/fakesocks",
	"internal/childproc",
	"internal/lossynet",
	"p2p/peer/peertest",
}

// helped may import helpers.
var helped = append([]string{"internal/harness", "internal/harness/demo"}, helpers...)

// soleImporters says who alone may import a library, tests included. A name that
// ends in /... stands for all packages below that folder.
var soleImporters = []struct{ library, importer string }{
	{"github.com/syndtr/goleveldb", "database"},
	{"github.com/btcsuite/btcd/rpcclient", "mining/bitcoind"},
	{"github.com/btcsuite/websocket", "mining/bitcoind"},
	{"github.com/jessevdk/go-flags", "cmd/..."},
	{"github.com/btcsuite/btcd/v2transport", "p2p/peer..."}, // and its test helper
	{"golang.org/x/net/proxy", "p2p/dialer"},
	{"golang.org/x/net/dns", "p2p/lan"},
	{"golang.org/x/net/ipv4", "p2p/lan"},
	{"github.com/huin/goupnp", "p2p/portmap"},
	{"github.com/jackpal/go-nat-pmp", "p2p/portmap"},
	{"github.com/jackpal/gateway", "p2p/portmap"},
	{"github.com/pires/go-proxyproto", "stratum/portmux"},
}

// goPackage is what `go list -json` tells.
type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Error        *struct{ Err string }
}

// place is where a package stands.
type place struct{ floor, family, step int }

// find returns the place of a package, named without the module's path.
func find(pkg string) (place, bool) {
	for f, families := range floors {
		for i, steps := range families {
			for s, names := range steps {
				if slices.Contains(names, pkg) {
					return place{f, i, s}, true
				}
			}
		}
	}
	return place{}, false
}

// matches reports whether an importer's name means a package.
func matches(pkg, name string) bool {
	if folder, ok := strings.CutSuffix(name, "..."); ok {
		return strings.HasPrefix(pkg, folder)
	}
	return pkg == name
}

// allowed reports whether a package at one place may import one at another.
func allowed(from, to place) bool {
	if from.floor != to.floor {
		return to.floor < from.floor
	}
	return from.family == to.family && to.step < from.step
}

// local strips the module's path and reports whether the package is ours.
func local(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// judge returns what is wrong with the imports of the packages.
func judge(packages []goPackage) []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for _, p := range packages {
		pkg, ours := local(p.ImportPath)
		if !ours {
			continue
		}
		at, known := find(pkg)
		if !known {
			fault("%s has no floor: give it one in internal/floors/floors_test.go", pkg)
			continue
		}
		for _, path := range p.Imports {
			to, ours := local(path)
			if !ours {
				continue
			}
			if target, ok := find(to); ok && !allowed(at, target) {
				fault("%s imports %s, which is not below it", pkg, to)
			}
			if slices.Contains(helpers, to) && !slices.Contains(helped, pkg) {
				fault("%s imports %s, which is for tests", pkg, to)
			}
		}
		for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			for _, sole := range soleImporters {
				if (path == sole.library || strings.HasPrefix(path, sole.library+"/")) && !matches(pkg, sole.importer) {
					fault("%s imports %s, which only %s may", pkg, path, sole.importer)
				}
			}
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

func TestFloors(t *testing.T) {
	root := moduleRoot(t)
	watch(t, root)
	// -e: a package that does not compile has imports all the same.
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps",
		"-json=ImportPath,Imports,TestImports,XTestImports,Error", "./...")
	cmd.Dir = root
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, errs.String())
	}
	var packages []goPackage
	ours := 0
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if _, ok := local(p.ImportPath); ok {
			if ours++; p.Error != nil {
				t.Errorf("%s: %s", p.ImportPath, p.Error.Err)
			}
		}
		packages = append(packages, p)
	}
	if ours < 10 {
		t.Fatalf("go list knows %d packages of %s", ours, module)
	}
	for _, fault := range judge(packages) {
		t.Error(fault)
	}
}

// moduleRoot returns the folder of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}

// watch looks at every Go file, for `go test` runs a test again, instead of
// reporting its last result, if a file has changed that the test itself (not a
// command it starts) has looked at.
func watch(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case filepath.Ext(path) == ".go":
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestJudge shows each kind of fault being found.
func TestJudge(t *testing.T) {
	own := func(names ...string) []string {
		for i := range names {
			names[i] = module + "/" + names[i]
		}
		return names
	}
	tests := []struct {
		name string
		pkg  goPackage
		want string // part of the one fault, "" for none
	}{
		{"down", goPackage{ImportPath: "blockchain", Imports: own("blockchain/share", "blockchain/payout")}, ""},
		{"up", goPackage{ImportPath: "blockchain/share", Imports: own("blockchain")}, "blockchain/share imports blockchain, which is not below"},
		{"siblings", goPackage{ImportPath: "mining", Imports: own("database")}, "mining imports database"},
		{"siblings above", goPackage{ImportPath: "stratum", Imports: own("internal/rpcserver")}, "stratum imports internal/rpcserver"},
		{"across families", goPackage{ImportPath: "p2p/netsync", Imports: own("mining")}, "p2p/netsync imports mining"},
		{"the chain's manager looks up", goPackage{ImportPath: "internal/chainman", Imports: own("database")}, "internal/chainman imports database"},
		{"the chain's manager from beside", goPackage{ImportPath: "p2p", Imports: own("internal/chainman")}, "p2p imports internal/chainman"},
		{"the chain's manager from above", goPackage{ImportPath: "cmd/p2poold", Imports: own("internal/chainman", "database")}, ""},
		{"within a family", goPackage{ImportPath: "p2p", Imports: own("p2p/peer", "p2p/netsync", "p2p/message")}, ""},
		{"within a family, up", goPackage{ImportPath: "p2p/message", Imports: own("p2p/peer")}, "p2p/message imports p2p/peer"},
		{"within a step", goPackage{ImportPath: "p2p/netsync", Imports: own("p2p/peer")}, "p2p/netsync imports p2p/peer"},
		{"program to program", goPackage{ImportPath: "cmd/p2pctl", Imports: own("cmd/p2poold")}, "cmd/p2pctl imports cmd/p2poold"},
		{"program to shared code", goPackage{ImportPath: "cmd/p2pctl", Imports: own("cmd/internal/version")}, ""},
		{"shared code to program", goPackage{ImportPath: "cmd/internal/hostport", Imports: own("cmd/p2pctl")}, "cmd/internal/hostport imports cmd/p2pctl"},
		{"helper in a program", goPackage{ImportPath: "cmd/p2poold", Imports: own("blockchain/chaingen")}, "which is for tests"},
		{"helper in a test", goPackage{ImportPath: "cmd/p2poold", TestImports: own("blockchain/chaingen")}, ""},
		{"helper in the harness", goPackage{ImportPath: "internal/harness", Imports: own("mining/bitcoindtest")}, ""},
		{"tests look anywhere", goPackage{ImportPath: "internal/chainman", TestImports: own("database"), XTestImports: own("p2p")}, ""},
		{"harness in a program", goPackage{ImportPath: "cmd/p2pctl", Imports: own("internal/harness")}, "cmd/p2pctl imports internal/harness"},
		{"unknown program", goPackage{ImportPath: "cmd/new"}, "cmd/new has no floor"},
		{"unknown package", goPackage{ImportPath: "internal/new"}, "internal/new has no floor: give it one in internal/floors/floors_test.go"},
		{"library", goPackage{ImportPath: "database", Imports: []string{"github.com/syndtr/goleveldb/leveldb/opt"}}, ""},
		{"library elsewhere", goPackage{ImportPath: "blockchain", Imports: []string{"github.com/syndtr/goleveldb/leveldb"}}, "only database may"},
		{"library in a test elsewhere", goPackage{ImportPath: "p2p", XTestImports: []string{"github.com/btcsuite/btcd/rpcclient"}}, "only mining/bitcoind may"},
		{"flags in a program", goPackage{ImportPath: "cmd/internal/conffile", Imports: []string{"github.com/jessevdk/go-flags"}}, ""},
		{"flags below", goPackage{ImportPath: "stratum", Imports: []string{"github.com/jessevdk/go-flags"}}, "only cmd/... may"},
		{"like a library", goPackage{ImportPath: "p2p", Imports: []string{"github.com/btcsuite/btcd/rpcclientish"}}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.pkg.ImportPath = module + "/" + test.pkg.ImportPath
			faults := judge([]goPackage{test.pkg})
			switch {
			case test.want == "" && len(faults) == 0:
			case test.want == "" || len(faults) != 1 || !strings.Contains(faults[0], test.want):
				t.Errorf("faults %q, want %q", faults, test.want)
			}
		})
	}
	if faults := judge([]goPackage{{ImportPath: "net/http"}}); len(faults) != 0 {
		t.Errorf("others' packages are none of ours: %q", faults)
	}
}
