# The commands of the README.

.PHONY: run build examples test check bench

# Builds Stoker and the examples and serves them on http://127.0.0.1:8080.
run: build examples
	target/release/stoker serve examples/stoker.toml

build:
	cargo build --release --locked

examples:
	examples/build.sh

# Installs what the tests need and runs them all.
test: setup check
	cargo build --locked --workspace --bins
	examples/build.sh
	cargo test --locked --workspace

.PHONY: setup
setup:
	scripts/setup-tests

check:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items

# Compares Stoker with nginx and haproxy on this machine, and its cold starts with bare ones and those of
# others; takes about half an hour.
bench: build examples
	scripts/setup-bench
	python3 benches/compare/run.py
	python3 benches/compare/instructions.py
	python3 benches/coldstart/run.py
	python3 benches/coldstart/rates.py
	python3 benches/rivals/run.py
	cargo bench --locked -p stoker --bench hot_path
