#!/usr/bin/env python3
"""Holdfast left on: memory, tasks and queue of `holdfast run --mode enforce` over many minutes and thousands of workloads.

    bench/soak.py --holdfast PATH [--minutes 20] [--workloads 2000] [--interval 30] [--rate 5] [--open-every 5] [--json FILE] [--check]

An emulator (ministack) holds the benchmark's fleet, without faults. The operator sweeps every --interval seconds and is fed
by a queue: --rate events a second about databases that nobody changed, half of them sent twice, and every --open-every
seconds one database is opened to the public behind its back and CloudTrail's event of that follows. Every ten seconds a
sample is taken. Emulator, operator and this script share the machine: the times below hold the emulator's time too.

--check: exit 1 if memory or tasks grew (the last quarter's median above 1.1 times the second quarter's), if resident memory
passed 150 MB for 2,000 workloads, if the queue was not drained at the end, if a database stayed open, or if the operator did
not end cleanly. How long an event takes without the emulator's time, `cargo bench --bench operator` tells.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import events
import fleet
from measure import BenchError, Emulator, EmulatorError, environment, forget_aws_settings, free_port, lay_out, median, wait_for

HERE = Path(__file__).resolve().parent
SAMPLE_SECONDS = 10
MOST_MB = 150
MOST_GROWTH = 1.1
APIS = ["ecs", "ec2", "rds", "secretsmanager", "tagging", "iam", "logs", "ssm", "cloudwatch"]


def metrics(listen):
    with urllib.request.urlopen(f"http://{listen}/metrics", timeout=30) as answer:
        return answer.read().decode()


def total(text, name, *labels):
    """The sum of a metric's series that carry all `labels`."""
    rows = re.findall(rf"^{name}(?:\{{([^}}]*)\}})? (\S+)$", text, re.M)
    return sum(float(value) for found, value in rows if all(label in found for label in labels))


def quantile(text, name, share):
    """As Prometheus reckons it: linear within the bucket that holds it."""
    rows = re.findall(rf'^{name}_bucket\{{(?:[^}}]*,)?le="([^"]+)"\}} (\S+)$', text, re.M)
    buckets = [(float(le), float(count)) for le, count in rows]
    wanted = share * (buckets[-1][1] if buckets else 0)
    below, lower = 0.0, 0.0
    for le, count in buckets:
        if count >= wanted and count > below:
            return lower if le == float("inf") else lower + (le - lower) * (wanted - below) / (count - below)
        below, lower = count, le
    return 0.0


def status(pid):
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    megabytes = lambda name: round(int(lines[name].split()[0]) / 1024, 1)
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return {"rss_mb": megabytes("VmRSS"), "anonymous_mb": megabytes("RssAnon"), "threads": int(lines["Threads"]), "descriptors": descriptors}


class Traffic:
    """Events, and databases opened behind the operator's back."""

    def __init__(self, endpoint, scope, options):
        self._rds, self._sqs = events._client("rds", endpoint), events._client("sqs", endpoint)
        self._account, self._queue = scope["account"], scope["queues"][events.QUEUE]
        self._options, self._random = options, random.Random(options.seed)
        self.sent, self.opened = 0, []

    def second(self, number):
        bodies = []
        for _ in range(self._options.rate):
            event = events.envelope(fleet.name(self._random.randrange(self._options.workloads)), self._account)
            bodies += [event] * self._random.choice([1, 2])
        if number % self._options.open_every == 0:
            instance = fleet.name(self._random.randrange(self._options.workloads))
            self._rds.modify_db_instance(DBInstanceIdentifier=instance, PubliclyAccessible=True, ApplyImmediately=True)
            self.opened.append(instance)
            bodies.append(events.envelope(instance, self._account))
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(i), "MessageBody": body} for i, body in enumerate(bodies[start:start + 10])]
            self._sqs.send_message_batch(QueueUrl=self._queue, Entries=entries)
        self.sent += len(bodies)

    def still_open(self):
        open_ones = []
        for page in self._rds.get_paginator("describe_db_instances").paginate():
            open_ones += [i["DBInstanceIdentifier"] for i in page["DBInstances"] if i["PubliclyAccessible"]]
        return open_ones

    def waiting(self):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        got = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=names)["Attributes"]
        return sum(int(got[name]) for name in names)


def soak(options, directory):
    config = events.config("QUEUE")
    config["sweep"] = {"interval": f"{options.interval}s"}
    # The same database may be opened again: that is the experiment, no fight.
    config["safety"] |= {"cooldown": "0s", "fight_threshold": 1_000_000, "max_actions_per_sweep": 1_000_000}
    config["ledger"] = {"kind": "sqlite", "path": str(Path(directory) / "soak.db")}
    # No emulator has AWS's rates; at those the first sweep alone, with a role for each workload, takes eight minutes.
    rate = {"describe_per_second": 100_000, "mutate_per_second": 100_000}
    config["limits"] = {"api": {api: rate for api in APIS}}
    with Emulator("ministack") as emulator:
        made = lay_out(emulator.endpoint, fleet.world(options.workloads, faults=False, queue=events.QUEUE), directory)
        scope, = made.values()
        config["events"]["queue_url"] = scope["queues"][events.QUEUE]
        path = Path(directory) / "soak.yaml"
        path.write_text(json.dumps(config))
        listen = f"127.0.0.1:{free_port()}"
        command = [options.holdfast, "--config", path, "--log-format", "json", "run", "--listen", listen]
        log = Path(directory) / "run.txt"
        with log.open("w") as output:
            operator = subprocess.Popen(
                list(map(str, command)), env=environment(emulator.endpoint), cwd=directory,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )
        try:
            wait_for("/readyz", lambda: events._ready(operator, listen, log), 300)
            traffic = Traffic(emulator.endpoint, scope, options)
            samples, started, number = [], time.monotonic(), 0
            while (passed := time.monotonic() - started) < options.minutes * 60:
                if operator.poll() is not None:
                    raise BenchError(f"holdfast run ended with {operator.returncode}:\n{log.read_text()[-2000:]}")
                number += 1
                traffic.second(number)
                if number % SAMPLE_SECONDS == 0:
                    text = metrics(listen)
                    samples.append({
                        "minute": round(passed / 60, 1), **status(operator.pid), "tasks": int(total(text, "holdfast_runtime_tasks")),
                        "waiting": int(total(text, "holdfast_workqueue_depth")),
                        "sweeps": int(total(text, "holdfast_sweep_duration_seconds_count")),
                    })
                time.sleep(max(0.0, started + number - time.monotonic()))
            drained = wait_for("an empty queue", lambda: traffic.waiting() == 0 or None, 120)
            still_open = wait_for("closed databases", lambda: (not traffic.still_open()) or None, 60)
            text = metrics(listen)
        finally:
            operator.send_signal(signal.SIGTERM)
            exit_code = operator.wait(60)
    return {
        "workloads": options.workloads, "minutes": options.minutes, "messages": traffic.sent, "opened": len(traffic.opened),
        "corrected": int(total(text, "holdfast_actions_total", 'outcome="verified"')), "samples": samples,
        "drained": bool(drained), "closed": bool(still_open), "exit": exit_code,
        "judged_median_s": quantile(text, "holdfast_event_handling_seconds", 0.5),
        "judged_p95_s": quantile(text, "holdfast_event_handling_seconds", 0.95),
        "sweep_median_s": quantile(text, "holdfast_sweep_duration_seconds", 0.5),
        "calls_a_sweep": int(total(text, "holdfast_sweep_calls")),
        "log_bytes": log.stat().st_size,
    }


def quarters(samples, name):
    size = max(1, len(samples) // 4)
    return median([s[name] for s in samples[size:2 * size]]), median([s[name] for s in samples[-size:]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", required=True, type=Path)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--workloads", type=int, default=2000)
    parser.add_argument("--interval", type=int, default=30)
    parser.add_argument("--rate", type=int, default=5)
    parser.add_argument("--open-every", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    options.holdfast = options.holdfast.resolve()
    if not os.access(options.holdfast, os.X_OK):
        parser.error(f"{options.holdfast} is no program; build it with `cargo build --release`")
    forget_aws_settings()
    with tempfile.TemporaryDirectory(prefix="holdfast-soak-") as directory:
        result = soak(options, directory)
    samples = result["samples"]
    print(f"## {options.workloads} workloads, {options.minutes:g} minutes\n")
    print("| minute | resident | no file's | tasks | threads | descriptors | keys waiting | sweeps |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
    for sample in samples[::max(1, len(samples) // 20)]:
        row = [f"{sample['rss_mb']} MB", f"{sample['anonymous_mb']} MB", *(sample[k] for k in ("tasks", "threads", "descriptors", "waiting", "sweeps"))]
        print(f"| {sample['minute']} | " + " | ".join(map(str, row)) + " |")
    print(json.dumps({key: value for key, value in result.items() if key != "samples"}, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    grew = {name: quarters(samples, name) for name in ("anonymous_mb", "tasks", "descriptors")}
    print({name: f"{early} → {late}" for name, (early, late) in grew.items()})
    missed = [name for name, (early, late) in grew.items() if late > early * MOST_GROWTH]
    missed += ["memory"] if max(s["rss_mb"] for s in samples) > MOST_MB * max(1, options.workloads / 2000) else []
    missed += [name for name in ("drained", "closed") if not result[name]]
    missed += ["exit"] if result["exit"] else []
    if missed:
        print(f"soak.py: missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BenchError, EmulatorError) as error:
        sys.exit(f"soak.py: {error}")
