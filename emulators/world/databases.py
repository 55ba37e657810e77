"""RDS instances, Aurora clusters, their groups, and the secrets and parameters that point at them.

Left out, every field has the value of a database nobody would complain about; a world spells out what is wrong.
"""

import json

from .scope import WorldError, known_keys, tag_list

PASSWORD = "Placeholder-Passw0rd"


def make_subnet_group(world, scope, name, spec):
    """`spec`: the list of subnets' names."""
    made = scope.client("rds").create_db_subnet_group(
        DBSubnetGroupName=name,
        DBSubnetGroupDescription=name,
        SubnetIds=[scope.get("subnets", subnet) for subnet in spec],
    )
    scope.put("db_subnet_groups", name, made["DBSubnetGroup"]["DBSubnetGroupArn"])


def make_parameter_group(world, scope, name, spec):
    known_keys(spec, {"family", "parameters", "tags"}, f"db_parameter_groups.{name}")
    rds = scope.client("rds")
    made = rds.create_db_parameter_group(
        DBParameterGroupName=name, DBParameterGroupFamily=spec.get("family", "postgres17"), Description=name,
        Tags=tag_list(spec.get("tags", {})),
    )
    parameters = [
        {"ParameterName": parameter, "ParameterValue": str(value), "ApplyMethod": "immediate"}
        for parameter, value in spec.get("parameters", {}).items()
    ]
    if parameters:
        rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=parameters)
    scope.put("db_parameter_groups", name, made["DBParameterGroup"].get("DBParameterGroupArn", name))


# YAML key → (AWS's field, value when left out)
_INSTANCE = {
    "class": ("DBInstanceClass", "db.t3.micro"),
    "engine": ("Engine", "postgres"),
    "version": ("EngineVersion", "17.2"),
    "public": ("PubliclyAccessible", False),
    "minor_upgrades": ("AutoMinorVersionUpgrade", True),
    "subnet_group": ("DBSubnetGroupName", None),
    "parameter_group": ("DBParameterGroupName", None),
}
# What a cluster holds for its members, and a standalone instance for itself.
_OWN_STORAGE = {
    "storage": ("AllocatedStorage", 20),
    "max_storage": ("MaxAllocatedStorage", 100),
    "retention": ("BackupRetentionPeriod", 7),
    "encrypted": ("StorageEncrypted", True),
    "deletion_protection": ("DeletionProtection", True),
    "username": ("MasterUsername", "postgres"),
    "password": ("MasterUserPassword", PASSWORD),
    "database": ("DBName", "app"),
    "port": ("Port", 5432),
    "multi_az": ("MultiAZ", False),
    "iam_auth": ("EnableIAMDatabaseAuthentication", False),
}
_REPLICA = {
    "class": ("DBInstanceClass", "db.t3.micro"),
    "public": ("PubliclyAccessible", False),
    "minor_upgrades": ("AutoMinorVersionUpgrade", True),
    "deletion_protection": ("DeletionProtection", True),
    "max_storage": ("MaxAllocatedStorage", None),
    "subnet_group": ("DBSubnetGroupName", None),
}
_CLUSTER = {
    "engine": ("Engine", "aurora-postgresql"),
    "version": ("EngineVersion", "17.4"),
    "retention": ("BackupRetentionPeriod", 7),
    "encrypted": ("StorageEncrypted", True),
    "deletion_protection": ("DeletionProtection", True),
    "username": ("MasterUsername", "postgres"),
    "password": ("MasterUserPassword", PASSWORD),
    "database": ("DatabaseName", "app"),
    "port": ("Port", 5432),
    "subnet_group": ("DBSubnetGroupName", None),
}
_COMMON = {"security_groups", "tags", "with", "status"}


def _request(spec, fields):
    request = {}
    for key, (field, default) in fields.items():
        value = spec.get(key, default)
        if value is not None:
            request[field] = str(value) if key == "version" else value
    return request


def _finish_request(request, scope, spec, groups="VpcSecurityGroupIds"):
    if spec.get("security_groups"):
        request[groups] = [scope.get("security_groups", group) for group in spec["security_groups"]]
    if spec.get("tags"):
        request["Tags"] = tag_list(spec["tags"])
    request.update(spec.get("with", {}))
    return request


def make_cluster(world, scope, name, spec):
    known_keys(spec, _CLUSTER.keys() | _COMMON, f"db_clusters.{name}")
    spec = world.resolve(spec, scope)
    request = _finish_request({"DBClusterIdentifier": name, **_request(spec, _CLUSTER)}, scope, spec)
    made = scope.client("rds").create_db_cluster(**request)["DBCluster"]
    scope.put("db_clusters", name, made["DBClusterArn"])
    scope.put("endpoints", name, f"{made['Endpoint']}:{made.get('Port', 5432)}")


def make_instance(world, scope, name, spec):
    spec = world.resolve(spec, scope)
    rds = scope.client("rds")
    if "replica_of" in spec:
        known_keys(spec, _REPLICA.keys() | _COMMON | {"replica_of"}, f"db_instances.{name}")
        request = {"SourceDBInstanceIdentifier": spec["replica_of"], **_request(spec, _REPLICA)}
        create = rds.create_db_instance_read_replica
    elif "cluster" in spec:
        known_keys(spec, _INSTANCE.keys() | _COMMON | {"cluster"}, f"db_instances.{name}")
        scope.get("db_clusters", spec["cluster"])
        cluster = scope.declared["db_clusters"][spec["cluster"]]
        # AWS takes these from the cluster by itself; the emulators have to be told.
        inherited = {key: cluster.get(key, _CLUSTER[key][1]) for key in ("engine", "version", "encrypted", "subnet_group")}
        spec = {**inherited, "security_groups": cluster.get("security_groups"), **spec}
        member = {**_INSTANCE, "encrypted": _OWN_STORAGE["encrypted"]}
        request = {"DBClusterIdentifier": spec["cluster"], **_request(spec, member)}
        create = rds.create_db_instance
    else:
        known_keys(spec, _INSTANCE.keys() | _OWN_STORAGE.keys() | _COMMON, f"db_instances.{name}")
        request = _request(spec, {**_INSTANCE, **_OWN_STORAGE})
        create = rds.create_db_instance
    request["DBInstanceIdentifier"] = name
    made = create(**_finish_request(request, scope, spec))["DBInstance"]
    scope.put("db_instances", name, made["DBInstanceArn"])
    endpoint = made.get("Endpoint") or rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["Endpoint"]
    scope.put("endpoints", name, f"{endpoint['Address']}:{endpoint['Port']}")
    if spec.get("status", "available") == "stopped":
        rds.stop_db_instance(DBInstanceIdentifier=name)
    elif spec.get("status", "available") != "available":
        raise WorldError("status: an emulator can make a database available or stopped, nothing else")


def make_key(world, scope, name, spec):
    """`spec`: {policy: its key policy; left out: the account decides by IAM, alias: name}."""
    known_keys(spec, {"policy", "alias"}, f"keys.{name}")
    spec = world.resolve(spec, scope)
    kms = scope.client("kms")
    policy = spec.get("policy") or {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{scope.account}:root"}, "Action": "kms:*", "Resource": "*"}]}
    made = kms.create_key(Description=name, Policy=json.dumps(policy))["KeyMetadata"]
    if "alias" in spec:
        kms.create_alias(AliasName=f"alias/{spec['alias']}", TargetKeyId=made["KeyId"])
    scope.put("keys", name, made["Arn"])


def make_secret(world, scope, name, spec):
    known_keys(spec, {"string", "json", "description", "kms_key", "tags", "policy", "deletion_in_days"}, f"secrets.{name}")
    spec = world.resolve(spec, scope)
    client = scope.client("secretsmanager")
    request = {"Name": name}
    if "json" in spec:
        request["SecretString"] = json.dumps(spec["json"])
    elif "string" in spec:
        request["SecretString"] = spec["string"]
    if "description" in spec:
        request["Description"] = spec["description"]
    if "kms_key" in spec:
        request["KmsKeyId"] = spec["kms_key"]
    if spec.get("tags"):
        request["Tags"] = tag_list(spec["tags"])
    scope.put("secrets", name, client.create_secret(**request)["ARN"])
    if "policy" in spec:
        client.put_resource_policy(SecretId=name, ResourcePolicy=json.dumps(spec["policy"]))
    if "deletion_in_days" in spec:
        client.delete_secret(SecretId=name, RecoveryWindowInDays=spec["deletion_in_days"])


def make_parameter(world, scope, name, spec):
    known_keys(spec, {"string", "json", "type", "kms_key", "tags"}, f"parameters.{name}")
    spec = world.resolve(spec, scope)
    request = {
        "Name": name,
        "Value": json.dumps(spec["json"]) if "json" in spec else spec["string"],
        "Type": spec.get("type", "SecureString"),
    }
    if "kms_key" in spec:
        request["KeyId"] = spec["kms_key"]
    if spec.get("tags"):
        request["Tags"] = tag_list(spec["tags"])
    ssm = scope.client("ssm")
    ssm.put_parameter(**request)
    scope.put("parameters", name, ssm.get_parameter(Name=name)["Parameter"]["ARN"])
