"""What the checks of deploy/ and dashboards/ share."""

import os
from pathlib import Path

import pytest

from servers import emulator
from stack import IMAGE, REGION_EVENTS, TARGET_ROLE, Stack, network


@pytest.fixture(scope="module", params=["ministack", "moto"])
def aws(request, tmp_path_factory):
    with emulator(request.param, tmp_path_factory.mktemp(request.param)) as running_emulator:
        yield running_emulator


@pytest.fixture(scope="module")
def enforcing(aws):
    return Stack(aws, "holdfast", {**network(aws), "ImageUri": IMAGE, "Mode": "enforce"})


@pytest.fixture(scope="module")
def auditing(aws):
    """With every optional parameter given."""
    group = aws.client("ec2").create_security_group(GroupName="prometheus", Description="prometheus")["GroupId"]
    aws.client("ecs").create_cluster(clusterName="shared")
    parameters = {
        "InspectSecrets": "metadata",
        "ClusterName": "shared",
        "ConfigParameter": "/holdfast/config",
        "MetricsClientSecurityGroupId": group,
        "TargetRoleArns": "arn:aws:iam::111122223333:role/holdfast,arn:aws:iam::444455556666:role/holdfast",
        "PauseParameter": "/holdfast/pause",
        "ReportEventBusArn": "arn:aws:events:us-east-1:123456789012:event-bus/security",
        "AlarmTopicArn": "arn:aws:sns:us-east-1:123456789012:on-call",
        "OrganizationId": "o-a1b2c3d4e5",
        "DesiredCount": "3",
    }
    return Stack(aws, "holdfast-audit", {**network(aws), "ImageUri": IMAGE, **parameters})


@pytest.fixture(scope="module")
def target(aws):
    parameters = {
        "OperatorRoleArn": "arn:aws:iam::123456789012:role/holdfast-TaskRole-1A2B3C",
        "ExternalId": "fleet-7",
        "Mode": "enforce",
        "WorkloadRoleArns": "arn:aws:iam::123456789012:role/app,arn:aws:iam::123456789012:role/app-start",
    }
    return Stack(aws, "holdfast-target", parameters, TARGET_ROLE)


@pytest.fixture(scope="module")
def forwarding(aws, auditing):
    bus = auditing.outputs["CentralBusArn"]
    return Stack(aws, "holdfast-events", {"CentralBusArn": bus}, REGION_EVENTS)


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
