#!/usr/bin/env bash
# Holdfast, Cloud Custodian and Prowler side by side on one emulated world: installs what that needs, then runs agree.py,
# whose arguments it takes. Custodian and Prowler get a Python environment each, under ~/.cache/holdfast (800 MB, once).
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="$HOME/.cache/holdfast"
venv="${HOLDFAST_VENV:-$cache/venv}"

install() { # NAME PACKAGE==VERSION
    local there="$cache/peers-$1"
    [[ "$(cat "$there/.installed" 2>/dev/null)" == "$2" ]] && return
    printf 'tests/peers/run.sh: installing %s\n' "$2" >&2
    rm -rf "$there"
    python3 -m venv "$there"
    "$there/bin/pip" install --quiet --disable-pip-version-check --no-input "$2"
    printf '%s\n' "$2" >"$there/.installed"
}

"$here/../../emulators/setup.sh"
install custodian c7n==0.9.53
install prowler prowler==5.46.0
exec "$venv/bin/python" "$here/agree.py" "$@"
