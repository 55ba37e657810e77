#!/usr/bin/env python3
"""What a steady-state sweep of `holdfast run` costs: calls by operation, and the memory that the process holds.

    bench/steady.py --holdfast PATH [--emulator ministack|moto] [--workloads 1000] [--sweeps 4] [--interval 30]
                    [--config bench/unlimited.yaml] [--json FILE] [--check]

The fleet is that of the benchmark (fleet.py): ten workloads a cluster, every tenth with a fault. `run --mode audit` sweeps
every --interval seconds, which must be longer than a sweep takes (moto describes 13 databases a second). The first sweep
reads everything; of the later ones the gateway's counts are printed, and how much memory the process held after each.
No secret and nothing else changes meanwhile.

--check: exit 1 if a sweep after the first makes more calls than AWS would need at most (150 for 1,000 workloads), or
describes a task definition.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import fleet
from measure import BenchError, Emulator, EmulatorError, Gateway, environment, forget_aws_settings, free_port, lay_out, wait_for

HERE = Path(__file__).resolve().parent
SWEPT = re.compile(r"^holdfast_sweep_duration_seconds_count\{[^}]*\} (\d+)$", re.M)
MOST_CALLS, MOST_MB = 150, 150


def swept(listen):
    try:
        with urllib.request.urlopen(f"http://{listen}/metrics", timeout=10) as answer:
            found = SWEPT.search(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return 0
    return int(found[1]) if found else 0


def memory(pid):
    """Resident now, that of it which is no file's, and resident at its most, in MB. A debug binary's own pages are many."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(("Vm", "Rss")))
    return tuple(round(int(lines[name].split()[0]) / 1024, 1) for name in ("VmRSS", "RssAnon", "VmHWM"))


def measure(options, directory):
    """→ for each sweep {"calls": {operation: count}, "total", "rss_mb", "anonymous_mb", "peak_mb"}"""
    config = Path(directory) / "steady.yaml"
    config.write_text(f"{options.config.read_text()}\nsweep: {{interval: {options.interval}s, jitter: 0%}}\n")
    sweeps = []
    with Emulator(options.emulator) as emulator:
        lay_out(emulator.endpoint, fleet.world(options.workloads), directory)
        with Gateway(emulator.endpoint) as gateway:
            listen = f"127.0.0.1:{free_port()}"
            command = [options.holdfast, "--config", config, "run", "--mode", "audit", "--listen", listen]
            log = Path(directory) / "run.txt"
            with log.open("w") as output:
                operator = subprocess.Popen(
                    list(map(str, command)), env=environment(gateway.endpoint), cwd=directory,
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                )
            try:
                for number in range(1, options.sweeps + 1):
                    wait_for(f"sweep {number}", lambda: operator.poll() is not None or swept(listen) >= number, 600)
                    if operator.poll() is not None:
                        raise BenchError(f"holdfast run ended with {operator.returncode}:\n{log.read_text()[-2000:]}")
                    stats = gateway.stats()
                    gateway.reset()
                    rss, anonymous, peak = memory(operator.pid)
                    sweeps.append({"calls": stats["calls"], "total": stats["total"], "rss_mb": rss, "anonymous_mb": anonymous, "peak_mb": peak})
            finally:
                operator.send_signal(signal.SIGTERM)
                operator.wait(60)
    return sweeps


def tell(sweeps, workloads, emulator):
    print(f"## {workloads} workloads, {emulator}\n\n| sweep | calls | resident | no file's | at its most |\n| --- | --- | --- | --- | --- |")
    for number, sweep in enumerate(sweeps, 1):
        print(f"| {number} | {sweep['total']} | {sweep['rss_mb']} MB | {sweep['anonymous_mb']} MB | {sweep['peak_mb']} MB |")
    operations = sorted(set().union(*(sweep["calls"] for sweep in sweeps)))
    print("\n| operation | first sweep | last sweep |\n| --- | --- | --- |")
    for operation in operations:
        print(f"| {operation} | {sweeps[0]['calls'].get(operation, 0)} | {sweeps[-1]['calls'].get(operation, 0)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", required=True, type=Path)
    parser.add_argument("--emulator", choices=["ministack", "moto"], default="ministack")
    parser.add_argument("--workloads", type=int, default=1000)
    parser.add_argument("--sweeps", type=int, default=4)
    parser.add_argument("--interval", type=int, default=30)
    parser.add_argument("--config", type=Path, default=HERE / "unlimited.yaml")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    options.holdfast = options.holdfast.resolve()
    if not os.access(options.holdfast, os.X_OK):
        parser.error(f"{options.holdfast} is no program; build it with `cargo build`")
    if options.sweeps < 2:
        parser.error("--sweeps: the first is not steady yet")
    forget_aws_settings()
    with tempfile.TemporaryDirectory(prefix="holdfast-steady-") as directory:
        sweeps = measure(options, directory)
    tell(sweeps, options.workloads, options.emulator)
    if options.json:
        options.json.write_text(json.dumps(sweeps, indent=1) + "\n")
    steady = sweeps[1:]
    missed = [
        what
        for what, is_missed in [
            ("calls", any(s["total"] > MOST_CALLS * options.workloads / 1000 for s in steady)),
            ("DescribeTaskDefinition", any(s["calls"].get("ecs:DescribeTaskDefinition") for s in steady)),
            ("memory", steady[-1]["rss_mb"] > MOST_MB),
        ]
        if is_missed
    ]
    if missed:
        print(f"steady.py: missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchError, EmulatorError) as error:
        sys.exit(f"steady.py: {error}")
