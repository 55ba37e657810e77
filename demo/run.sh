#!/usr/bin/env bash
# The demo (`make demo`): lays out three teams' stacks (world.yaml) on an emulator, and runs audit, plan, apply and audit
# on them. Needs no AWS account, reaches none, and stops what it started.
#
#   demo/run.sh                    all of that
#   demo/run.sh --keep             lay the stacks out, broken as they are, and stay until Ctrl-C, to try things on
#   demo/run.sh --holdfast PATH    with a binary that is there already, instead of building one
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(dirname "$here")"
venv="${HOLDFAST_VENV:-$HOME/.cache/holdfast/venv}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/holdfast/target}"

die() { printf 'demo/run.sh: %s\n' "$*" >&2; exit 1; }

keep= holdfast=
while (($#)); do
    case "$1" in
        --keep) keep=yes ;;
        --holdfast) holdfast="$(realpath "${2:?--holdfast needs a path}")"; shift ;;
        -h | --help) sed -n '2,/^set /{s/^# \{0,1\}//;/^set /d;p}' "${BASH_SOURCE[0]}"; exit ;;
        *) die "unknown argument $1; see --help" ;;
    esac
    shift
done

bold= plain=
if [[ -t 1 && -z "${NO_COLOR:-}" ]]; then bold=$'\e[1m' plain=$'\e[0m'; fi
header() { printf '\n%s── %s %s%s\n\n' "$bold" "$1" "$(printf '─%.0s' $(seq $((90 - ${#1}))))" "$plain"; }

install_missing() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v make >/dev/null || missing+=(make)
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || die "needs a C compiler and make; install them and run again"
    [[ "$(id -u)" == 0 ]] || die "run first: sudo apt-get install ${missing[*]}"
    echo "installing ${missing[*]}"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "${missing[@]}" >/dev/null
}

if [[ -z "$holdfast" ]]; then
    header "building (the first time takes some minutes)"
    command -v cargo >/dev/null || die "needs cargo (Rust, as new as rust-version in Cargo.toml says): https://rustup.rs"
    install_missing
    cargo build --locked --manifest-path "$root/Cargo.toml"
    holdfast="$CARGO_TARGET_DIR/debug/holdfast"
fi
[[ -x "$holdfast" ]] || die "$holdfast is no program"
"$root/emulators/setup.sh"

emulator_pid=
if [[ -n "$keep" ]]; then state="$here/.state"; rm -rf "$state"; mkdir "$state"; else state="$(mktemp -d)"; fi
clean_up() {
    # The emulator may have ended already, by a Ctrl-C that reached it too.
    if [[ -n "$emulator_pid" ]]; then
        kill "$emulator_pid" 2>/dev/null || true
        wait "$emulator_pid" 2>/dev/null || true
    fi
    rm -rf "$state"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

header "starting an emulator, laying out the stacks of demo/world.yaml"
exec {ready}< <(exec "$venv/bin/python" "$root/emulators/emulator.py" ministack)
emulator_pid=$!
read -r started <&"$ready" || die "the emulator did not start; what it said is above"
[[ "$started" =~ \"endpoint\":\ \"([^\"]+)\" ]] || die "the emulator said: $started"
endpoint="${BASH_REMATCH[1]}"
"$venv/bin/python" "$root/emulators/lay_out.py" --endpoint "$endpoint" --world "$here/world.yaml" >"$state/world.json"

# Whatever the user has of AWS's settings stays out: these point at the emulator alone.
for variable in $(compgen -v AWS_ || true); do unset "$variable"; done
settings=(
    AWS_ENDPOINT_URL="$endpoint" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
    AWS_DEFAULT_REGION=us-east-1 AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
    AWS_EC2_METADATA_DISABLED=true
)
export "${settings[@]}"

stay() {
    cp "$here/holdfast.yaml" "$state/holdfast.yaml"
    printf '\nledger: {kind: sqlite, path: "%s/holdfast.db"}\n' "$state" >>"$state/holdfast.yaml"
    { printf 'export %q\n' "${settings[@]}"; printf 'export PATH=%q:"$PATH"\n' "$(dirname "$holdfast")"; } >"$state/env"
    header "the stacks stay, broken as they are, until Ctrl-C; in another terminal"
    cat <<END
  source ${state#"$PWD/"}/env
  config=${state#"$PWD/"}/holdfast.yaml

  holdfast --config \$config audit                    what is wrong; --format json for programs
  holdfast --config \$config plan                     what would be done, call by call
  holdfast --config \$config apply                    asks, then does it
  holdfast rules rds-open-ingress                    one rule in full
  holdfast iam-policy --mode enforce                 the permissions that it needs

  holdfast --config \$config run                      the operator: corrects, and goes on watching
  curl -s http://127.0.0.1:9095/metrics | grep ^holdfast_

  While it runs, break something and see it put right at the next sweep:
  $venv/bin/python -c 'import boto3; boto3.client("rds").modify_db_instance(
      DBInstanceIdentifier="coder-postgres", PubliclyAccessible=True, ApplyImmediately=True)'
END
    # Till the emulator ends, or a signal ends the wait.
    wait "$emulator_pid"
}

# Shows a command and runs it. 0: nothing found or all done. 1: findings, which is what the demo is about.
show() {
    header "holdfast $*"
    local code=0
    (cd "$state" && "$holdfast" --config "$here/holdfast.yaml" "$@") || code=$?
    printf '\n(exit code %s)\n' "$code"
    ((code <= 1)) || die "holdfast $1 ended with $code; the demo's worlds should let it run and know everything"
}

if [[ -n "$keep" ]]; then
    stay
    exit
fi

show audit
show plan
show apply --yes
show audit

header "what to try next"
cat <<END
What the last audit still lists needs a person: only someone who knows the password can write a broken URL anew.

  demo/run.sh --keep         the same stacks on an emulator that stays, to try single commands on; it says how
  holdfast run               the operator: sweeps and events; metrics at http://127.0.0.1:9095/metrics,
                             console at http://127.0.0.1:9095/
  holdfast rules             all rules; \`holdfast rules ID\` says what one is about, and what it does
  holdfast iam-policy        the least permissions it needs on a real account

The binary is $holdfast
END
