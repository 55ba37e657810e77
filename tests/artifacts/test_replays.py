"""Answers that AWS has really given (tests/replays), sent to the real binary over the wire: all is read, nothing is lost."""

import json
import os
import subprocess
import sys
from datetime import datetime

import boto3
import pytest

from servers import ROOT

sys.path.insert(0, str(ROOT / "tests/replays"))
import wire  # noqa: E402
from server import TAGGED, Recording, Replay  # noqa: E402

RECORDINGS = sorted(path.parent for path in (ROOT / "tests/replays/recordings").glob("*/about.json"))
assert len(RECORDINGS) >= 15

# What Holdfast calls each list of the recordings, and the name that a finding gives its resource.
KINDS = {
    "rds.DescribeDBInstances": ("rds-db-instance", lambda i: i["DBInstanceIdentifier"]),
    "rds.DescribeDBClusters": ("rds-db-cluster", lambda c: c["DBClusterIdentifier"]),
    "ec2.DescribeSecurityGroups": ("ec2-security-group", lambda g: g["GroupId"]),
    "ecs.DescribeServices": ("ecs-service", lambda s: f"{s['clusterArn'].rsplit('/', 1)[-1]}/{s['serviceName']}"),
    "secretsmanager.ListSecrets": ("secretsmanager-secret", lambda s: s["Name"]),
}


# JSON is sent as it is.
AS_IT_IS = {
    "ecs.DescribeServices", "ecs.DescribeTaskDefinition", "secretsmanager.DescribeSecret",
    "secretsmanager.ListSecretVersionIds",
}

# What stays unknown, by rule and reason: the id of each resource in a recording. Nothing else may.
UNKNOWN = [
    (
        "rds-abandoned",
        "nobody recorded its security groups, which may let anything in",
        {
            "aurora-backtrack-2019": {"c7n-test-cluster", "mytest"},
            "aurora-limitless": {"my-sv2-cluster"},
            "aurora-member-named-twice": {"mydbcluster"},
            "aurora-postgres-being-created": {"sample-cluster", "sample-pg-cluster"},
            "documentdb-among-databases": {"sample-cluster"},
            "rds-failed-and-replicas-2016": {"oneness", "sbbdev"},
            "rds-public-2017": {"c7n-data-index", "c7n-test-pa"},
            "rds-stopped-behind-wizard-groups-2017": {"rds-test-instance-1"},
        },
    ),
    (
        "rds-abandoned",
        "its group lets in addresses, a prefix list or another account, and no read tells what is there",
        {
            "group-rules-of-every-kind": {"rules"},
            "groups-peered-and-strange": {"peered"},
            "rds-stopped-behind-wizard-groups-2017": {"rds-test-instance-2"},
        },
    ),
    (
        "ecs-no-path-to-secrets",
        "nobody recorded its subnet, whose route may lead anywhere",
        {"ecs-old-arn-2019": {"test-cluster/custodian-service-update-test"}},
    ),
]


@pytest.fixture(scope="module", params=RECORDINGS, ids=lambda path: path.name)
def replay(request):
    with Replay(request.param) as running:
        yield running
        assert not running.broken, "the replay server itself failed"


@pytest.fixture(scope="module")
def report(replay, holdfast_bin, tmp_path_factory):
    return audit(holdfast_bin, replay, tmp_path_factory.mktemp("audit"))


def rules(holdfast_bin):
    listed = subprocess.run([holdfast_bin, "rules"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listed.splitlines() if line.startswith(" ")} - {"RULE"}


def audit(holdfast_bin, replay, tmp_path):
    """The report of every rule there is, those too that are off by default: they read the most."""
    config = tmp_path / "holdfast.yaml"
    config.write_text(json.dumps({"rules": {rule: {"enabled": True} for rule in rules(holdfast_bin)}}))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "HOLDFAST_"))}
    done = subprocess.run(
        [holdfast_bin, "--config", config, "audit", "--format", "json"],
        env={**environment, **replay.environment()}, capture_output=True, text=True, timeout=60,
    )
    assert "panicked" not in done.stderr, done.stderr
    assert done.returncode in (0, 1, 3), f"exit code {done.returncode}:\n{done.stderr}"
    return json.loads(done.stdout)


# ---- the server tells what was recorded ----


def comparable(value):
    """Instants apart from their notation."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items() if item != []}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, datetime):
        return value.timestamp()
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp() if value[10] == "T" else value
    except (AttributeError, ValueError, IndexError, TypeError):
        return value


def test_the_wire_carries_the_recording_whole(replay):
    """AWS's own SDK for Python reads back what was recorded: a wrong element's name would be told here."""
    recording = replay.recording
    for call, pages in recording.pages.items():
        service, operation = call.split(".")
        if call in AS_IT_IS:
            continue
        client = boto3.client(
            service, endpoint_url=replay.endpoint, region_name=recording.region,
            aws_access_key_id="replay", aws_secret_access_key="replay",
        )
        paginator = client.get_paginator(boto3_name(client, operation))
        read = [page for page in paginator.paginate()]
        assert len(read) == len(pages)
        for page, recorded in zip(read, pages):
            page = {key: value for key, value in page.items() if key in recorded}
            assert comparable(page) == comparable(recorded), call


def boto3_name(client, operation):
    return next(name for name, there in client.meta.method_to_api_mapping.items() if there == operation)


# ---- Holdfast reads it ----


def tagged(recording):
    """Kind and name of all that carries the workload's tag and is there to be judged."""
    absent = set(recording.about.get("runs_nothing", []))
    found = []
    for call, (kind, name) in KINDS.items():
        for item in recording.items(call):
            if name(item).rsplit("/", 1)[-1] not in absent:
                found.append((kind, name(item)))
    return found


def test_every_tagged_resource_is_read(replay, report):
    assert report["errors"] == []
    assert report["scope"]["accounts"] == [replay.recording.account]
    assert report["scope"]["workloads"] == bool(tagged(replay.recording))
    assert report["scope"]["resources"] == len(tagged(replay.recording)), tagged(replay.recording)
    unknown = {(f["rule"], f["resource"]["id"]): f["message"] for f in report["findings"] if f["verdict"] == "unknown"}
    name = replay.recording.directory.name
    assert set(unknown) == {(rule, thing) for rule, _, of in UNKNOWN for thing in of.get(name, ())}, unknown


def test_what_stays_unknown_was_recorded():
    assert {name for _, _, of in UNKNOWN for name in of} <= {path.name for path in RECORDINGS}


# Facts that must not get lost on the way, each told by a rule that rests on it alone: the recording says whether it fails.
def facts(recording):
    instances, clusters = recording.items("rds.DescribeDBInstances"), recording.items("rds.DescribeDBClusters")
    there = [i for i in instances if i.get("DBInstanceStatus") != "deleting"]
    multi_az = {c["DBClusterIdentifier"] for c in clusters if not c["Engine"].startswith("aurora") and "PubliclyAccessible" in c}
    alone = [i for i in there if "DBClusterIdentifier" not in i]
    known = {c["DBClusterIdentifier"] for c in clusters}

    def source(i):
        return i.get("ReadReplicaSourceDBInstanceIdentifier") or i.get("ReadReplicaSourceDBClusterIdentifier")

    def failing(instances_, clusters_):
        return {i["DBInstanceIdentifier"] for i in instances_} | {c["DBClusterIdentifier"] for c in clusters_}

    return {
        "rds-public-access": failing(
            [i for i in there if i.get("PubliclyAccessible") and i.get("DBClusterIdentifier") not in multi_az],
            [c for c in clusters if c["DBClusterIdentifier"] in multi_az and c["PubliclyAccessible"]],
        ),
        "rds-short-backup-retention": failing(
            [i for i in alone if not source(i) and i.get("BackupRetentionPeriod", 0) < 7],
            [c for c in clusters if not c.get("ReplicationSourceIdentifier") and c["BackupRetentionPeriod"] < 7],
        ),
        "rds-unencrypted-storage": failing(
            [i for i in there if i.get("DBClusterIdentifier") not in known and not i.get("StorageEncrypted")],
            [c for c in clusters if not c["StorageEncrypted"]],
        ),
        "rds-deletion-unprotected": failing(
            [i for i in alone if not i.get("DeletionProtection")], [c for c in clusters if not c.get("DeletionProtection")],
        ),
        "rds-expiring-certificate": failing(
            [i for i in there if i.get("CertificateDetails", {}).get("ValidTill", "9") < CERTIFICATE_NOTICE], [],
        ),
        "rds-unavailable": failing(
            [i for i in there if i.get("DBInstanceStatus") in (
                "failed", "stopped", "storage-full", "incompatible-parameters", "inaccessible-encryption-credentials-recoverable",
            )], [],
        ),
        "rds-public-subnet": {i["DBInstanceIdentifier"] for i in there if public_subnets(recording) & subnets(i)},
        "ecs-public-task": {
            f"{s['clusterArn'].rsplit('/', 1)[-1]}/{s['serviceName']}"
            for s in recording.items("ecs.DescribeServices") if s["status"] == "ACTIVE" and has_public_address(s)
        },
    }


# Certificates in the recordings end at the end of 2026 or in 2061: the first are always within the notice or past it.
CERTIFICATE_NOTICE = "2027"


def subnets(instance):
    return {subnet["SubnetIdentifier"] for subnet in instance.get("DBSubnetGroup", {}).get("Subnets", [])}


def public_subnets(recording):
    """Of a table of their own that leads the whole internet to an internet gateway."""
    found = set()
    for page in recording.pages.get("ec2.DescribeRouteTables", []):
        for table in page["RouteTables"]:
            world = [r for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0" or r.get("DestinationIpv6CidrBlock")]
            if any(route.get("GatewayId", "").startswith("igw-") for route in world):
                found |= {a["SubnetId"] for a in table["Associations"] if "SubnetId" in a}
    return found


def has_public_address(service):
    """With an external controller the network is that of the primary task set."""
    primary = [t for t in service.get("taskSets", []) if t["status"] == "PRIMARY"]
    network = service.get("networkConfiguration") or (primary[0].get("networkConfiguration") if primary else None) or {}
    return network.get("awsvpcConfiguration", {}).get("assignPublicIp") == "ENABLED"


def test_facts_survive(replay, report):
    told = facts(replay.recording)
    for rule in told:
        found = {finding["resource"]["id"] for finding in report["findings"] if finding["rule"] == rule}
        assert found == told[rule], rule


# ---- single recordings, by what is strange about them ----


def findings(holdfast_bin, name, tmp_path, rule):
    with Replay(ROOT / "tests/replays/recordings" / name) as running:
        report = audit(holdfast_bin, running, tmp_path)
    assert report["errors"] == []
    return {f["resource"]["id"]: f for f in report["findings"] if f["rule"] == rule}


def test_sources_of_every_kind_are_told_apart(holdfast_bin, tmp_path):
    (group,) = findings(holdfast_bin, "group-rules-of-every-kind", tmp_path, "rds-open-ingress").values()
    told = {evidence["observed"] for evidence in group["evidence"]}
    # Ranges and groups that reach 5432; not SSH, RDP, ICMP, IPv6's SSH, or the group itself. AWS's own example of TCP from
    # port -1 to -1 is taken for all ports.
    assert told == {"all protocols from pl-0721453c7ac4ec009", "tcp -1 from 172.31.0.0/16"}


def test_peered_groups_and_odd_protocols(holdfast_bin, tmp_path):
    groups = findings(holdfast_bin, "groups-peered-and-strange", tmp_path, "rds-open-ingress")
    told = {group: {e["observed"] for e in finding["evidence"]} for group, finding in groups.items()}
    assert told == {
        "sg-0db": {
            "tcp 5432 from 999988887777/sg-0peer", "tcp 5432 from 999988887777/sg-0gone",
            "tcp 5432 from pl-0721453c7ac4ec009", "tcp 0-65535 from ::/0", "all protocols from 192.0.2.1/32",
        },
        "sg-0six": {"tcp 5432 from 2001:db8::/32", "tcp 5432 from 2001:db8::1/128"},
    }
    assert groups["sg-0db"]["severity"] == "critical" and groups["sg-0six"]["severity"] == "high"


def test_service_of_an_external_controller_runs_its_task_set(holdfast_bin, tmp_path):
    """Its revision is named by the primary task set alone."""
    found = findings(holdfast_bin, "ecs-external-with-task-set", tmp_path, "ecs-ephemeral-storage")
    assert list(found) == ["MyCluster/MyService"]
    assert "sample-fargate:2" in json.dumps(found["MyCluster/MyService"])


def test_group_that_is_being_removed_guards_no_more(holdfast_bin, tmp_path):
    with Replay(ROOT / "tests/replays/recordings/instances-in-trouble") as running:
        report = audit(holdfast_bin, running, tmp_path)
    assert "sg-0old" not in json.dumps(report["findings"])


# ---- the wire itself ----


def test_text_is_escaped():
    assert wire.encode("query", "X", {"A": "<&>"}).count(b"&lt;&amp;&gt;") == 1
    assert TAGGED.keys() == KINDS.keys()


def test_recordings_say_where_they_come_from():
    for directory in RECORDINGS:
        about = Recording(directory).about
        assert about["origin"] in ("recorded", "documented", "made"), directory
        assert about["source"] and about["shows"] and about["region"]
        assert about["origin"] == "made" or about["licence"] == "Apache-2.0"
