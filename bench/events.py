"""From an event in the queue to the corrective call.

`holdfast run --mode enforce` runs against the gateway, fed by a queue; sweeps are an hour apart, so that nothing but the
event can tell it. For each repetition one database is opened to the public behind its back, CloudTrail's event of that
call goes to the queue in EventBridge's envelope, and the gateway's log says when the call that closes it again arrives.
The time counted starts before the event is sent.
"""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timezone
from pathlib import Path

import boto3

import fleet
from measure import BenchError, Gateway, environment, free_port, lay_out, median, wait_for

QUEUE = "holdfast-events"
READY_SECONDS = 60
CORRECTION_SECONDS = 15
QUIET_SECONDS = 0.3  # no call for so long: the correction's own verification is over too


def config(queue_url):
    return {
        "mode": "enforce",
        "events": {"queue_url": queue_url},
        "sweep": {"interval": "1h"},
        "secrets": {"inspect": "value"},
        # Every repetition corrects another database, and together they are the whole small fleet.
        "safety": {"max_actions_per_sweep": 1000, "max_failing_percent": 100, "allow_risk": ["none", "brief"]},
    }


def envelope(instance, account):
    """EventBridge's envelope of CloudTrail's ModifyDBInstance, as AWS delivers it."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    arn = f"arn:aws:rds:{fleet.REGION}:{account}:db:{instance}"
    return json.dumps({
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.rds",
        "account": account,
        "time": now,
        "region": fleet.REGION,
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": f"arn:aws:sts::{account}:assumed-role/developer/alex",
                "accountId": account,
            },
            "eventTime": now,
            "eventSource": "rds.amazonaws.com",
            "eventName": "ModifyDBInstance",
            "awsRegion": fleet.REGION,
            "sourceIPAddress": "203.0.113.7",
            "userAgent": "console.amazonaws.com",
            "requestParameters": {"dBInstanceIdentifier": instance, "publiclyAccessible": True, "applyImmediately": True},
            "responseElements": {"dBInstanceIdentifier": instance, "dBInstanceArn": arn, "publiclyAccessible": True},
            "requestID": str(uuid.uuid4()),
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": account,
            "eventCategory": "Management",
        },
    })


class Log:
    """The gateway's log, followed."""

    def __init__(self, path):
        self._lines = open(path)
        self.calls = []

    def read(self):
        while line := self._lines.readline():
            self.calls.append(json.loads(line))
        return self.calls

    def correction(self, instance, since):
        for call in self.read():
            if call["operation"] == "ModifyDBInstance" and call.get("resource") == instance and call["t"] >= since:
                return call
        return None

    def quiet(self):
        calls = [call for call in self.read() if call["service"] != "sqs"]
        return not calls or time.time() - (calls[-1]["t"] + calls[-1]["ms"] / 1000) > QUIET_SECONDS


def measure(holdfast, emulator, repetitions, directory):
    """→ {"seconds": [...], "median_s", "p95_s", "max_s", "exit"}"""
    directory = Path(directory)
    emulator.reset()
    made = lay_out(emulator.endpoint, fleet.world(repetitions, faults=False, queue=QUEUE), directory)
    scope, = made.values()
    # JSON is YAML too.
    path = directory / "events.yaml"
    path.write_text(json.dumps(config(scope["queues"][QUEUE])))
    log_path = directory / "gateway.log"
    with Gateway(emulator.endpoint, "--log", log_path) as gateway:
        listen = f"127.0.0.1:{free_port()}"
        command = [holdfast, "--config", path, "--log-format", "json", "run", "--mode", "enforce", "--listen", listen]
        errors = directory / "run.txt"
        with errors.open("w") as output:
            operator = subprocess.Popen(
                list(map(str, command)), env=environment(gateway.endpoint), cwd=directory,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )
            try:
                wait_for("/readyz", lambda: _ready(operator, listen, errors), READY_SECONDS)
                log = Log(log_path)
                seconds = [
                    _one(emulator.endpoint, scope, log, fleet.name(number)) for number in range(repetitions)
                ]
            finally:
                operator.send_signal(signal.SIGTERM)
                try:
                    exit_code = operator.wait(30)
                except subprocess.TimeoutExpired:
                    operator.kill()
                    exit_code = "killed: SIGTERM did not end it in 30 s"
    ordered = sorted(seconds)
    return {
        "seconds": seconds,
        "median_s": median(seconds),
        "p95_s": ordered[max(0, -(-len(ordered) * 95 // 100) - 1)],
        "max_s": ordered[-1],
        "exit": exit_code,
    }


def _ready(operator, listen, errors):
    if operator.poll() is not None:
        raise BenchError(f"holdfast run ended with {operator.returncode}:\n{errors.read_text()[-2000:]}")
    try:
        with urllib.request.urlopen(f"http://{listen}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _client(service, endpoint):
    return boto3.client(
        service, region_name=fleet.REGION, endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test",
    )


def _one(endpoint, scope, log, instance):
    wait_for("quiet after the correction before", log.quiet, CORRECTION_SECONDS)
    rds, sqs = _client("rds", endpoint), _client("sqs", endpoint)
    rds.modify_db_instance(DBInstanceIdentifier=instance, PubliclyAccessible=True, ApplyImmediately=True)
    event = envelope(instance, scope["account"])
    sent = time.time()
    sqs.send_message(QueueUrl=scope["queues"][QUEUE], MessageBody=event)
    call = wait_for(f"the correction of {instance}", lambda: log.correction(instance, sent), CORRECTION_SECONDS)
    found = rds.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"][0]
    if found["PubliclyAccessible"]:
        raise BenchError(f"{instance} is still public after a ModifyDBInstance that answered {call['status']}")
    return call["t"] - sent
