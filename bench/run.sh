#!/usr/bin/env bash
# Builds the release binary and runs the benchmark on it (`make bench`); arguments go to bench.py, which explains them.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="${HOLDFAST_VENV:-$HOME/.cache/holdfast/venv}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/holdfast/target}"

"$root/emulators/setup.sh"
cargo build --release --locked --manifest-path "$root/Cargo.toml"
exec "$venv/bin/python" "$root/bench/bench.py" \
    --holdfast "$CARGO_TARGET_DIR/release/holdfast" --json "$CARGO_TARGET_DIR/bench.json" "$@"
