"""What the checks of deploy/ and dashboards/ share."""

import os
from pathlib import Path

import pytest

from servers import emulator


@pytest.fixture(scope="module", params=["ministack", "moto"])
def aws(request, tmp_path_factory):
    with emulator(request.param, tmp_path_factory.mktemp(request.param)) as running_emulator:
        yield running_emulator


@pytest.fixture(scope="session")
def holdfast_bin():
    """The operator itself. Missing is a failure, not a skip: these tests exist to hold the files to the real binary."""
    default = Path.home() / ".cache/holdfast/target/debug/holdfast"
    path = Path(os.environ.get("HOLDFAST_BIN", default))
    if not path.is_file():
        pytest.fail(f"no holdfast at {path}: build it, or name it in HOLDFAST_BIN", pytrace=False)
    return str(path)


def pytest_configure(config):
    config.addinivalue_line("markers", "binary: needs the built holdfast (HOLDFAST_BIN)")
