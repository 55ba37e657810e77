"""Real servers for the tests, on free ports, each stopped when its block ends."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
REGION = "us-east-1"
ACCOUNT = "123456789012"


def wait_until(condition, what, seconds=30.0, every=0.1):
    """Polls until `condition()` is truthy and returns that; says what it waited for when the deadline passes."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:.0f} s still waiting for {what}; the last answer was {result!r}")
        time.sleep(every)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port, path):
    """The status of a GET, or None while nothing listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def program(name):
    """A program of this Python's own venv, else of PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        pytest.fail(f"{name} is not installed: see CONTRIBUTING.md for what the tests need", pytrace=False)
    return found


@contextlib.contextmanager
def running(command, port, ready_path, log, env=None, seconds=30.0, ready=(200,)):
    """Runs a server until the block ends. Only the process started here is stopped, and it must not outlive us."""
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        try:
            def up():
                if process.poll() is not None:
                    raise AssertionError(f"{command[0]} exited with {process.returncode}:\n{tail(log)}")
                return answers(port, ready_path) in ready
            try:
                wait_until(up, f"{command[0]} to answer {ready_path}", seconds)
            except AssertionError as late:
                raise AssertionError(f"{late}\n{tail(log)}") from None
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def tail(log, lines=20):
    return "\n".join(Path(log).read_text(errors="replace").splitlines()[-lines:])


@dataclass
class Emulator:
    name: str
    url: str

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=30),
        )

    def environment(self):
        """For a process that finds AWS by the SDK's own chain."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextlib.contextmanager
def emulator(name, directory):
    port = free_port()
    if name == "ministack":
        command, path = [program("ministack")], "/_ministack/health"
        env = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING"}
    else:
        command, path, env = [program("moto_server"), "-H", "127.0.0.1", "-p", str(port)], "/moto-api/", {}
    with running(command, port, path, directory / f"{name}.log", env):
        yield Emulator(name, f"http://127.0.0.1:{port}")
