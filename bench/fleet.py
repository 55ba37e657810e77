"""The fleet that is swept: a world of N workloads, and the least calls in which it can be read.

Each workload has a database with a security group of its own, a secret with its URL, a service with a security group of
its own that alone may reach the database, and a task definition revision of its own. Ten workloads share a cluster.
Every tenth workload has one fault, so that a sweep also has findings to write; no fault changes the count of calls.
"""

import math

REGION = "us-east-1"
PER_CLUSTER = 10
FAULTS = ("public", "open-ingress", "retention", "malformed-url")


def name(number):
    return f"workload-{number:04d}"


def fault(number):
    return FAULTS[number // 10 % len(FAULTS)] if number % 10 == 9 else None


def world(count, faults=True, queue=None):
    """For emulators/lay_out.py."""
    scope = {
        "region": REGION,
        "vpcs": {"fleet": {"subnets": {
            "private-a": {"cidr": "10.0.0.0/20", "az": "a", "route": "nat"},
            "private-b": {"cidr": "10.0.16.0/20", "az": "b", "route": "nat"},
        }}},
        "security_groups": {},
        "db_subnet_groups": {"private": ["private-a", "private-b"]},
        "db_instances": {},
        "secrets": {},
        "clusters": {f"cluster-{number:03d}": {} for number in range(math.ceil(count / PER_CLUSTER))},
        "task_definitions": {},
        "services": {},
    }
    for number in range(count):
        _add_workload(scope, number, fault(number) if faults else None)
    if queue:
        scope["queues"] = {queue: {"dead_letter": queue + "-dead"}}
    return {"scopes": [scope]}


def _add_workload(scope, number, wrong):
    workload = name(number)
    tags = {"holdfast:workload": workload}
    scope["security_groups"][f"{workload}-app"] = {"tags": tags}
    ingress = [{"group": f"{workload}-app"}]
    if wrong == "open-ingress":
        ingress.append({"cidr": "0.0.0.0/0"})
    scope["security_groups"][f"{workload}-db"] = {"tags": tags, "ingress": ingress}
    scope["db_instances"][workload] = {
        "public": wrong == "public",
        "retention": 1 if wrong == "retention" else 7,
        "subnet_group": "private",
        "security_groups": [f"{workload}-db"],
        "tags": tags,
    }
    port = f"{{{{port:{workload}}}}}" + (":5432" if wrong == "malformed-url" else "")
    url = f"postgres://app:canary-{number}@{{{{endpoint:{workload}}}}}:{port}/app?sslmode=require"
    scope["secrets"][f"{workload}-url"] = {"string": url, "tags": tags}
    secrets = {"DATABASE_URL": f"{{{{secret:{workload}-url}}}}"}
    scope["task_definitions"][workload] = [{"tags": tags, "containers": {"app": {"port": 8080, "secrets": secrets}}}]
    scope["services"][f"cluster-{number // PER_CLUSTER:03d}/{workload}"] = {
        "task_definition": f"{workload}:1",
        "subnets": ["private-a", "private-b"],
        "security_groups": [f"{workload}-app"],
        "tags": tags,
    }


# What each emulator gives in one answer however much there is; AWS pages all of it.
UNPAGED = {
    "aws": (),
    "ministack": (
        "rds:DescribeDBInstances", "tagging:GetResources", "ec2:DescribeSecurityGroups", "ec2:DescribeSecurityGroupRules",
    ),
    "moto": ("ec2:DescribeSecurityGroups", "ec2:DescribeSecurityGroupRules"),
}


def least_calls(count, emulator):
    """Operation → least calls in one sweep, with secret values.

        DescribeTaskDefinition   N              a revision at a time; all N differ
        DescribeServices         ⌈N / 10⌉       10 a call, all of one cluster; a cluster holds 10
        GetResources             ⌈N / 100⌉      finds the tagged services; cheaper than ListServices, a call per cluster
        DescribeDBInstances      ⌈N / 100⌉
        DescribeDBClusters       1
        ListSecrets              ⌈N / 100⌉
        BatchGetSecretValue      ⌈N / 20⌉
        GetResourcePolicy        N              for secret-broad-access; remembered, so only in the first sweep
        DescribeSecurityGroups   ⌈(2N + 2) / 1000⌉   two a workload, and the default groups of two VPCs
        DescribeSecurityGroupRules  ⌈(3N + open + 2 + 2) / 1000⌉   one way out of each group, one way in for each workload
        DescribeSubnets, DescribeRouteTables   1 each

    On an emulator that does not page an operation that one takes a single call. moto's first page of GetResources is one
    short.
    """
    groups = 2 * count + 2
    opened = sum(fault(number) == "open-ingress" for number in range(count))
    rules = groups + 2 + count + opened  # a default group has a way in too
    items = {
        "ecs:DescribeTaskDefinition": (count, 1),
        "ecs:DescribeServices": (count, PER_CLUSTER),
        "tagging:GetResources": (count + (emulator == "moto"), 100),
        "rds:DescribeDBInstances": (count, 100),
        "rds:DescribeDBClusters": (1, 100),
        "secretsmanager:ListSecrets": (count, 100),
        "secretsmanager:BatchGetSecretValue": (count, 20),
        "secretsmanager:GetResourcePolicy": (count, 1),
        "ec2:DescribeSecurityGroups": (groups, 1000),
        "ec2:DescribeSecurityGroupRules": (rules, 1000),
        "ec2:DescribeSubnets": (2, 1000),
        "ec2:DescribeRouteTables": (1, 1000),
    }
    unpaged = UNPAGED[emulator]
    return {
        operation: 1 if operation in unpaged else math.ceil(total / page) for operation, (total, page) in items.items()
    }
