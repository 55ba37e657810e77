"""docs/events.md: what the real operator puts on a bus is what the schema and the examples say."""

import json
import re

import jsonschema
import pytest
import yaml
from referencing import Registry, Resource

from servers import ROOT, answers, free_port, running, wait_until
from world import PASSWORD, World

PAGE = (ROOT / "docs/events.md").read_text()
SCHEMAS = [json.loads((ROOT / f"docs/{name}.schema.json").read_text()) for name in ("events", "report")]

# EMULATORS.md, row "EventBridge rule → SQS".
ENVELOPE_LACKS = {"moto": {"account"}, "ministack": set()}


def validator():
    registry = Registry().with_resources((s["$id"], Resource.from_contents(s)) for s in SCHEMAS)
    return jsonschema.Draft202012Validator(
        SCHEMAS[0], registry=registry, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


@pytest.fixture(scope="module")
def events(aws, holdfast_bin, tmp_path_factory):
    """What a queue behind the bus received while the operator found, corrected and proved."""
    world = World(aws)
    bus, queue = aws.client("events"), world.sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = world.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus.create_event_bus(Name="security")
    bus.put_rule(Name="all", EventBusName="security", EventPattern=json.dumps({"source": ["holdfast"]}))
    bus.put_targets(Rule="all", EventBusName="security", Targets=[{"Id": "told", "Arn": arn}])
    directory = tmp_path_factory.mktemp(f"events-{aws.name}")
    configuration = directory / "holdfast.yaml"
    settings = {
        "mode": "enforce",
        "events": {"queue_url": world.queue},
        "sweep": {"interval": "3s"},
        "safety": {"max_failing_percent": 100, "cooldown": "1s"},
        "report_to": {"event_bus": "security"},
        "ledger": {"path": str(directory / "holdfast.db")},
    }
    configuration.write_text(yaml.safe_dump(settings))
    port = free_port()
    command = [holdfast_bin, "--config", str(configuration), "run", "--listen", f"127.0.0.1:{port}"]
    told = []

    def heard():
        answer = world.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        for message in answer.get("Messages", []):
            told.append(json.loads(message["Body"]))
            world.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return {"opened", "resolved", "verified"} <= {e["detail"].get("state", e["detail"].get("outcome")) for e in told}

    with running(command, port, "/livez", directory / "holdfast.log", aws.environment()):
        wait_until(lambda: answers(port, "/readyz") == 200, "the first sweep", 60)
        wait_until(heard, "a finding, its correction and its end", 60)
    return told


@pytest.mark.binary
def test_every_event_is_as_the_schema_says(aws, events):
    assert {e["detail-type"] for e in events} == {"Holdfast Finding", "Holdfast Action"}
    for event in events:
        lacking = ENVELOPE_LACKS[aws.name] - set(event)
        validator().validate({**event, **dict.fromkeys(lacking, "123456789012")})
        assert PASSWORD not in json.dumps(event)
    told_once = [(e["detail"]["state"], e["detail"]["finding"]["id"]) for e in events if "state" in e["detail"]]
    assert len(told_once) == len(set(told_once))


def test_schema_refuses_what_is_wrong():
    finding = {"schema_version": 1, "state": "closed", "finding": {}}
    event = {"version": "0", "id": "x", "source": "holdfast", "account": "1", "time": "2026-11-21T08:00:00Z",
             "region": "us-east-1", "resources": ["arn:x"], "detail-type": "Holdfast Finding", "detail": finding}
    assert not validator().is_valid(event)
    assert not validator().is_valid({**event, "detail-type": "Holdfast Gossip"})


def examples():
    """{name: pattern} of the rules that the page shows."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))
    (shown,) = [yaml.load(block, Loader) for block in re.findall(r"```yaml\n(Resources:.*?)```", PAGE, re.S)]
    return {name: resource["Properties"]["EventPattern"] for name, resource in shown["Resources"].items()}


@pytest.mark.binary
def test_examples_match_what_they_are_for(aws, events):
    if aws.name == "moto":
        pytest.skip("moto has no TestEventPattern")
    client = aws.client("events")

    def matching(pattern):
        return [
            e
            for e in events
            if client.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(e))["Result"]
        ]

    critical = matching(examples()["CriticalFindings"])
    assert critical
    for event in critical:
        finding = event["detail"]["finding"]
        assert (event["detail"]["state"], finding["severity"], finding["verdict"]) == ("opened", "critical", "fail")
    failed = examples()["FailedCorrections"]
    assert matching(failed) == []
    (action, *_) = [e for e in events if e["detail-type"] == "Holdfast Action"]
    failing = {**action, "detail": {**action["detail"], "outcome": "failed"}}
    assert client.test_event_pattern(EventPattern=json.dumps(failed), Event=json.dumps(failing))["Result"]


def test_page_and_schema_name_the_same_fields():
    definitions = SCHEMAS[0]["$defs"]
    for name, heading in (("finding", "Holdfast Finding"), ("action", "Holdfast Action")):
        section = PAGE.split(f"## `{heading}`")[1].split("\n## ")[0]
        assert set(re.findall(r"^\| `(\w+)` \|", section, re.M)) == set(definitions[name]["properties"])
    outcomes = PAGE.split("## `Holdfast Action`")[1].split("\n## ")[0]
    for outcome in definitions["action"]["properties"]["outcome"]["enum"]:
        assert f"`{outcome}`" in outcomes
