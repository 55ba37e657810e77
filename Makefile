# `make demo` and `make test` set up what they need. Everything is built into one directory outside of the repository.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/holdfast/target

# `make simulate SEEDS=n` runs so many seeds, `make simulate SEED=n` one with its whole trace.
SEEDS ?= 100000

.PHONY: help demo test simulate bench soak peers build fmt lint docs
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: ## three broken stacks on an emulator: audit, plan, apply, audit
	demo/run.sh

test: ## every check that CI runs
	scripts/test.sh

simulate: ## the operator against a simulated AWS: SEEDS=n of them, or SEED=n alone, told in full
	cargo xtask simulate $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

bench: ## calls, time, CPU and memory of a sweep; reaction to an event
	bench/run.sh

soak: ## twenty minutes at 2,000 workloads: memory, tasks, queue, latency (after make bench, which builds the binary)
	$${HOLDFAST_VENV:-$$HOME/.cache/holdfast/venv}/bin/python bench/soak.py --check --holdfast $(CARGO_TARGET_DIR)/release/holdfast

peers: build ## Holdfast beside Cloud Custodian and Prowler; installs them
	tests/peers/run.sh

build: ## the debug binary
	cargo build --locked

fmt: ## format the Rust code
	cargo fmt --all
	rustfmt --edition 2024 crates/core/src/rules/*/mod.rs # a macro declares these, which cargo fmt does not see

lint: ## clippy and what xtask checks of the layout, as strict as in CI
	cargo xtask tidy
	cargo clippy --locked --workspace --all-targets -- -D warnings

docs: build ## docs/{rules,cli,config,metrics}.md from the binary
	cargo xtask reference $(CARGO_TARGET_DIR)/debug/holdfast
