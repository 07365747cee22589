# The commands of the project. `make run` and `make test` need Rust and nothing else: what is missing of the
# system's packages they install (as root, with apt) or name. Always the whole workspace: building one package
# alone resolves other features of its dependencies, and would compile them a second time.

CARGO_FLAGS := --release --locked
DATA ?= target/demo
CHAOS_ROUNDS ?= 5

.PHONY: run cluster test conformance chaos upgrade-test build bench lint fmt schemas

run: build ## a server on 127.0.0.1:8080 with a generated company in it, and a runner beside it that builds a workspace
	sh .ci/packages run
	target/release/chancery serve --data-directory $(DATA) --demo-users 200 --demo-days 30 \
	  --demo-terraform "$$(target/release/provide-terraform)"

cluster: build ## three nodes on Kafka, PostgreSQL and an object store, behind a balancer on 127.0.0.1:8080
	sh .ci/packages cluster
	target/release/cluster $(CLUSTER_FLAGS)

test: ## everything: unit, property and end-to-end tests on the real binary and real peers
	sh .ci/packages build test
	cargo build $(CARGO_FLAGS) --workspace
	cargo test $(CARGO_FLAGS) --workspace -- --skip chaos::
	cargo test $(CARGO_FLAGS) --workspace --test e2e -- chaos::

conformance: ## the SCIM checks of scim2-tester against this server, on SQLite and on PostgreSQL, one by one
	sh .ci/packages build test
	cargo build $(CARGO_FLAGS) --workspace
	cargo test $(CARGO_FLAGS) --workspace --test e2e scim::conformance -- --nocapture --test-threads 1

chaos: ## CHAOS_ROUNDS rounds of every fault on a cluster under load, and what its clients saw of each
	sh .ci/packages build test
	cargo build $(CARGO_FLAGS) --workspace
	CHANCERY_CHAOS_ROUNDS=$(CHAOS_ROUNDS) \
	  cargo test $(CARGO_FLAGS) --workspace --test e2e chaos:: -- --nocapture

upgrade-test: ## three nodes of the commit UPGRADE_FROM, upgraded to this one node by node under load
	sh .ci/packages build test
	sh .ci/earlier "$(UPGRADE_FROM)" $(CARGO_FLAGS)
	cargo build $(CARGO_FLAGS) --workspace
	CHANCERY_TEST_EARLIER=$(CURDIR)/target/upgrade/chancery \
	  cargo test $(CARGO_FLAGS) --workspace --test e2e chaos:: -- --nocapture

build: ## target/release/chancery
	sh .ci/packages build
	cargo build $(CARGO_FLAGS) --workspace

bench: ## the table of numbers, also as target/bench/results.json; a part of it with BENCH_FLAGS="--only cluster"
	sh .ci/packages build bench
	cargo build $(CARGO_FLAGS) --workspace
	target/release/bench $(BENCH_FLAGS)

lint: ## formatting, clippy, licences
	cargo fmt --all --check
	cargo clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny check

fmt: ## format everything
	cargo fmt --all

schemas: build ## write schemas/ anew from the types
	target/release/chancery schemas --write schemas
