# p2poold: a decentralised Bitcoin mining pool.
#
# `make` or `make help` lists what can be made. Everything needs Go and git only;
# the Bitcoin node of the demo and of the tests is btcd, pinned in go.mod as a tool.

GO        ?= go
BLOCKS    ?= 0
HASHRATE  ?= 2M
FUZZTIME  ?= 30s
FAULTTIME ?= 100m

.DEFAULT_GOAL := help
.PHONY: help build test race bench fuzz soak lint demo clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build p2poold, p2pctl and p2pminer into bin/
	$(GO) build -o bin/ ./cmd/p2poold ./cmd/p2pctl ./cmd/p2pminer

test: lint ## run all tests, the end-to-end ones on a real Bitcoin node included
	$(GO) test -timeout 12m ./...

race: ## run all tests under the race detector
	$(GO) test -race -timeout 30m ./...

bench: ## run the benchmarks, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

fuzz: ## run each fuzz target for FUZZTIME (30s)
	@set -e; $(GO) list -f '{{.Dir}} {{.ImportPath}}' ./... | while read -r dir pkg; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9]+' "$$dir"/*_test.go 2>/dev/null | sed 's/^func //'); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg"; \
		done; \
	done

soak: ## 1,000 kills and 1,000 flipped bits; a million templates; a million bad frames, hostile peers, memory under a flood; 100 virtual days and FAULTTIME (100m) of network faults
	P2POOL_KILLS=1000 P2POOL_FLIPS=1000 $(GO) test -count=1 -v -timeout 60m -run 'TestKillAtRandom|TestDamagedDatabase' ./internal/harness
	P2POOL_TEMPLATES=1000000 $(GO) test -count=1 -v -timeout 2h -run 'TestRandomTemplates' ./mining
	P2POOL_FRAMES=1000000 $(GO) test -count=1 -v -timeout 30m -run 'TestBadFrames' ./p2p/peer
	P2POOL_SIEGE=3s P2POOL_TCP_FRAMES=100000 $(GO) test -count=1 -v -timeout 30m -run 'TestHostile|TestHalfOpen|TestBadFrames' ./cmd/p2poold
	P2POOL_FULL_WINDOW=1 $(GO) test -count=1 -v -timeout 30m -run 'TestFloodMemory' ./cmd/p2poold
	P2POOL_DAYS=100 P2POOL_FAULT_TIME=$(FAULTTIME) $(GO) test -count=1 -v -timeout 6h -run 'TestVirtual|TestReal' ./cmd/p2poold

lint: ## check formatting, vet and staticcheck
	@set -e; unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go') </dev/null); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

demo: ## run a small pool here: Bitcoin node, three p2poold, of which one is killed and returns (BLOCKS=3 ends it after three paid blocks)
	@$(GO) build -o bin/demo ./internal/harness/demo
	@exec bin/demo -blocks $(BLOCKS) -hashrate $(HASHRATE)

clean: ## remove what was built
	rm -rf bin
