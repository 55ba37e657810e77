import json
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

EMULATORS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(EMULATORS))
from emulator import Emulator  # noqa: E402
from world.scope import forget_aws_settings  # noqa: E402

forget_aws_settings()


@pytest.fixture(scope="session", params=["ministack", "moto"])
def emulator(request):
    with Emulator(request.param) as running:
        yield running


@pytest.fixture
def gateway(emulator):
    """Starts gateways before the emulator; a call gives the endpoint."""
    running = []

    def start(*options):
        command = [sys.executable, EMULATORS / "gateway.py", "--upstream", emulator.endpoint, *map(str, options)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        return json.loads(process.stdout.readline())["endpoint"]

    yield start
    for process in running:
        process.terminate()
        assert process.wait(10) == 0


def client(service, endpoint, region="us-east-1", key="test", secret="test", token=None):
    config = Config(retries={"total_max_attempts": 1})
    return boto3.client(
        service, region_name=region, endpoint_url=endpoint, config=config,
        aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token,
    )
