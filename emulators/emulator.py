#!/usr/bin/env python3
"""Runs one AWS emulator on loopback and takes it down again.

    emulators/emulator.py ministack|moto [--port N] [--log FILE]

Prints one line of JSON on stdout once the emulator answers, and then stays in the foreground:

    {"kind": "ministack", "endpoint": "http://127.0.0.1:4566", "pid": 4711}

SIGTERM, SIGINT, or the end of the process that started it end the emulator too, so nothing is left behind by a
killed demo or test. From Python: `with Emulator("moto") as emulator: ... emulator.endpoint`.
"""

import argparse
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

READY_DEADLINE = 60.0  # cold start on a busy 2-core machine takes seconds; past a minute it is broken
ACCOUNT = "123456789012"  # the one moto has for unknown access keys; ministack is told to have the same


class EmulatorError(Exception):
    """The emulator did not start; the message says what it printed."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _command(kind, port):
    scripts = Path(sys.executable).parent
    if kind == "ministack":
        return [str(scripts / "ministack")]
    return [sys.executable, str(Path(__file__).with_name("serve_moto.py")), "-H", "127.0.0.1", "-p", str(port)]


def _environment(port):
    environment = dict(os.environ)
    environment.update(
        BIND_HOST="127.0.0.1",  # ministack listens on every interface unless told
        GATEWAY_PORT=str(port),
        LOG_LEVEL="WARNING",
        MOTO_EC2_LOAD_DEFAULT_AMIS="false",  # nobody here starts a machine, and reading them takes moto half a second
        # Both would start real containers for databases and tasks if they found a Docker daemon. Holdfast reads
        # and writes the AWS API alone, and the machine is to be left as it was.
        DOCKER_HOST="unix:///nonexistent/holdfast-emulators-use-no-docker.sock",
    )
    environment.setdefault("MINISTACK_ACCOUNT_ID", ACCOUNT)
    return environment


def die_with_parent():
    """Runs in the child: SIGKILL when the thread that started it ends (Linux's PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)


class Emulator:
    def __init__(self, kind, port=None, log=None):
        if kind not in ("ministack", "moto"):
            raise EmulatorError(f"unknown emulator {kind!r}: choose ministack or moto")
        self.kind = kind
        self._wanted_port = port
        self._log = open(log, "w+b") if log else tempfile.TemporaryFile()
        self._process = None
        self.port = None

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self._process.pid

    def start(self):
        # A free port can be taken by someone else before the emulator binds it: then try another one.
        attempts = 1 if self._wanted_port else 3
        for attempt in range(attempts):
            try:
                self._start_once(self._wanted_port or free_port())
                return self
            except EmulatorError:
                self.stop()
                if attempt + 1 == attempts:
                    raise

    def _start_once(self, port):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise EmulatorError(f"port {port} is in use already: leave --port out to get a free one")
        command = _command(self.kind, port)
        if not Path(command[0]).exists():
            raise EmulatorError(f"{command[0]} is missing: run emulators/setup.sh, and use its venv's python")
        self.port = port
        self._process = self._spawn(command, _environment(port))
        self._wait_until_ready()

    def _spawn(self, command, environment):
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
        )

    def _wait_until_ready(self):
        path = "/_ministack/health" if self.kind == "ministack" else "/moto-api/"
        deadline = time.monotonic() + READY_DEADLINE
        while self._process.poll() is None:
            try:
                with urllib.request.urlopen(self.endpoint + path, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline:
                    raise EmulatorError(f"{self.kind} did not answer in {READY_DEADLINE:.0f} s:\n{self.tail()}")
                time.sleep(0.02)
        raise EmulatorError(f"{self.kind} exited with {self._process.returncode}:\n{self.tail()}")

    def tail(self):
        self._log.seek(0)
        return self._log.read()[-2000:].decode(errors="replace")

    def wait(self, timeout):
        """True when the emulator has ended by itself."""
        try:
            self._process.wait(timeout)
            return True
        except subprocess.TimeoutExpired:
            return False

    def stop(self):
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def reset(self):
        path = "/_ministack/reset" if self.kind == "ministack" else "/moto-api/reset"
        request = urllib.request.Request(self.endpoint + path, data=b"", method="POST")
        with urllib.request.urlopen(request, timeout=30):
            pass

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        self._log.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["ministack", "moto"])
    parser.add_argument("--port", type=int, help="default: a free one")
    parser.add_argument("--log", help="file for the emulator's own output (default: kept only to explain a failure)")
    arguments = parser.parse_args()

    def quit_cleanly(*_):
        sys.exit(0)  # unwinds the with statement below, which stops the emulator

    signal.signal(signal.SIGTERM, quit_cleanly)
    signal.signal(signal.SIGINT, quit_cleanly)
    parent = os.getppid()
    with Emulator(arguments.kind, arguments.port, arguments.log) as emulator:
        print(json.dumps({"kind": emulator.kind, "endpoint": emulator.endpoint, "pid": emulator.pid}), flush=True)
        # The parent is watched as a process: a death signal would follow its starting *thread*, and a test
        # runner's threads end long before the tests do.
        while os.getppid() == parent:
            if emulator.wait(0.25):
                raise EmulatorError(f"{emulator.kind} ended by itself:\n{emulator.tail()}")


if __name__ == "__main__":
    try:
        main()
    except EmulatorError as error:
        sys.exit(f"emulator.py: {error}")
