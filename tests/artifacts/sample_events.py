"""Events in the shape AWS sends them, each with the template's rule that must let it through, or None."""

ACCOUNT = "123456789012"


def event(source, detail_type, detail, resources=()):
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "account": ACCOUNT,
        "time": "2026-11-21T08:00:00Z",
        "region": "us-east-1",
        "source": source,
        "detail-type": detail_type,
        "resources": list(resources),
        "detail": detail,
    }


def call(service, name, parameters, error=None):
    """A call that CloudTrail recorded; `error` is there only when AWS refused it."""
    detail = {
        "eventVersion": "1.11",
        "eventTime": "2026-11-21T08:00:00Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "userIdentity": {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/dev/ada"},
        "requestParameters": parameters,
        "readOnly": False,
        "managementEvent": True,
    }
    if error:
        detail["errorCode"] = error
    return event(f"aws.{service}", "AWS API Call via CloudTrail", detail)


def rds(kind, identifier):
    arn = f"arn:aws:rds:us-east-1:{ACCOUNT}:{'db' if kind == 'DB_INSTANCE' else 'cluster'}:{identifier}"
    detail = {
        "EventCategories": ["configuration change"],
        "SourceType": kind,
        "SourceArn": arn,
        "Date": "2026-11-21T08:00:00Z",
        "Message": "Finished updating DB parameter group",
        "SourceIdentifier": identifier,
        "EventID": "RDS-EVENT-0012",
    }
    return event("aws.rds", f"RDS DB {'Instance' if kind == 'DB_INSTANCE' else 'Cluster'} Event", detail, [arn])


def task(status):
    arn = f"arn:aws:ecs:us-east-1:{ACCOUNT}:task/coder-cluster/0123456789abcdef0123456789abcdef"
    detail = {
        "clusterArn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/coder-cluster",
        "taskArn": arn,
        "taskDefinitionArn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:task-definition/coder:7",
        "group": "service:coder-service",
        "lastStatus": status,
        "desiredStatus": "RUNNING",
        "version": 4,
    }
    return event("aws.ecs", "ECS Task State Change", detail, [arn])


def tags(service, key):
    detail = {
        "changed-tag-keys": ["env", key],
        "service": service,
        "resource-type": "db",
        "version": 3,
        "tags": {key: "coder", "env": "dev"},
    }
    return event("aws.tag", "Tag Change on Resource", detail, [f"arn:aws:{service}:us-east-1:{ACCOUNT}:db:coder"])


SERVICE = f"arn:aws:ecs:us-east-1:{ACCOUNT}:service/coder-cluster/coder-service"

SAMPLES = {
    "an instance's own event": ("RdsEvents", rds("DB_INSTANCE", "coder-postgres")),
    "a cluster's own event": ("RdsEvents", rds("CLUSTER", "coder-aurora")),
    "a snapshot's event tells nothing": (None, event("aws.rds", "RDS DB Snapshot Event", {"SourceType": "SNAPSHOT"})),
    "a deployment completed": (
        "EcsEvents",
        event("aws.ecs", "ECS Deployment State Change", {"eventName": "SERVICE_DEPLOYMENT_COMPLETED"}, [SERVICE]),
    ),
    "a service's action": (
        "EcsEvents",
        event("aws.ecs", "ECS Service Action", {"eventName": "SERVICE_STEADY_STATE"}, [SERVICE]),
    ),
    "a task runs": ("EcsTaskEvents", task("RUNNING")),
    "a task stopped": ("EcsTaskEvents", task("STOPPED")),
    "a task on its way": (None, task("PENDING")),
    "our tag on a database": ("TagChanges", tags("rds", "holdfast:workload")),
    "our tag on a secret": ("TagChanges", tags("secretsmanager", "holdfast:waive")),
    "someone else's tag": (None, tags("rds", "holdfastish")),
    "our tag on what we don't watch": (None, tags("s3", "holdfast:workload")),
    "a database made public": (
        "RdsCalls",
        call("rds", "ModifyDBInstance", {"dBInstanceIdentifier": "coder-postgres", "publiclyAccessible": True}),
    ),
    "a refused change changed nothing": (
        None,
        call("rds", "ModifyDBInstance", {"dBInstanceIdentifier": "coder-postgres"}, error="AccessDenied"),
    ),
    "a read": (None, call("rds", "DescribeDBInstances", {})),
    "a group opened": ("Ec2Calls", call("ec2", "AuthorizeSecurityGroupIngress", {"groupId": "sg-0123456789abcdef0"})),
    "a subnet given another route table": ("Ec2Calls", call("ec2", "AssociateRouteTable", {"subnetId": "subnet-1"})),
    "an instance started": (None, call("ec2", "RunInstances", {"instanceType": "t3.micro"})),
    "a service updated": ("EcsCalls", call("ecs", "UpdateService", {"service": "coder-service"})),
    "a task run by hand": (None, call("ecs", "RunTask", {"taskDefinition": "coder:7"})),
    "a secret's new value": (
        "SecretsManagerCalls",
        call("secretsmanager", "PutSecretValue", {"secretId": "coder-postgres-url"}),
    ),
    "a secret read": (None, call("secretsmanager", "GetSecretValue", {"secretId": "coder-postgres-url"})),
}
