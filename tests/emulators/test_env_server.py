"""Test environments from one process that has loaded boto3 and moto already: a second and a half of CPU less for each test
on moto, half a second on ministack. nextest starts it (.config/nextest.toml); without it each test starts test_env.py.

    test_env_server.py     listens on a socket, whose path it writes to $NEXTEST_ENV as HOLDFAST_TEST_ENV; ends with its parent

A connection sends `ministack` or `moto` in a line and then speaks to a test_env.py of its own, forked from here; the end of
what it sends ends that, and the emulator with it.
"""

import os
import select
import signal
import socket
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import test_env
from emulator import Emulator, die_with_parent
from world.scope import forget_aws_settings, session

# As the clients of a world and of its tests need them.
SERVICES = ["sts", "ec2", "rds", "ecs", "secretsmanager", "ssm", "iam", "sqs", "logs", "cloudwatch", "dynamodb", "events"]
MOTO = [*SERVICES, "resourcegroupstaggingapi"]


class ForkedMoto(Emulator):
    """moto in a fork of this process rather than in a new one. ministack is as quick as a fork."""

    def _spawn(self, command, environment):
        if self.kind != "moto":
            return super()._spawn(command, environment)
        return Fork(lambda: self._serve(command, environment))

    def _serve(self, command, environment):
        os.environ.update(environment)
        import_module("moto.moto_api._internal").mock_random.seed()  # or all would make the same ids
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(self._log.fileno(), 1)
        os.dup2(self._log.fileno(), 2)
        import_module("serve_moto").main(command[2:])


class Fork:
    """A child process with what Emulator uses of subprocess.Popen."""

    def __init__(self, run):
        self.returncode = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                die_with_parent()
                run()
            finally:
                os._exit(1)

    def poll(self):
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout=None):
        # Until it ends, however long: it has been told to by a signal that it can't refuse.
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def terminate(self):
        os.kill(self.pid, signal.SIGKILL)

    kill = terminate


def load():
    for service in MOTO:
        import_module(f"moto.{service}.urls")
    import_module("serve_moto")
    for service in SERVICES:
        session("test", "secret", None, "us-east-1").client(service)


def serve(listener, parent):
    # Nobody waits for the forks.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while is_running(parent):
        if select.select([listener], [], [], 0.5)[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                try:
                    answer(connection)
                finally:
                    os._exit(0)
            connection.close()


def answer(connection):
    with connection, connection.makefile("r") as commands, connection.makefile("w") as answers:
        test_env.run(ForkedMoto(commands.readline().strip()), commands, answers)


def is_running(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def main():
    parent = os.getppid()
    forget_aws_settings()
    load()
    path = Path(tempfile.mkdtemp(prefix="holdfast-test-env-")) / "socket"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    if os.fork():
        with open(os.environ["NEXTEST_ENV"], "a") as variables:
            print(f"HOLDFAST_TEST_ENV={path}", file=variables)
        os._exit(0)
    os.setsid()
    with open(os.devnull, "r+") as nothing:
        for descriptor in (0, 1, 2):
            os.dup2(nothing.fileno(), descriptor)
    try:
        serve(listener, parent)
    finally:
        path.unlink()
        path.parent.rmdir()


if __name__ == "__main__":
    sys.exit(main())
