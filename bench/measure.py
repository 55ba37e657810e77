"""The benchmark's instruments: an emulator with a fleet, the gateway before it, a measured run, a sequential replay."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
EMULATORS = HERE.parent / "emulators"
sys.path.insert(0, str(EMULATORS))
from emulator import Emulator, EmulatorError, free_port  # noqa: E402
from world.scope import forget_aws_settings  # noqa: E402

RUN_DEADLINE = 600.0  # a sweep that takes longer is hung


class BenchError(Exception):
    """The benchmark cannot go on; the message says why."""


def environment(endpoint):
    """For Holdfast: the emulator, and nothing of the user's own AWS set-up."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_COLOR": "1",
    }


def lay_out(endpoint, world, directory):
    """In a process of its own, so that boto3's memory and locks stay out of this one."""
    path = Path(directory) / "world.json"
    path.write_text(json.dumps(world))
    command = [sys.executable, EMULATORS / "lay_out.py", "--quiet", "--endpoint", endpoint, "--world", path]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(done.stderr.strip())
    return json.loads(done.stdout)


class Gateway:
    """emulators/gateway.py, running."""

    def __init__(self, upstream, *options):
        self._command = [sys.executable, EMULATORS / "gateway.py", "--upstream", upstream, *map(str, options)]

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the gateway did not start; its error is above")
        self.endpoint = json.loads(line)["endpoint"]
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def stats(self):
        with urllib.request.urlopen(self.endpoint + "/_gateway/stats", timeout=10) as answer:
            return json.load(answer)

    def reset(self):
        urllib.request.urlopen(urllib.request.Request(self.endpoint + "/_gateway/reset", method="POST"), timeout=10).close()


def audit(holdfast, config, endpoint, directory):
    """One cold `holdfast audit` → what it used, its exit code and its report."""
    directory = Path(directory)
    report, used = directory / "report.json", directory / "usage.json"
    for leftover in (report, *directory.glob("holdfast.db*")):
        leftover.unlink(missing_ok=True)
    command = [
        sys.executable, "-I", "-S", HERE / "rusage.py", used,
        holdfast, "--config", config, "audit", "--format", "json", "--output", report,
    ]
    errors = directory / "stderr.txt"
    with errors.open("w") as stderr:
        subprocess.run(
            command, env=environment(endpoint), cwd=directory, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
            timeout=RUN_DEADLINE, check=True,
        )
    usage = json.loads(used.read_text())
    if usage["exit"] not in (0, 1) or not report.exists():
        raise BenchError(f"holdfast audit ended with {usage['exit']}:\n{errors.read_text()[-2000:]}")
    return usage, json.loads(report.read_text())


def replay(record, endpoint):
    """Makes the recorded calls again, one after another on one connection → seconds."""
    calls = [base64.b64decode(json.loads(line)["raw"]) for line in Path(record).read_text().splitlines()]
    host, port = endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection, connection.makefile("rb") as answers:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.monotonic()
        for call in calls:
            connection.sendall(call)
            _skip_answer(answers)
        return time.monotonic() - started


def _skip_answer(answers):
    length = 0
    while (line := answers.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    answers.read(length)


def wait_for(what, condition, seconds):
    """Polls until the condition holds; its result."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise BenchError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.005)


def median(numbers):
    ordered = sorted(numbers)
    return ordered[len(ordered) // 2]


__all__ = [
    "BenchError", "Emulator", "EmulatorError", "Gateway", "audit", "environment", "forget_aws_settings", "free_port",
    "lay_out", "median", "replay", "wait_for",
]
