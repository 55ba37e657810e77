#!/usr/bin/env bash
# Makes the Python environment that the emulators, the demo and the benchmark run in. Safe to call before every
# use: when the environment is there and up to date it returns at once and prints nothing.
#
#   emulators/setup.sh            environment in ${HOLDFAST_VENV:-~/.cache/holdfast/venv}
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="${HOLDFAST_VENV:-$HOME/.cache/holdfast/venv}"
requirements="$here/requirements.txt"

say() { printf 'emulators/setup.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The stamp names what was installed, so that a changed requirements.txt or a moved environment is noticed.
wanted="$(printf '%s\n' "$venv" | cat - "$requirements" | sha256sum | cut -d' ' -f1)"
stamp="$venv/.holdfast-requirements"
up_to_date() { [[ -x "$venv/bin/python" && "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]]; }

up_to_date && exit 0

# Two builds may start at once on one machine (tests and demo): the second waits, and then finds all done.
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9
up_to_date && exit 0

install_debian() {
    [[ "$(id -u)" == 0 ]] || die "needs $*; run: sudo apt-get install $*"
    command -v apt-get >/dev/null || die "needs $*, and this machine has no apt-get to install them with"
    say "installing $*"
    local log; log="$(mktemp)"
    { DEBIAN_FRONTEND=noninteractive apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y "$@"; } \
        >"$log" 2>&1 || { cat "$log" >&2; rm -f "$log"; die "apt-get could not install $*"; }
    rm -f "$log"
}

command -v python3 >/dev/null || install_debian python3 python3-venv
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "needs Python 3.11 or newer, found $(python3 --version); put a newer one first in PATH"
# Debian splits venv from python3: the module is there, but the ensurepip that it needs is not.
python3 -c 'import ensurepip, venv' 2>/dev/null || install_debian python3-venv

if ! "$venv/bin/python" -c '' 2>/dev/null; then
    say "creating $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
fi
say "installing the emulators (about a minute, once)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --requirement "$requirements" ||
    die "pip could not install $requirements; is PyPI reachable?"
printf '%s\n' "$wanted" >"$stamp"
