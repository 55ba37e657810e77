"""ECS clusters, task definitions, services, stopped tasks; their IAM roles; SQS queues."""

import json

from .scope import WorldError, known_keys, tag_list, was_retried


# What an execution role needs to start a task, and a task's role for ECS Exec.
_DEFAULT_ROLES = {
    "ecs-execution": [
        "secretsmanager:GetSecretValue", "ssm:GetParameters", "kms:Decrypt", "ecr:*", "logs:*", "s3:GetObject",
        "s3:GetBucketLocation",
    ],
    "ecs-task": ["ssmmessages:*"],
}


def add_default_roles(world, scope):
    """The roles that task definitions have where they name none. IAM knows no region: one scope of an account makes them."""
    declared = dict(scope.declared.get("roles") or {})
    if scope.declared.get("task_definitions"):
        for name, actions in _DEFAULT_ROLES.items():
            declared.setdefault(name, {"statements": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})
    kept = {}
    for name, spec in declared.items():
        if spec is not None and world.claim(scope.account, "role", name):
            kept[name] = spec
    scope.declared = {**scope.declared, "roles": kept}


def make_role(world, scope, name, spec):
    known_keys(spec, {"trusts", "statements"}, f"roles.{name}")
    spec = world.resolve(spec, scope)
    iam = scope.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": spec.get("trusts", "ecs-tasks.amazonaws.com")}, "Action": "sts:AssumeRole"}
    try:
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy([trust]))
    except iam.exceptions.EntityAlreadyExistsException:
        if name not in _DEFAULT_ROLES:
            raise
        made = iam.get_role(RoleName=name)  # of another world in the same account
    if spec.get("statements"):
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=_policy(spec["statements"]))
    scope.put("roles", name, made["Role"]["Arn"])


def _policy(statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def make_cluster(world, scope, name, spec):
    tags = tag_list(world.resolve((spec or {}).get("tags"), scope), "key", "value")
    made = scope.client("ecs").create_cluster(clusterName=name, **({"tags": tags} if tags else {}))
    scope.put("clusters", name, made["cluster"]["clusterArn"])


def make_family(world, scope, name, spec):
    """`spec`: its revisions, oldest first."""
    for number, revision in enumerate(spec, 1):
        request = _task_definition(world.resolve(revision, scope), scope)
        made = scope.client("ecs").register_task_definition(family=name, **request)["taskDefinition"]
        scope.put("task_definitions", f"{name}:{number}", made["taskDefinitionArn"])


def _task_definition(spec, scope):
    known_keys(
        spec, {"containers", "volumes", "execution_role", "task_role", "cpu", "memory", "network_mode", "tags", "with"},
        "task definition",
    )
    role = f"arn:aws:iam::{scope.account}:role/"
    request = {
        "networkMode": spec.get("network_mode", "awsvpc"),
        "requiresCompatibilities": ["FARGATE"],
        "cpu": str(spec.get("cpu", 256)),
        "memory": str(spec.get("memory", 512)),
        "executionRoleArn": spec.get("execution_role", role + "ecs-execution"),  # "": none
        "taskRoleArn": spec.get("task_role", role + "ecs-task"),
        "containerDefinitions": [_container(name, one) for name, one in spec["containers"].items()],
    }
    if not request["executionRoleArn"]:
        del request["executionRoleArn"]
    volumes = [_volume(name, one) for name, one in spec.get("volumes", {}).items()]
    if volumes:
        request["volumes"] = volumes
    if spec.get("tags"):
        request["tags"] = tag_list(spec["tags"], "key", "value")
    request.update(spec.get("with", {}))
    return request


def _container(name, spec):
    known_keys(
        spec, {"image", "port", "environment", "secrets", "mounts", "memory", "essential", "command", "with"},
        f"container {name}",
    )
    container = {
        "name": name,
        "image": spec.get("image", f"example.com/{name}:1.0"),
        "essential": spec.get("essential", True),
        "memory": spec.get("memory", 256),  # moto answers 500 without it
        "environment": [{"name": key, "value": str(value)} for key, value in spec.get("environment", {}).items()],
        "secrets": [{"name": key, "valueFrom": value} for key, value in spec.get("secrets", {}).items()],
        "mountPoints": [
            {"sourceVolume": volume, "containerPath": path, "readOnly": False}
            for volume, path in spec.get("mounts", {}).items()
        ],
    }
    if "port" in spec:
        container["portMappings"] = [{"containerPort": spec["port"], "hostPort": spec["port"], "protocol": "tcp"}]
    if "command" in spec:
        container["command"] = spec["command"]
    container.update(spec.get("with", {}))
    return container


def _volume(name, spec):
    """`spec`: {efs: fs-id}, {host: /path}, {docker: driver}, or {} for an empty one that lives with the task."""
    known_keys(spec, {"efs", "host", "docker"}, f"volume {name}")
    volume = {"name": name}
    if "efs" in spec:
        volume["efsVolumeConfiguration"] = {"fileSystemId": spec["efs"], "transitEncryption": "ENABLED"}
    if "host" in spec:
        volume["host"] = {"sourcePath": spec["host"]}
    if "docker" in spec:
        volume["dockerVolumeConfiguration"] = {"scope": "shared", "driver": spec["docker"]}
    return volume


def _network(scope, spec):
    return {"awsvpcConfiguration": {
        "subnets": [scope.get("subnets", subnet) for subnet in spec["subnets"]],
        "securityGroups": [scope.get("security_groups", group) for group in spec.get("security_groups", [])],
        "assignPublicIp": "ENABLED" if spec.get("public_ip") else "DISABLED",
    }}


_PLACEMENT = {"subnets", "security_groups", "public_ip", "launch"}


def make_service(world, scope, name, spec):
    cluster, slash, service = name.partition("/")
    if not slash:
        raise WorldError("write its name as cluster/service")
    known_keys(
        spec, _PLACEMENT | {"task_definition", "desired", "circuit_breaker", "tags", "updates", "with"}, f"services.{name}",
    )
    scope.get("clusters", cluster)
    spec = world.resolve(spec, scope)
    ecs = scope.client("ecs")
    request = {
        "cluster": cluster,
        "serviceName": service,
        "taskDefinition": scope.get("task_definitions", spec["task_definition"]),
        "desiredCount": spec.get("desired", 1),
        "launchType": spec.get("launch", "FARGATE"),
    }
    if "subnets" in spec:
        request["networkConfiguration"] = _network(scope, spec)
    if spec.get("circuit_breaker", True):
        request["deploymentConfiguration"] = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    if spec.get("tags"):
        request["tags"] = tag_list(spec["tags"], "key", "value")
    request.update(spec.get("with", {}))
    try:
        made = ecs.create_service(**request)["service"]
    except ecs.exceptions.ClientException as error:
        if not was_retried(error):
            raise
        # "Not idempotent": the call that lost a race made the service, but perhaps not its tasks.
        made = ecs.update_service(cluster=cluster, service=service, desiredCount=request["desiredCount"])["service"]
    scope.put("services", name, made["serviceArn"])
    for revision in spec.get("updates", []):
        ecs.update_service(
            cluster=cluster, service=service, taskDefinition=scope.get("task_definitions", revision),
        )


def make_task(world, scope, name, spec):
    """A task run once, such as a migration; `stopped: reason` ends it."""
    known_keys(spec, _PLACEMENT | {"cluster", "task_definition", "stopped"}, f"tasks.{name}")
    ecs = scope.client("ecs")
    request = {
        "cluster": spec["cluster"],
        "taskDefinition": scope.get("task_definitions", spec["task_definition"]),
        "launchType": spec.get("launch", "FARGATE"),
    }
    if "subnets" in spec:
        request["networkConfiguration"] = _network(scope, spec)
    arn = ecs.run_task(**request)["tasks"][0]["taskArn"]
    scope.put("tasks", name, arn)
    if "stopped" in spec:
        ecs.stop_task(cluster=spec["cluster"], task=arn, reason=spec["stopped"])


def make_queue(world, scope, name, spec):
    """`spec`: {dead_letter: name of a queue, attributes: {...}}; the dead-letter queue is made with it."""
    spec = spec or {}
    known_keys(spec, {"dead_letter", "attributes"}, f"queues.{name}")
    sqs = scope.client("sqs")
    attributes = {key: str(value) for key, value in spec.get("attributes", {}).items()}
    if "dead_letter" in spec:
        url = sqs.create_queue(QueueName=spec["dead_letter"])["QueueUrl"]
        scope.put("queues", spec["dead_letter"], url)
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "3"})
    scope.put("queues", name, sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
