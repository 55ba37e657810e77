#!/usr/bin/env bash
# Sets up what the checks need, then runs them all; stops at the first that fails. `make test` and .ci/run call it.
#
# Needs Rust (rust-version in Cargo.toml) and, on a bare machine, root on Debian or Ubuntu for what apt-get brings.
# Builds into ${CARGO_TARGET_DIR:-~/.cache/holdfast/target}; keeps the rest under ~/.cache/holdfast. No AWS account.
set -euo pipefail
exec </dev/null

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
cache="$HOME/.cache/holdfast"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
export HOLDFAST_VENV="${HOLDFAST_VENV:-$cache/venv}"
export HOLDFAST_BIN="$CARGO_TARGET_DIR/debug/holdfast"
export PYTHONDONTWRITEBYTECODE=1
nextest_version=0.9.143

# Whatever settings of AWS and Holdfast the user has stay out: the checks bring their own.
for variable in $(compgen -v AWS_ || true); do unset "$variable"; done
unset HOLDFAST_CONFIG_YAML HOLDFAST_LOG

die() { printf 'scripts/test.sh: %s\n' "$*" >&2; exit 1; }
doing=starting
section() {
    doing="$*"
    printf '\n==== %s (after %d:%02d) ====\n' "$doing" $((SECONDS / 60)) $((SECONDS % 60))
}
trap 'code=$?; ((code == 0)) || printf "\nFAILED (%s) while: %s\n" "$code" "$doing" >&2' EXIT

# ---- what the checks need ----

apt_updated=
apt_update() {
    [[ -z "$apt_updated" ]] || return 0
    [[ "$(id -u)" == 0 ]] || die "$1"
    apt-get update -qq
    apt_updated=yes
}

install_compiler() {
    command -v cc >/dev/null && return
    command -v apt-get >/dev/null || die "needs a C compiler; install one and run again"
    apt_update "needs a C compiler; run first: sudo apt-get install gcc libc6-dev"
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y gcc libc6-dev >/dev/null
}

install_rust_parts() {
    command -v cargo >/dev/null || die "needs Rust, as new as rust-version in Cargo.toml says: https://rustup.rs"
    if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
        command -v rustup >/dev/null || die "needs rustfmt and clippy of the same Rust"
        rustup component add rustfmt clippy
    fi
    cargo nextest --version >/dev/null 2>&1 && return
    echo "building cargo-nextest $nextest_version (some minutes, once)"
    # Not into our target directory: its profile and features are not ours.
    env -u CARGO_TARGET_DIR cargo install --quiet --locked --version "$nextest_version" cargo-nextest
}

# Prometheus and promtool. Taken out of Debian's package rather than installed, since installing starts a server that
# would stay; the two programs need nothing but libc.
install_prometheus() {
    if command -v prometheus >/dev/null && command -v promtool >/dev/null; then return; fi
    local kept="$cache/prometheus"
    if [[ ! -x "$kept/usr/bin/promtool" ]]; then
        command -v apt-get >/dev/null || die "needs prometheus and promtool in PATH: https://prometheus.io/download/"
        echo "fetching Debian's prometheus"
        local fetched; fetched="$(mktemp -d)"
        chmod 755 "$fetched"
        if ! (cd "$fetched" && apt-get download -qq prometheus >/dev/null 2>&1); then
            apt_update "needs prometheus; run first: sudo apt-get update"
            (cd "$fetched" && apt-get download -qq prometheus)
        fi
        rm -rf "$kept.new"
        dpkg-deb --extract "$fetched"/prometheus_*.deb "$kept.new"
        rm -rf "$kept" "$fetched"
        mv "$kept.new" "$kept"
    fi
    export PATH="$kept/usr/bin:$PATH"
}

# PostgreSQL for `diagnose --connect`. The tests start servers of their own; Debian's is told not to make one.
install_postgresql() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return
    command -v apt-get >/dev/null || die "needs PostgreSQL's server under /usr/lib/postgresql, as Debian's package has it"
    apt_update "needs PostgreSQL; run first: sudo apt-get install postgresql"
    mkdir -p /etc/postgresql-common
    [[ -e /etc/postgresql-common/createcluster.conf ]] ||
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql >/dev/null
}

section "setting up"
mkdir -p "$cache"
install_compiler
install_rust_parts
install_prometheus
install_postgresql
"$root/emulators/setup.sh"
cargo --version && cargo nextest --version | head -n 1 && promtool --version 2>&1 | head -n 1

# ---- the checks, cheap ones first ----

section "format"
cargo fmt --all --check
# The modules of rules are declared by a macro, which cargo fmt does not look into.
rustfmt --edition 2024 --check crates/core/src/rules/*/mod.rs

section "layout: circles of imports, layers, purity, rules"
cargo xtask tidy

section "deploy/: cfn-lint"
"$HOLDFAST_VENV/bin/cfn-lint" --include-checks I -- deploy/*.yaml

section "dashboards/: promtool"
(
    cd dashboards
    promtool check config --syntax-only prometheus.yaml
    promtool check rules alerts.yaml
    promtool test rules ./*_test.yaml
)

section "the emulators' own tests"
"$HOLDFAST_VENV/bin/python" -m pytest -q -p no:cacheprovider emulators/tests

section "clippy"
cargo clippy --locked --workspace --all-targets -- -D warnings

section "rustdoc"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet

section "build"
# The binary and all tests at once, so that what follows compiles nothing.
cargo build --locked --workspace --all-targets

section "generated reference"
cargo xtask reference --check "$HOLDFAST_BIN"

section "simulation"
cargo xtask simulate --seeds 3000

section "Rust tests, with the binary on both emulators"
cargo nextest run --locked --workspace

section "deploy/, dashboards/ and the forms of reports against the binary"
"$HOLDFAST_VENV/bin/python" -m pytest -q -p no:cacheprovider tests/artifacts

printf '\nAll checks passed in %d min %02d s.\n' $((SECONDS / 60)) $((SECONDS % 60))
