"""AWS's documented request rates, as token buckets, per account and region.

Sources: the request-throttling pages of the Amazon ECS and Amazon EC2 API references (bucket size and refill rate
for each family of actions), the quota pages of Secrets Manager, the Resource Groups Tagging API and Systems Manager
(plain calls per second: a bucket that holds one second's worth). RDS, STS, IAM and SQS document no rate for the
calls that matter here, so they have no bucket.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Operations that draw on one bucket."""

    name: str
    burst: float
    rate: float  # tokens a second

    def least_seconds(self, calls):
        """The shortest time in which this many calls can be made from a full bucket."""
        return max(0.0, calls - self.burst) / self.rate


def _families(service, rows):
    return {
        f"{service}:{operation}": Family(f"{service}/{name}", burst, rate)
        for name, operations, burst, rate in rows
        for operation in operations.split()
    }


_BY_OPERATION = {
    **_families("ecs", [
        ("task-definition-read", "DescribeTaskDefinition ListTaskDefinitions ListTaskDefinitionFamilies", 50, 20),
        ("task-definition-write", "RegisterTaskDefinition DeregisterTaskDefinition", 20, 1),
        ("service-read", "DescribeServices ListServices ListServicesByNamespace", 100, 20),
        ("service-write", "CreateService UpdateService DeleteService", 50, 5),
        ("cluster-read", "DescribeClusters ListClusters", 50, 20),
        ("cluster-resource-read", "DescribeTasks ListTasks DescribeContainerInstances ListContainerInstances", 100, 20),
    ]),
    **_families("secretsmanager", [
        ("list", "ListSecrets", 100, 100),
        ("batch-get", "BatchGetSecretValue", 100, 100),
        ("get", "GetSecretValue", 10_000, 10_000),
        ("describe", "DescribeSecret", 40_000, 40_000),
        ("policy", "GetResourcePolicy PutResourcePolicy DeleteResourcePolicy ValidateResourcePolicy", 50, 50),
        ("put", "PutSecretValue UpdateSecret UpdateSecretVersionStage", 50, 50),
        ("restore", "RestoreSecret", 50, 50),
    ]),
    **_families("tagging", [("get-resources", "GetResources", 15, 15)]),
    **_families("ssm", [("get-parameters", "GetParameter GetParameters GetParametersByPath", 40, 40)]),
}


def family(service, operation, paged):
    """The family that a call belongs to, or None if AWS documents no rate for it.

    `paged`: whether the call asks for a page or filters. EC2 gives calls that do neither a smaller bucket.
    """
    if service != "ec2":
        return _BY_OPERATION.get(f"{service}:{operation}")
    # EC2 has a bucket for each operation, sized by the operation's category.
    if not operation.startswith(("Describe", "Get")):
        return Family(f"ec2/{operation}", 50, 5)
    if paged:
        return Family(f"ec2/{operation}", 100, 20)
    return Family(f"ec2/{operation}-unpaged", 50, 10)


class Buckets:
    """One bucket for each account, region and family."""

    def __init__(self):
        self._levels = {}  # (scope, family name) -> (tokens, as of when)

    def take(self, scope, wanted, now):
        """Takes a token; False when there is none, and the call is to be throttled."""
        key = (scope, wanted.name)
        tokens, since = self._levels.get(key, (wanted.burst, now))
        tokens = min(wanted.burst, tokens + (now - since) * wanted.rate)
        if tokens < 1:
            self._levels[key] = (tokens, now)
            return False
        self._levels[key] = (tokens - 1, now)
        return True
