# The two commands of the README are `make demo` and `make test`.
GO ?= go
BIN := bin
# Nothing here is C: each program is one file that runs anywhere, and what is compiled for one target serves the others.
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench soak storm fuzz build rules kinds compared ha

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the programs into bin/
	@mkdir -p $(BIN)
	$(GO) build -trimpath -o $(BIN)/ ./cmd/...

rules: ## write docs/rules.md from the catalogue of rules
	$(GO) run ./internal/rule/page > docs/rules.md.new && mv docs/rules.md.new docs/rules.md

kinds: ## write docs/kinds/ and docs/settings.md from the definitions in schemas/cue/
	$(GO) run ./internal/jsonschema/pages docs

demo: ## build, then walk through a signed example repository in a temporary folder
	@mkdir -p $(BIN)
	@echo "building (the first time takes some minutes) ..."
	@$(GO) build -trimpath -o $(BIN)/ ./cmd/reconciler
	@$(BIN)/reconciler demo

test: ## set up what the tests need, then run them all
	@GO="$(GO)" scripts/test

lint: ## gofmt, vet, staticcheck
	@GO="$(GO)" scripts/lint

bench: ## measure passes beside git, sops, cue and conftest, and targets beside bare clients
	@GO="$(GO)" scripts/bench
	@GO="$(GO)" scripts/bench-targets

storm: ## kill the daemon 300 times while commits arrive and targets fail
	LCM_STORM_KILLS=300 $(GO) test -count=1 -timeout 60m -v -run 'TestStorm$$' ./cmd/reconciler

soak: ## run the daemon for 15 minutes under load, and see that nothing grows
	LCM_SOAK=15m $(GO) test ./cmd/reconciler -run 'TestSoak$$' -v -count=1 -timeout 40m

ha: ## kill, stop and cut off the leader of three replicas 50 times; print and judge how long others take to take over
	LCM_HA_ROUNDS=50 $(GO) test ./cmd/reconciler -run '^TestTakeOver$$' -count 1 -timeout 60m -v

compared: ## write docs/lint-compared.md: messages beside those of cue and conftest
	@GO="$(GO)" scripts/bench-tools
	@mkdir -p $(BIN)
	$(GO) build -o $(BIN)/ ./cmd/lcm-lint
	$(GO) run ./bench/compared > docs/lint-compared.md.new && mv docs/lint-compared.md.new docs/lint-compared.md

fuzz: ## run each fuzzer for a minute (scripts/fuzz 10m: longer)
	@GO="$(GO)" scripts/fuzz
