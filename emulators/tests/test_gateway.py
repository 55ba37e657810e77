import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from aws_limits import Buckets, Family
from botocore.exceptions import ClientError, HTTPClientError
from conftest import client
from rewrite import set_at


def refusal(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def stats(endpoint):
    with urllib.request.urlopen(endpoint + "/_gateway/stats") as answer:
        return json.load(answer)


def test_a_bucket_gives_its_burst_and_then_its_rate():
    family, buckets = Family("some", burst=3, rate=2), Buckets()
    assert [buckets.take("scope", family, now=0.0) for _ in range(4)] == [True, True, True, False]
    assert [buckets.take("scope", family, now=0.5) for _ in range(2)] == [True, False]
    assert buckets.take("another scope", family, now=0.5)
    assert [buckets.take("scope", family, now=100.0) for _ in range(4)] == [True, True, True, False]
    assert family.least_seconds(13) == 5.0


def test_denies_in_each_protocol_naming_the_iam_action(gateway):
    endpoint = gateway("--deny", "rds:Modify*", "--deny", "ec2:DescribeSubnets", "--deny", "tagging:GetResources")
    status, code, message = refusal(client("rds", endpoint).modify_db_instance, DBInstanceIdentifier="some")
    assert (status, code) == (403, "AccessDenied") and "rds:ModifyDBInstance" in message
    status, code, message = refusal(client("ec2", endpoint).describe_subnets)
    assert (status, code) == (403, "UnauthorizedOperation") and "ec2:DescribeSubnets" in message
    status, code, message = refusal(client("resourcegroupstaggingapi", endpoint).get_resources)
    assert (status, code) == (400, "AccessDeniedException") and "tag:GetResources" in message
    assert client("rds", endpoint).describe_db_instances()["DBInstances"] == []
    assert stats(endpoint)["denied"] == {"ec2:DescribeSubnets": 1, "rds:ModifyDBInstance": 1, "tagging:GetResources": 1}


@pytest.mark.parametrize("service, call, arguments, burst, refused", [
    ("ecs", "list_task_definitions", {}, 50, (400, "ThrottlingException")),
    ("ec2", "describe_subnets", {}, 50, (503, "RequestLimitExceeded")),
    ("ec2", "describe_subnets", {"MaxResults": 1000}, 100, (503, "RequestLimitExceeded")),
    ("resourcegroupstaggingapi", "get_resources", {}, 15, (400, "ThrottledException")),
])
def test_enforces_documented_rates(gateway, service, call, arguments, burst, refused):
    endpoint = gateway("--enforce")
    made = getattr(client(service, endpoint), call)
    for _ in range(burst):
        made(**arguments)
    # The bucket refills while the calls are made: some more pass, but far from twice the burst.
    for _ in range(burst):
        try:
            made(**arguments)
        except ClientError as error:
            response = error.response
            assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == refused
            break
    else:
        pytest.fail("nothing was throttled")
    assert sum(stats(endpoint)["throttled"].values()) == 1


def test_says_what_no_emulator_can_show(gateway):
    call, validity = "rds:DescribeDBInstances", "<CAIdentifier>old</CAIdentifier><ValidTill>2026-12-01T00:00:00Z</ValidTill>"
    endpoint = gateway(
        "--say", call, "full", "DBInstanceStatus", "storage-full", "--say", call, "full", "CertificateDetails", validity,
        "--say", call, "full", "LatestRestorableTime", "", "--say", "rds:DescribeDBClusters", "full", "Status", "failed",
    )
    rds = client("rds", endpoint)
    made = {"DBInstanceClass": "db.t3.micro", "Engine": "postgres", "AllocatedStorage": 20, "MasterUsername": "postgres"}
    for name in ("full", "twin"):
        rds.create_db_instance(DBInstanceIdentifier=name, MasterUserPassword="Placeholder-Passw0rd", **made)
    found = {i["DBInstanceIdentifier"]: i for i in rds.describe_db_instances()["DBInstances"]}
    assert [found[name]["DBInstanceStatus"] for name in ("full", "twin")] == ["storage-full", "available"]
    assert found["full"]["CertificateDetails"]["ValidTill"].year == 2026
    assert "LatestRestorableTime" not in found["full"] and "LatestRestorableTime" in found["twin"]
    for name in found:
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_latency_is_side_by_side(gateway):
    endpoint = gateway("--latency-ms", 100)
    sts = client("sts", endpoint)
    sts.get_caller_identity()
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: sts.get_caller_identity(), range(8)))
    assert 0.1 <= time.monotonic() - started < 0.7


def test_logs_calls_with_the_account_of_an_assumed_role(gateway, tmp_path):
    log = tmp_path / "log"
    endpoint = gateway("--log", log)
    role = {"RoleArn": "arn:aws:iam::222222222222:role/holdfast", "RoleSessionName": "test"}
    keys = client("sts", endpoint).assume_role(**role)["Credentials"]
    ecs = client("ecs", endpoint, "eu-west-1", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    assert ecs.create_cluster(clusterName="c")["cluster"]["clusterArn"].split(":")[4] == "222222222222"
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(c["service"], c["operation"], c["region"], c["account"], c["outcome"]) for c in calls] == [
        ("sts", "AssumeRole", "us-east-1", "default", "passed"),
        ("ecs", "CreateCluster", "eu-west-1", "222222222222", "passed"),
    ]


def test_answers_and_rewrites_as_told(gateway):
    endpoint = gateway(
        "--answer", 'ecs:ListServiceDeployments={"serviceDeployments": [{"status": "SUCCESSFUL"}]}',
        "--rewrite", 'ecs:ListClusters:clusterArns=["arn:aws:ecs:us-east-1:123456789012:cluster/other"]',
        "--rewrite", 'ecs:DescribeClusters:clusters.*.status="FAILED"',
    )
    ecs = client("ecs", endpoint)
    assert ecs.list_service_deployments(service="s")["serviceDeployments"] == [{"status": "SUCCESSFUL"}]
    ecs.create_cluster(clusterName="rewritten")
    assert [arn.split("/")[-1] for arn in ecs.list_clusters()["clusterArns"]] == ["other"]
    assert [c["status"] for c in ecs.describe_clusters(clusters=["rewritten"])["clusters"]] == ["FAILED"]


def test_paths_lead_where_they_say():
    document = {"tasks": [{"containers": [{"name": "a"}, {"name": "b", "exitCode": 0}]}, {}]}
    set_at(document, "tasks.*.containers.*.exitCode", 1)
    set_at(document, "tasks.0.containers.1.name", None)
    set_at(document, "tasks.7.stopCode", "x")
    set_at(document, "tasks.0.containers.name$a.cpu", 1)
    set_at(document, "tasks.0.containers.name$z.cpu", 2)
    set_at(document, "services.*.status", "x")
    assert document == {"tasks": [{"containers": [{"name": "a", "exitCode": 1, "cpu": 1}, {"exitCode": 1}]}, {}]}


def test_a_session_ends(gateway):
    endpoint = gateway("--session-seconds", "1")
    role = {"RoleArn": "arn:aws:iam::222222222222:role/some", "RoleSessionName": "some"}
    given = client("sts", endpoint).assume_role(**role)["Credentials"]
    assert given["Expiration"].timestamp() - time.time() < 2
    keys = {"key": given["AccessKeyId"], "secret": given["SecretAccessKey"], "token": given["SessionToken"]}
    for service, call, code in [
        ("rds", "describe_db_instances", "ExpiredToken"),
        ("ecs", "list_clusters", "ExpiredTokenException"),
        ("ec2", "describe_subnets", "RequestExpired"),
    ]:
        made = getattr(client(service, endpoint, **keys), call)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                made()
            except ClientError as error:
                assert error.response["Error"]["Code"] == code
                break
        else:
            raise AssertionError(f"{service} still answers")
    client("rds", endpoint).describe_db_instances()


def set_faults(endpoint, **faults):
    request = urllib.request.Request(endpoint + "/_gateway/set", data=json.dumps(faults).encode(), method="POST")
    with urllib.request.urlopen(request):
        pass


def test_faults_begin_and_end_while_it_runs(gateway):
    endpoint = gateway()
    rds = client("rds", endpoint)
    set_faults(endpoint, fail=["rds:*"])
    assert refusal(rds.describe_db_instances)[:2] == (500, "InternalFailure")
    set_faults(endpoint, deny=["rds:*"], fail=[])
    assert refusal(rds.describe_db_instances)[:2] == (403, "AccessDenied")
    set_faults(endpoint, deny=[], cut=["rds:Describe*"])
    with pytest.raises(HTTPClientError):
        rds.describe_db_instances()
    set_faults(endpoint, cut=[])
    assert "DBInstances" in rds.describe_db_instances()


def test_keeps_an_answer_back_whose_call_has_taken_effect(gateway, tmp_path):
    log = tmp_path / "calls"
    endpoint = gateway("--log", log, "--requests", "sqs:Create*")
    set_faults(endpoint, hold=["sqs:CreateQueue"])
    with ThreadPoolExecutor() as pool:
        made = pool.submit(client("sqs", endpoint).create_queue, QueueName="kept-back")
        deadline = time.monotonic() + 10
        while stats(endpoint)["held"] == 0:
            assert time.monotonic() < deadline
        assert client("sqs", endpoint).get_queue_url(QueueName="kept-back")["QueueUrl"]
        assert not made.done()
        set_faults(endpoint, hold=[])
        assert made.result(10)["QueueUrl"]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["operation"] for line in lines] == ["CreateQueue", "GetQueueUrl"]
    assert "kept-back" in lines[0]["request"] and "request" not in lines[1]
