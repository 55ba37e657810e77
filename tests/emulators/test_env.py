"""One emulator and one world for one test; takes a command a line on stdin and answers with a line of JSON.

    test_env.py ministack|moto

    {"lay_out": WORLD}                              → names to ids, as emulators/lay_out.py prints them
    {"call": [SCOPE, SERVICE, OPERATION, {...}]}    → the answer; operations as boto3 spells them; SCOPE null: the first
    {"state": null}                                 → everything there is, by scope, kind and id

An error is answered as {"error": "..."}. The end of stdin ends the emulator too.
"""

import hashlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "emulators"))
from emulator import Emulator  # noqa: E402
from lay_out import lay_out  # noqa: E402
from world.scope import World, forget_aws_settings  # noqa: E402

# What moves by itself, or by being read.
RESTLESS = {"LatestRestorableTime", "LastAccessedDate", "events", "ResponseMetadata"}


class TestEnv:
    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.scopes = {}

    def lay_out(self, declared):
        made = lay_out(declared, self.endpoint)
        self.scopes = {scope.name: scope for scope in World(declared, self.endpoint, "test").scopes}
        return made

    def call(self, call):
        name, service, operation, parameters = call
        scope = self.scopes[name] if name else next(iter(self.scopes.values()))
        return getattr(scope.client(service), operation)(**parameters)

    def state(self, _):
        return {name: state_of(scope) for name, scope in self.scopes.items()}


def state_of(scope):
    rds, ec2, ecs, secrets = (scope.client(s) for s in ("rds", "ec2", "ecs", "secretsmanager"))
    groups = {g["GroupId"]: g for g in ec2.describe_security_groups()["SecurityGroups"]}
    rules = ec2.describe_security_group_rules()["SecurityGroupRules"]
    for group in groups.values():
        group["Rules"] = sorted((r for r in rules if r["GroupId"] == group["GroupId"]), key=lambda r: r["SecurityGroupRuleId"])
    services = {}
    for cluster in ecs.list_clusters()["clusterArns"]:
        for page in ecs.get_paginator("list_services").paginate(cluster=cluster):
            for arn in page["serviceArns"]:
                found = ecs.describe_services(cluster=cluster, services=[arn], include=["TAGS"])["services"][0]
                services[f"{cluster.rsplit('/')[-1]}/{found['serviceName']}"] = found
    definitions = {}
    for page in ecs.get_paginator("list_task_definitions").paginate():
        for arn in page["taskDefinitionArns"]:
            found = ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
            definitions[arn.rsplit("/")[-1]] = {**found["taskDefinition"], "tags": found.get("tags", [])}
    held = {}
    for page in secrets.get_paginator("list_secrets").paginate(IncludePlannedDeletion=True):
        for secret in page["SecretList"]:
            held[secret["Name"]] = secret
            if not secret.get("DeletedDate"):
                value = secrets.get_secret_value(SecretId=secret["ARN"]).get("SecretString", "")
                secret["Digest"] = hashlib.sha256(value.encode()).hexdigest()
    return {
        "db_instances": {
            i["DBInstanceIdentifier"]: i for p in rds.get_paginator("describe_db_instances").paginate() for i in p["DBInstances"]
        },
        "db_clusters": {c["DBClusterIdentifier"]: c for c in rds.describe_db_clusters()["DBClusters"]},
        "security_groups": groups,
        "services": services,
        "task_definitions": definitions,
        "secrets": held,
    }


def still(value):
    """Without what moves by itself."""
    if isinstance(value, dict):
        return {key: still(item) for key, item in value.items() if key not in RESTLESS}
    return [still(item) for item in value] if isinstance(value, list) else value


def run(emulator, commands, answers):
    with emulator:
        print(json.dumps({"endpoint": emulator.endpoint}), file=answers, flush=True)
        env = TestEnv(emulator.endpoint)
        for line in commands:
            ((command, argument),) = json.loads(line).items()
            try:
                answer = still(getattr(env, command)(argument))
            except Exception as error:
                answer = {"error": f"{command}: {type(error).__name__}: {error}"}
            print(json.dumps(answer, default=str), file=answers, flush=True)


if __name__ == "__main__":
    forget_aws_settings()
    run(Emulator(sys.argv[1]), sys.stdin, sys.stdout)
