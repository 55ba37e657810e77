"""A small world on an emulator for which the operator has findings, corrections and events to tell of."""

import json
import time
from datetime import datetime, timezone

WORKLOAD = "coder"
PASSWORD = "n0t-a-real-one"
# Known to run a PostgreSQL of its own where it is given no URL.
IMAGE = "ghcr.io/coder/coder:v2.20.0"


def tagged(workload):
    return [{"Key": "holdfast:workload", "Value": workload}]


def ecs_tags(workload):
    return [{"key": "holdfast:workload", "value": workload}]


def policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class World:
    """Workload `coder`: right but for its database, which is public, open to the world and keeps one day of backups;
    each of those can be corrected, since the service reaches the database privately. Workload `bare`: a service that
    keeps its data in the container, and a database without backups; for want of a secret, and since backups cost a
    restart, only a person can correct these."""

    def __init__(self, aws):
        self.aws = aws
        self.ec2, self.rds, self.ecs = aws.client("ec2"), aws.client("rds"), aws.client("ecs")
        self.sqs = aws.client("sqs")
        self.queue = self.sqs.create_queue(QueueName="holdfast-events")["QueueUrl"]
        self.network()
        self.database = "coder-postgres"
        self.rds.create_db_subnet_group(
            DBSubnetGroupName="private", DBSubnetGroupDescription="private", SubnetIds=self.subnets
        )
        self.create_database(WORKLOAD, self.database_group, public=True, retention=1)
        self.create_database("bare", self.group("bare-database", "bare"), public=False, retention=0)
        self.ecs.create_cluster(clusterName="shared")
        secret = self.secret()
        self.execution_role = self.role(secret)
        self.service(WORKLOAD, self.service_group, [{"name": "CODER_PG_CONNECTION_URL", "valueFrom": secret}])
        self.service("bare", self.group("bare-service", "bare"), [])

    def network(self):
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{i}.0/24")["Subnet"]["SubnetId"] for i in range(2)
        ]
        self.service_group = self.group("coder-service", WORKLOAD)
        self.database_group = self.group("coder-database", WORKLOAD)
        port = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
        self.ec2.authorize_security_group_ingress(
            GroupId=self.database_group,
            IpPermissions=[
                {**port, "UserIdGroupPairs": [{"GroupId": self.service_group}]},
                {**port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            ],
        )

    def group(self, name, workload):
        group = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]
        self.ec2.create_tags(Resources=[group], Tags=tagged(workload))
        return group

    def create_database(self, workload, group, public, retention):
        self.rds.create_db_instance(
            DBInstanceIdentifier=f"{workload}-postgres",
            Engine="postgres",
            EngineVersion="17.4",
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=20,
            MasterUsername="postgres",
            MasterUserPassword=PASSWORD,
            DBName=workload,
            DBSubnetGroupName="private",
            VpcSecurityGroupIds=[group],
            PubliclyAccessible=public,
            BackupRetentionPeriod=retention,
            StorageEncrypted=True,
            Tags=tagged(workload),
        )

    def described_database(self):
        return self.rds.describe_db_instances(DBInstanceIdentifier=self.database)["DBInstances"][0]

    def secret(self):
        endpoint = self.described_database()["Endpoint"]
        url = f"postgres://coder:{PASSWORD}@{endpoint['Address']}:{endpoint['Port']}/coder?sslmode=require"
        secrets = self.aws.client("secretsmanager")
        created = secrets.create_secret(Name="coder-url", SecretString=url, Tags=tagged(WORKLOAD))
        return created["ARN"]

    def role(self, secret):
        """Which ECS assumes to give the containers their secret."""
        iam = self.aws.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        read = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
        role = iam.create_role(RoleName="execution", AssumeRolePolicyDocument=policy(trust))["Role"]
        iam.put_role_policy(RoleName="execution", PolicyName="secret", PolicyDocument=policy(read))
        return role["Arn"]

    def service(self, workload, group, secrets, image=IMAGE):
        definition = self.ecs.register_task_definition(
            family=workload,
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn=self.execution_role,
            containerDefinitions=[{"name": workload, "image": image, "essential": True, "secrets": secrets}],
            tags=ecs_tags(workload),
        )["taskDefinition"]["taskDefinitionArn"]
        self.ecs.create_service(
            cluster="shared",
            serviceName=f"{workload}-service",
            taskDefinition=definition,
            desiredCount=1,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets, "securityGroups": [group]}},
            tags=ecs_tags(workload),
        )

    def open_database(self):
        """As someone's Terraform would, after the operator closed it."""
        self.rds.modify_db_instance(
            DBInstanceIdentifier=self.database, PubliclyAccessible=True, ApplyImmediately=True
        )

    def tell_of_database(self):
        arn = self.described_database()["DBInstanceArn"]
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "version": "0",
            "id": f"{time.monotonic_ns():032x}",
            "detail-type": "RDS DB Instance Event",
            "source": "aws.rds",
            "account": "123456789012",
            "time": now,
            "region": "us-east-1",
            "resources": [arn],
            "detail": {
                "EventCategories": ["configuration change"],
                "SourceType": "DB_INSTANCE",
                "SourceArn": arn,
                "Date": now,
                "Message": "Finished applying modification",
                "SourceIdentifier": self.database,
                "EventID": "RDS-EVENT-0014",
            },
        }
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(event))

    def send_nonsense(self):
        self.sqs.send_message(QueueUrl=self.queue, MessageBody="neither JSON nor an event")
