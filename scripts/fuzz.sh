#!/usr/bin/env bash
# Runs each fuzz target for a time (default five minutes each). Needs nightly Rust and cargo-fuzz: fuzz/README.md.
#
#   scripts/fuzz.sh [SECONDS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds="${1:-300}"
[[ "$seconds" =~ ^[0-9]+$ ]] || { echo "usage: scripts/fuzz.sh [SECONDS]" >&2; exit 1; }
cargo +nightly fuzz --version >/dev/null || { echo "run first: cargo install cargo-fuzz" >&2; exit 1; }
for target in $(cargo +nightly fuzz list); do
    echo "==== $target"
    # Without a sanitizer: the crate forbids unsafe code, and panics are what is looked for.
    cargo +nightly fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048
done
