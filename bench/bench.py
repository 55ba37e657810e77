#!/usr/bin/env python3
"""Holdfast's benchmark. `make bench` (bench/run.sh) builds the release binary and runs all of it.

    bench/bench.py --holdfast PATH [--emulator ministack|moto] [--sizes 100,500,1000] [--runs 3] [--events 20]
                   [--only sweep,latency,limits,events] [--json FILE] [--check]

All traffic goes through emulators/gateway.py, which counts it. It prints markdown on stdout, progress on stderr, and
writes every figure to --json. --check: exit 1 if a target of the table is missed.

sweep    one cold `holdfast audit` with secret values, limits lifted: AWS calls made and the least possible (fleet.py has
         the formula), wall time, CPU and peak memory of the process; the median of --runs runs. Whether the planted
         faults were found, and nothing else, is checked along the way.
latency  the same with 50 ms in front of every call, against the very same calls replayed one after another on one
         connection.
limits   default limits, against a gateway that enforces AWS's documented rates (aws_limits.py): throttled calls, and wall
         time against the least that these rates allow: the largest of (calls - burst) / rate over all families of calls.
events   from an event in the queue to the arrival of the corrective call (events.py).

The fleet of `latency` and `limits` has 500 workloads. Figures of Cloud Custodian and Prowler on such a world are in
DESIGN.md and are not measured again here.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

import events
import fleet
from measure import BenchError, Emulator, EmulatorError, Gateway, audit, forget_aws_settings, lay_out, median, replay

HERE = Path(__file__).resolve().parent
FLEET = 500
LATENCY_MS = 50
PARTS = ("sweep", "latency", "limits", "events")
PLANTED = {
    "public": "rds-public-access",
    "open-ingress": "rds-open-ingress",
    "retention": "rds-short-backup-retention",
    "malformed-url": "secret-malformed-url",
}


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Report:
    """Markdown as it comes, and the targets that were met or missed."""

    def __init__(self):
        self.data = {}
        self.missed = []

    def target(self, name, value, limit, unit=""):
        met = value <= limit
        if not met:
            self.missed.append(name)
        print(f"- {name}: **{value:.4g}{unit}** (target ≤ {limit:g}{unit}) {'met' if met else '**MISSED**'}")

    def table(self, title, header, rows):
        print(f"\n## {title}\n\n| {' | '.join(header)} |\n|{' --- |' * len(header)}")
        for row in rows:
            print(f"| {' | '.join(map(str, row))} |")
        print(flush=True)


def check_findings(report, count):
    """The planted faults, and nothing else."""
    wanted = Counter(PLANTED[fleet.fault(number)] for number in range(count) if fleet.fault(number))
    found = Counter(finding["rule"] for finding in report["findings"] if finding["verdict"] == "fail")
    if found != wanted:
        raise BenchError(f"findings differ from the planted faults:\n  planted {dict(wanted)}\n  found   {dict(found)}")


def sweep(options, report, directory):
    rows, results = [], []
    for size in options.sizes:
        say(f"sweep of {size} workloads on {options.emulator}")
        with Emulator(options.emulator) as emulator:
            lay_out(emulator.endpoint, fleet.world(size), directory)
            with Gateway(emulator.endpoint) as gateway:
                runs = []
                for _ in range(options.runs):
                    gateway.reset()
                    usage, found = audit(options.holdfast, HERE / "unlimited.yaml", gateway.endpoint, directory)
                    check_findings(found, size)
                    runs.append((usage, gateway.stats()))
        made = runs[0][1]["calls"]
        least = fleet.least_calls(size, options.emulator)
        usages = [usage for usage, _ in runs]
        result = {
            "workloads": size,
            "calls": max(stats["total"] for _, stats in runs),
            "least_calls": sum(least.values()),
            "least_calls_aws": sum(fleet.least_calls(size, "aws").values()),
            "by_operation": {
                name: {"made": made.get(name, 0), "least": least.get(name, 0)} for name in sorted(made | least)
            },
            "wall_s": median([usage["wall_s"] for usage in usages]),
            "cpu_s": median([usage["user_s"] + usage["system_s"] for usage in usages]),
            "max_rss_mb": max(usage["max_rss_mb"] for usage in usages),
        }
        result["ratio"] = result["calls"] / result["least_calls"]
        results.append(result)
        rows.append((
            size, result["calls"], result["least_calls"], f"{result['ratio']:.3f}", f"{result['wall_s']:.2f} s",
            f"{result['cpu_s']:.2f} s", f"{result['max_rss_mb']:.0f} MB",
        ))
    report.data["sweep"] = results
    report.table(
        f"One sweep, with secret values, limits lifted ({options.emulator}, median of {options.runs})",
        ("workloads", "calls", "least possible", "ratio", "wall", "CPU (user + sys)", "peak memory"), rows,
    )
    judged = next((result for result in results if result["workloads"] == FLEET), results[-1])
    rows = [(name, n["made"], n["least"]) for name, n in judged["by_operation"].items()]
    report.table(f"Calls of the sweep of {judged['workloads']}", ("operation", "made", "least"), rows)
    print(f"(On AWS, which pages everything, the least is {judged['least_calls_aws']}.)\n")
    report.target("calls / least possible", judged["ratio"], 1.05)
    if judged["workloads"] == FLEET:
        report.target("CPU of a sweep of 500", judged["cpu_s"], 0.5, " s")
        report.target("peak memory of a sweep of 500", judged["max_rss_mb"], 60, " MB")


def latency(options, report, emulator, directory):
    say(f"sweep of {FLEET} workloads with {LATENCY_MS} ms before every call, then the same calls in sequence")
    record = Path(directory) / "record.jsonl"
    with Gateway(emulator.endpoint, "--latency-ms", LATENCY_MS, "--record", record) as gateway:
        usage, found = audit(options.holdfast, HERE / "unlimited.yaml", gateway.endpoint, directory)
        check_findings(found, FLEET)
        stats = gateway.stats()
    # A gateway of its own: the replay is not to be recorded onto itself.
    with Gateway(emulator.endpoint, "--latency-ms", LATENCY_MS) as gateway:
        sequential = replay(record, gateway.endpoint)
    result = {
        "calls": stats["total"], "wall_s": usage["wall_s"], "sequential_s": sequential,
        "ratio": usage["wall_s"] / sequential, "max_in_flight": stats["max_in_flight"],
        "cpu_s": usage["user_s"] + usage["system_s"],
    }
    report.data["latency"] = result
    report.table(
        f"{FLEET} workloads, {LATENCY_MS} ms of latency, limits lifted",
        ("calls", "wall", "same calls in sequence", "ratio", "most in flight"),
        [(result["calls"], f"{result['wall_s']:.2f} s", f"{sequential:.1f} s", f"{result['ratio']:.3f}",
          result["max_in_flight"])],
    )
    report.target("wall / sequential", result["ratio"], 0.2)


def limits(options, report, emulator, directory):
    say(f"sweep of {FLEET} workloads under default limits, AWS's rates enforced (about half a minute)")
    with Gateway(emulator.endpoint, "--enforce") as gateway:
        usage, found = audit(options.holdfast, HERE / "default-limits.yaml", gateway.endpoint, directory)
        check_findings(found, FLEET)
        stats = gateway.stats()
    families = sorted(stats["families"].items(), key=lambda item: -item[1]["least_s"])
    least = families[0][1]["least_s"]
    result = {
        "calls": stats["total"], "throttled": sum(stats["throttled"].values()), "throttled_by": stats["throttled"],
        "wall_s": usage["wall_s"], "least_s": least, "ratio": usage["wall_s"] / least if least else None,
        "families": stats["families"],
    }
    report.data["limits"] = result
    report.table(
        f"{FLEET} workloads, default limits, AWS's documented rates enforced",
        ("family", "calls", "burst", "rate", "least time"),
        [(name, f["calls"], f"{f['burst']:g}", f"{f['rate']:g}/s", f"{f['least_s']:.1f} s") for name, f in families],
    )
    report.target("throttled calls", result["throttled"], 0)
    report.target("wall / least the rates allow", result["ratio"], 1.1)
    print(f"- wall: {usage['wall_s']:.2f} s, least {least:.2f} s")


def event_latency(options, report, emulator, directory):
    say(f"{options.events} events")
    result = events.measure(options.holdfast, emulator, options.events, directory)
    report.data["events"] = result
    report.table(
        f"From an event in the queue to the corrective call ({options.events} times)",
        ("median", "p95", "max", "mean", "exit of `run` on SIGTERM"),
        [(*(f"{result[key] * 1000:.0f} ms" for key in ("median_s", "p95_s", "max_s")),
          f"{statistics.mean(result['seconds']) * 1000:.0f} ms", result["exit"])],
    )
    report.target("slowest correction", result["max_s"], 1, " s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", required=True, type=Path, help="the release binary")
    parser.add_argument("--emulator", choices=["ministack", "moto"], default="ministack")
    parser.add_argument("--sizes", default=[100, 500, 1000], type=lambda text: [int(size) for size in text.split(",")])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--only", default=PARTS, type=lambda text: text.split(","), metavar=",".join(PARTS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    unknown = set(options.only) - set(PARTS)
    if unknown:
        parser.error(f"--only {', '.join(unknown)}: there are {', '.join(PARTS)}")
    options.holdfast = options.holdfast.resolve()
    if not os.access(options.holdfast, os.X_OK):
        parser.error(f"{options.holdfast} is no program; build it with `cargo build --release`, or run bench/run.sh")

    forget_aws_settings()
    report = Report()
    report.data["machine"] = {"cpus": os.cpu_count(), "kernel": platform.release(), "emulator": options.emulator}
    print(f"# Holdfast benchmark\n\n{os.cpu_count()} CPUs, {options.emulator}; emulator and gateway share them.")
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as directory:
        if "sweep" in options.only:
            sweep(options, report, directory)
        if set(options.only) & {"latency", "limits", "events"}:
            with Emulator(options.emulator) as emulator:
                if set(options.only) & {"latency", "limits"}:
                    lay_out(emulator.endpoint, fleet.world(FLEET), directory)
                for part, run in (("latency", latency), ("limits", limits), ("events", event_latency)):
                    if part in options.only:
                        run(options, report, emulator, directory)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report.data, indent=1) + "\n")
        say(f"figures in {options.json}")
    if report.missed:
        say(f"missed: {', '.join(report.missed)}")
    return 1 if options.check and report.missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchError, EmulatorError) as error:
        sys.exit(f"bench.py: {error}")
