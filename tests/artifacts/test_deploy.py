"""deploy/: the templates are clean, become real on an emulator, and ask for what the operator asks for."""

import fnmatch
import json
import os
import re
import subprocess
import tomllib

import pytest
import yaml

from sample_events import SAMPLES
from servers import ROOT, free_port, program, running
from stack import IMAGE, TEMPLATES, Stack, listed, network, rules_of_template, template, workload_statements

DOCKERFILE = ROOT / "deploy/Dockerfile"
TAG = "holdfast:workload"

# Permissions that the operator needs for itself, whatever rules it runs: `holdfast iam-policy --for operator`.
OPERATORS_OWN = {
    "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility",
    "dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query",
    "dynamodb:UpdateItem", "sts:AssumeRole", "ssm:GetParameter", "events:PutEvents",
}


# ---- The files themselves ----


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_template_has_nothing_to_warn_of(path):
    lint = subprocess.run(
        [program("cfn-lint"), "--include-checks", "I", "--", str(path)], capture_output=True, text=True
    )
    assert (lint.returncode, lint.stdout) == (0, "")


def test_every_template_is_tested():
    assert set(TEMPLATES) == set((ROOT / "deploy").glob("*.yaml"))


def test_nothing_is_kept_but_in_the_table():
    (definition,) = (r for r in template()["Resources"].values() if r["Type"] == "AWS::ECS::TaskDefinition")
    assert "Volumes" not in definition["Properties"]
    (container,) = definition["Properties"]["ContainerDefinitions"]
    assert container["ReadonlyRootFilesystem"] is True
    assert not {"MountPoints", "VolumesFrom"} & set(container)
    # src/cli/run.rs: 25 s for what has begun; the leases are given back after that.
    grace = int(re.search(r"GRACE: Duration = Duration::from_secs\((\d+)\)", (ROOT / "src/cli/run.rs").read_text())[1])
    assert grace + 20 <= container["StopTimeout"] <= 120, "Fargate waits no longer than 120 s"


def dockerfile():
    """(instruction, rest) pairs, continued lines joined."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [line.split(maxsplit=1) for line in re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines()]


def test_image_runs_unprivileged_and_pinned():
    steps = dockerfile()
    arguments = dict(rest.split("=") for name, rest in steps if name == "ARG")
    images = [rest.split()[0] for name, rest in steps if name == "FROM"]
    for image in images:
        tag = image.replace("${RUST_VERSION}", arguments["RUST_VERSION"]).partition(":")[2]
        assert tag and tag != "latest", f"{image} names no version"
    users = [rest for name, rest in steps if name == "USER"]
    assert users == ["65532:65532"], "the same user as in the template, by number"
    oldest = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    assert version(arguments["RUST_VERSION"]) >= version(oldest)


def version(text):
    return [int(part) for part in text.split(".")]


def test_build_context_holds_all_that_the_build_reads():
    """No image is built here (no Docker engine), so what would be missing in one is looked for instead."""
    copied = []
    for name, rest in dockerfile():
        if name == "COPY" and not rest.startswith("--from"):
            copied += rest.split()[:-1]
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    kept = [line[1:] for line in ignored if line.startswith("!")]
    assert ignored[0] == "*"
    assert sorted(kept) == sorted(copied), "what .dockerignore lets in is what the Dockerfile copies"
    for path in copied:
        assert (ROOT / path).exists(), path

    def in_context(path):
        path = os.path.relpath(path, ROOT)
        return any(path == entry or path.startswith(f"{entry}/") for entry in copied)

    for source in (ROOT / "src").rglob("*.rs"):
        for included in re.findall(r'include_(?:str|bytes)!\(\s*"([^"]+)"', source.read_text()):
            assert in_context(source.parent / included), f"{source}: {included} is not in the image's build context"

    # Cargo reads the whole manifest before it builds one binary of it, and stops at a target without a file.
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    targets = [t for kind in ("bench", "test", "example", "bin") for t in manifest.get(kind, [])]
    for target in targets:
        assert "path" in target and in_context(ROOT / target["path"]), f"target {target['name']} is not in the context"
    assert not manifest["package"].get("build") or in_context(ROOT / manifest["package"]["build"])


# ---- The stack, made real ----


def test_container_is_locked_down(enforcing):
    container = enforcing.container()
    assert container["readonlyRootFilesystem"] is True
    assert container["user"] == "65532:65532"
    assert not container.get("privileged")
    assert container["logConfiguration"]["options"]["awslogs-group"] == enforcing.resources["LogGroup"]
    assert container["command"][:3] == ["--log-format", "json", "run"]
    if enforcing.keeps("nested container settings"):
        assert container["linuxParameters"] == {"capabilities": {"drop": ["ALL"]}}
        assert container["healthCheck"]["command"][:2] == ["CMD", "/bin/wget"]
        port = container["portMappings"][0]["containerPort"]
        assert container["healthCheck"]["command"][-1] == f"http://127.0.0.1:{port}/livez"
    definition = enforcing.task_definition()
    assert definition["volumes"] == []
    if enforcing.keeps("Fargate and roles of a task definition"):
        assert definition["requiresCompatibilities"] == ["FARGATE"]
        assert definition["networkMode"] == "awsvpc"
        assert definition["taskRoleArn"] == enforcing.outputs["TaskRoleArn"]
        assert definition["executionRoleArn"] != definition["taskRoleArn"]


def test_tasks_share_the_work(enforcing, auditing):
    def service(stack):
        cluster = stack.resources.get("Cluster", "shared")
        found = stack.aws.client("ecs").describe_services(cluster=cluster, services=[stack.resources["Service"]])
        return found["services"][0]

    assert (service(enforcing)["desiredCount"], service(auditing)["desiredCount"]) == (2, 3)
    service = service(enforcing)
    if enforcing.keeps("deployment configuration"):
        configuration = service["deploymentConfiguration"]
        assert (configuration["minimumHealthyPercent"], configuration["maximumPercent"]) == (50, 200)
        assert configuration["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    if enforcing.keeps("network configuration"):
        assert service["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
        groups = service["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
        assert groups == [enforcing.resources["TaskSecurityGroup"]]


def test_nothing_reaches_the_task_unless_asked(enforcing, auditing):
    ec2 = enforcing.aws.client("ec2")

    def group(stack):
        return ec2.describe_security_groups(GroupIds=[stack.resources["TaskSecurityGroup"]])["SecurityGroups"][0]

    assert group(enforcing)["IpPermissions"] == []
    (metrics,) = group(auditing)["IpPermissions"]
    assert (metrics["FromPort"], metrics["ToPort"], metrics["IpRanges"]) == (9095, 9095, [])
    if enforcing.keeps("security group egress"):
        assert {p["FromPort"] for p in group(enforcing)["IpPermissionsEgress"]} == {443}


def test_queue_and_its_dead_letters(enforcing):
    sqs = enforcing.aws.client("sqs")

    def attributes(queue):
        return sqs.get_queue_attributes(QueueUrl=enforcing.resources[queue], AttributeNames=["All"])["Attributes"]

    queue, dead = attributes("EventQueue"), attributes("DeadLetterQueue")
    redrive = json.loads(queue["RedrivePolicy"])
    assert (redrive["deadLetterTargetArn"], int(redrive["maxReceiveCount"])) == (dead["QueueArn"], 5)
    assert queue["SqsManagedSseEnabled"] == dead["SqsManagedSseEnabled"] == "true"
    assert queue["ReceiveMessageWaitTimeSeconds"] == "20"
    if enforcing.keeps("queue policy"):
        allow, deny = json.loads(queue["Policy"])["Statement"]
        events = enforcing.aws.client("events")
        rules = {events.describe_rule(Name=enforcing.resources[rule])["Arn"] for rule in rules_of_template()}
        assert set(allow["Condition"]["ArnEquals"]["aws:SourceArn"]) == rules
        assert allow["Principal"] == {"Service": "events.amazonaws.com"}
        assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_table_is_what_ledger_and_leases_ask_for(enforcing):
    dynamodb, name = enforcing.aws.client("dynamodb"), enforcing.outputs["TableName"]
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert {(a["AttributeName"], a["AttributeType"]) for a in table["AttributeDefinitions"]} == {
        ("pk", "S"), ("sk", "S")
    }
    # Neither emulator keeps the rest of a stack's table.
    said = template()["Resources"]["Table"]
    assert (said["DeletionPolicy"], said["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert said["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert said["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_configuration_may_be_in_the_image(aws):
    stack = Stack(aws, "holdfast-file", {**network(aws), "ImageUri": IMAGE, "ConfigFile": "/etc/holdfast.yaml"})
    assert stack.container()["command"][:2] == ["--config", "/etc/holdfast.yaml"]
    assert "HOLDFAST_CONFIG_YAML" not in stack.environment()


def test_log_group_and_alarms(auditing):
    logs = auditing.aws.client("logs")
    (group,) = logs.describe_log_groups(logGroupNamePrefix=auditing.resources["LogGroup"])["logGroups"]
    assert group["retentionInDays"] == 90
    if auditing.keeps("alarms"):
        alarms = auditing.aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
        mine = [a for a in alarms if a["AlarmName"].startswith("holdfast-audit-")]
        assert len(mine) == 2
        assert all(a["AlarmActions"] == ["arn:aws:sns:us-east-1:123456789012:on-call"] for a in mine)


# ---- Events reach the queue ----


def test_every_rule_has_a_sample():
    assert {rule for rule, _ in SAMPLES.values() if rule} == set(rules_of_template())


@pytest.mark.parametrize("what", SAMPLES)
def test_patterns_let_through_what_matters(enforcing, what):
    """By TestEventPattern on ministack; moto has none and refuses no source, so there the queue itself tells."""
    expected, sample = SAMPLES[what]
    events = enforcing.aws.client("events")
    if enforcing.aws.name == "ministack":  # row "PutEvents with source aws.*: rejected, as AWS does"
        matching = [
            rule
            for rule in rules_of_template()
            if events.test_event_pattern(
                EventPattern=events.describe_rule(Name=enforcing.resources[rule])["EventPattern"],
                Event=json.dumps(sample),
            )["Result"]
        ]
        assert matching == ([expected] if expected else [])
        return
    sqs, queue = enforcing.aws.client("sqs"), enforcing.outputs["QueueUrl"]
    events.put_events(
        Entries=[
            {
                "Source": sample["source"],
                "DetailType": sample["detail-type"],
                "Detail": json.dumps(sample["detail"]),
                "Resources": sample["resources"],
            }
        ]
    )
    # PutEvents delivers before it answers there, so one look is enough.
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages", [])
    for message in received:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    bodies = [json.loads(m["Body"]) for m in received]
    assert [b["detail"] for b in bodies] == ([sample["detail"]] if expected else [])


# ---- Permissions ----


def permissions(statements):
    """{action: condition keys} of what is allowed."""
    return {
        action: sorted({key for test in statement.get("Condition", {}).values() for key in test})
        for statement in statements
        for action in listed(statement["Action"])
        if action not in OPERATORS_OWN
    }


def test_writes_are_bound_to_the_tag(enforcing):
    reads = re.compile(r"^[a-z0-9]+:(Describe|List|Get|BatchGet|Simulate|Filter)")
    allowed = permissions(workload_statements(enforcing))
    assert not [action for action in allowed if "*" in action]
    unbound = {
        action: keys
        for action, keys in allowed.items()
        if not reads.match(action) and not {f"aws:ResourceTag/{TAG}", f"aws:RequestTag/{TAG}"} & set(keys)
    }
    assert unbound == {
        "ecs:DeregisterTaskDefinition": [],  # IAM knows no resource for it
        "ecs:StopServiceDeployment": [],  # ECS can't tag a service deployment
        "ecs:TagResource": ["ecs:CreateAction"],  # only while a revision is registered, whose tags the row above binds
        "iam:PassRole": ["iam:PassedToService"],  # knows no tag condition
        "kms:Decrypt": ["kms:ViaService"],  # of secrets that GetSecretValue allows, and parameters
    }
    assert allowed["secretsmanager:GetSecretValue"] == [f"aws:ResourceTag/{TAG}"]


def test_audit_role_cannot_write(auditing):
    assert sorted(auditing.policies("TaskRole")) == ["own", "read"]
    read_only = re.compile(r"^[a-z0-9]+:(Describe|List|Get|Simulate|Filter)")
    assert not [a for a in permissions(workload_statements(auditing)) if not read_only.match(a)]
    own = [a for s in auditing.policies("TaskRole")["own"] for a in listed(s["Action"])]
    assert sorted(own) == sorted(OPERATORS_OWN)
    (assume,) = [s for s in auditing.policies("TaskRole")["own"] if s["Action"] == "sts:AssumeRole"]
    assert len(assume["Resource"]) == 2


def test_execution_role_reads_only_the_configuration(enforcing, auditing):
    def actions(stack):
        return {a for s in stack.policies("ExecutionRole")["start"] for a in listed(s["Action"])}

    assert actions(auditing) - actions(enforcing) == {"ssm:GetParameters"}
    if auditing.keeps("nested container settings"):
        (secret,) = auditing.container()["secrets"]
        assert secret["name"] == "HOLDFAST_CONFIG_YAML"
        assert secret["valueFrom"].endswith(":parameter/holdfast/config")
    assert "HOLDFAST_CONFIG_YAML" not in auditing.environment()


# ---- The template and the binary agree ----


def run(holdfast_bin, stack, *arguments, configuration=None):
    configuration = {"HOLDFAST_CONFIG_YAML": configuration or stack.environment()["HOLDFAST_CONFIG_YAML"]}
    return subprocess.run(
        [holdfast_bin, *arguments], env={**os.environ, **configuration}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.binary
def test_binary_accepts_the_built_configuration(holdfast_bin, enforcing):
    checked = run(holdfast_bin, enforcing, "config", "check")
    assert checked.returncode == 0, checked.stderr
    shown = yaml.safe_load(run(holdfast_bin, enforcing, "config", "show").stdout)
    assert shown["mode"] == "enforce"
    assert shown["events"]["queue_url"] == enforcing.outputs["QueueUrl"]
    # Nothing is kept on the read-only disk.
    assert shown["ledger"]["kind"] == shown["lease"]["kind"] == "dynamodb"
    assert shown["ledger"]["table"] == shown["lease"]["table"] == enforcing.outputs["TableName"]


@pytest.mark.binary
@pytest.mark.parametrize("mode", ["audit", "enforce"])
def test_role_is_what_iam_policy_prints(holdfast_bin, enforcing, mode):
    printed = run(holdfast_bin, enforcing, "iam-policy", "--for", "target", "--mode", mode)
    assert printed.returncode == 0, printed.stderr
    wanted = permissions(json.loads(printed.stdout)["Statement"])
    policies = enforcing.policies("TaskRole")
    names = ["read", "secret-values"] + (["correct"] if mode == "enforce" else [])
    granted = permissions([s for name in names for s in policies[name]])
    assert granted == wanted, "deploy/holdfast.yaml grants (left) other than `holdfast iam-policy` asks for (right)"


@pytest.mark.binary
def test_own_permissions_are_what_iam_policy_prints(holdfast_bin, auditing):
    """Action by action, and on the same things as far as the configuration tells them."""
    table = auditing.outputs["TableName"]
    configuration = {
        "targets": [
            {"account": account, "role_arn": f"arn:aws:iam::{account}:role/holdfast"}
            for account in ("111122223333", "444455556666")
        ],
        "events": {"queue_url": auditing.outputs["QueueUrl"]},
        "safety": {"pause": {"ssm_parameter": "/holdfast/pause"}},
        "report_to": {"event_bus": "arn:aws:events:us-east-1:123456789012:event-bus/security"},
        "ledger": {"kind": "dynamodb", "table": table},
        "lease": {"kind": "dynamodb", "table": table},
    }
    arguments = ["--region", "us-east-1", "iam-policy", "--for", "operator"]
    printed = run(holdfast_bin, auditing, *arguments, configuration=yaml.safe_dump(configuration))
    assert printed.returncode == 0, printed.stderr

    def resources(statements):
        found = {}
        for statement in statements:
            for action in listed(statement["Action"]):
                found.setdefault(action, set()).update(listed(statement["Resource"]))
        return found

    wanted, granted = resources(json.loads(printed.stdout)["Statement"]), resources(auditing.policies("TaskRole")["own"])
    assert set(granted) == set(wanted) == OPERATORS_OWN
    for action, patterns in wanted.items():
        if action.startswith("sqs:"):  # an emulator's URL tells no region
            patterns = {p.replace("sqs:*:", "sqs:us-east-1:") for p in patterns}
        for resource in granted[action]:
            assert any(fnmatch.fnmatchcase(resource, pattern) for pattern in patterns), (action, resource, patterns)


@pytest.mark.binary
def test_container_command_is_understood(holdfast_bin, enforcing, tmp_path):
    """The very words of the task definition start the operator, and the health check's path answers."""
    port = free_port()
    command = [w.replace("0.0.0.0:9095", f"127.0.0.1:{port}") for w in enforcing.container()["command"]]
    env = {**enforcing.aws.environment(), **enforcing.environment(), "AWS_REGION": "us-east-1"}
    with running([holdfast_bin, *command], port, "/livez", tmp_path / "holdfast.log", env) as process:
        assert process.poll() is None
