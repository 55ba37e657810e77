"""The worlds that the demo and the benchmark rely on come out as declared, on both emulators."""

import subprocess
import sys

import pytest
import yaml
from conftest import EMULATORS, client
from lay_out import lay_out
from world.scope import WorldError

SHOP = yaml.safe_load("""
scopes:
- name: shop
  region: eu-central-1
  vpcs:
    main: {subnets: {private: {cidr: 10.0.1.0/24}, public: {cidr: 10.0.2.0/24, route: igw}}}
  security_groups:
    app: {}
    db:
      tags: {"holdfast:workload": shop}
      ingress: [{group: app}, {cidr: 0.0.0.0/0, ports: [5000, 6000]}, {cidr6: "::/0", protocol: all}]
  db_subnet_groups: {both: [private, public]}
  db_clusters: {aurora: {retention: 3, security_groups: [db]}}
  db_instances:
    single: {public: true, retention: 1, encrypted: false, subnet_group: both, security_groups: [db],
             tags: {"holdfast:migration-until": "{{now+2d}}"}}
    replica: {replica_of: single}
    member: {cluster: aurora}
  secrets:
    url: {string: "postgres://app:pw@{{endpoint:single}}:{{port:single}}/app"}
    old: {json: {host: "{{endpoint:aurora}}"}, deletion_in_days: 7}
  parameters: {/shop/url: {string: "postgres://app:pw@{{endpoint:single}}/app"}, plain: {json: {a: 1}, type: String}}
  roles:
    reader: {statements: [{Effect: Allow, Action: "secretsmanager:GetSecretValue", Resource: "{{secret:url}}"}]}
  clusters: {main: {}}
  task_definitions:
    web:
    - {containers: {web: {secrets: {DATABASE_URL: "{{secret-partial:url}}:url::"}, mounts: {data: /data}}},
       volumes: {data: {efs: fs-0123}}}
    - {execution_role: "{{role:reader}}", containers: {web: {secrets: {DATABASE_URL: "{{secret:url}}"}}}}
    - {execution_role: "", containers: {web: {}}}
  services:
    main/web: {task_definition: "web:1", subnets: [private], security_groups: [app], tags: {"holdfast:workload": shop}}
  queues: {events: {dead_letter: events-dead}}
- name: other
  account: "222222222222"
  region: eu-west-1
  secrets: {far: {string: "{{endpoint:single@shop}} {{account}} {{region}}"}}
""")


@pytest.fixture(scope="module")
def made(emulator):
    return lay_out(SHOP, emulator.endpoint)


def test_databases(emulator, made):
    rds = client("rds", emulator.endpoint, "eu-central-1")
    found = {one["DBInstanceIdentifier"]: one for one in rds.describe_db_instances()["DBInstances"]}
    single = found["single"]
    assert (single["PubliclyAccessible"], single["BackupRetentionPeriod"], single["StorageEncrypted"]) == (True, 1, False)
    assert [group["VpcSecurityGroupId"] for group in single["VpcSecurityGroups"]] == [made["shop"]["security_groups"]["db"]]
    assert len(single["DBSubnetGroup"]["Subnets"]) == 2
    assert single["TagList"][0]["Value"].endswith("Z")
    assert found["replica"]["ReadReplicaSourceDBInstanceIdentifier"] == "single"
    assert found["member"]["DBClusterIdentifier"] == "aurora" and found["member"]["StorageEncrypted"]
    assert rds.describe_db_clusters()["DBClusters"][0]["BackupRetentionPeriod"] == 3


def test_ingress(emulator, made):
    group = made["shop"]["security_groups"]["db"]
    ec2 = client("ec2", emulator.endpoint, "eu-central-1")
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    found = {
        (rule["IpProtocol"], rule["FromPort"], rule["ToPort"],
         rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule["ReferencedGroupInfo"]["GroupId"])
        for rule in rules if not rule["IsEgress"]
    }
    app = made["shop"]["security_groups"]["app"]
    assert found == {("tcp", 5432, 5432, app), ("tcp", 5000, 6000, "0.0.0.0/0"), ("-1", -1, -1, "::/0")}
    assert len(made["shop"]["security_group_rules"]["db"]) == 3


def test_service_runs_the_revision_that_was_asked_for(emulator, made):
    ecs = client("ecs", emulator.endpoint, "eu-central-1")
    service = ecs.describe_services(cluster="main", services=["web"], include=["TAGS"])["services"][0]
    assert service["taskDefinition"] == made["shop"]["task_definitions"]["web:1"]
    assert service["tags"] == [{"key": "holdfast:workload", "value": "shop"}]
    running = ecs.describe_task_definition(taskDefinition="web:1")["taskDefinition"]
    secret = made["shop"]["secrets"]["url"]
    assert running["containerDefinitions"][0]["secrets"][0]["valueFrom"] == secret[:-7] + ":url::"
    assert running["volumes"][0]["efsVolumeConfiguration"]["fileSystemId"] == "fs-0123"


def test_parameters(emulator, made):
    ssm = client("ssm", emulator.endpoint, "eu-central-1")
    secure = ssm.get_parameter(Name="/shop/url", WithDecryption=True)["Parameter"]
    assert secure["Value"] == f"postgres://app:pw@{made['shop']['endpoints']['single'].split(':')[0]}/app"
    assert (secure["Type"], secure["ARN"]) == ("SecureString", made["shop"]["parameters"]["/shop/url"])
    assert ssm.get_parameter(Name="plain")["Parameter"]["Value"] == '{"a": 1}'


def test_roles(emulator, made):
    iam = client("iam", emulator.endpoint, "eu-central-1")
    reader = made["shop"]["roles"]["reader"]
    statements = iam.get_role_policy(RoleName="reader", PolicyName="inline")["PolicyDocument"]["Statement"]
    assert [one["Resource"] for one in statements] == [made["shop"]["secrets"]["url"]]
    # Those that task definitions have by default are there too, with a right to read.
    iam.get_role(RoleName="ecs-task")
    statements = iam.get_role_policy(RoleName="ecs-execution", PolicyName="inline")["PolicyDocument"]["Statement"]
    assert "secretsmanager:GetSecretValue" in statements[0]["Action"]
    ecs = client("ecs", emulator.endpoint, "eu-central-1")

    def role(revision):
        return ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"].get("executionRoleArn")

    assert role("web:1") == made["shop"]["roles"]["ecs-execution"]
    assert role("web:2") == reader
    assert not role("web:3")


def test_secrets_know_their_database_and_accounts_are_apart(emulator, made):
    value = client("secretsmanager", emulator.endpoint, "eu-central-1").get_secret_value(SecretId="url")["SecretString"]
    assert value == f"postgres://app:pw@{made['shop']['endpoints']['single']}/app"
    assert made["other"]["secrets"]["far"].split(":")[3:5] == ["eu-west-1", "222222222222"]


@pytest.mark.parametrize("scope, message", [
    ({"secrets": {"a": {"text": "x"}}}, "secrets.a: secrets.a: unknown text; known are"),
    ({"secrets": {"a": {"string": "{{endpoint:none}}"}}}, "has no endpoints 'none'"),
    ({"databases": {}}, "unknown databases"),
    ({"services": {"web": {}}}, "write its name as cluster/service"),
])
def test_says_what_is_wrong_with_a_world(emulator, scope, message):
    with pytest.raises(WorldError, match=message):
        lay_out({"scopes": [{"name": "bad", **scope}]}, emulator.endpoint)


def test_the_demo_can_be_laid_out(emulator):
    command = [sys.executable, EMULATORS / "lay_out.py", "--endpoint", emulator.endpoint]
    done = subprocess.run([*command, "--world", EMULATORS.parent / "demo/world.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
