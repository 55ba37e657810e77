"""deploy/: its templates, and stacks made of them on an emulator."""

import ast

import yaml

from servers import ROOT, wait_until

TEMPLATE = ROOT / "deploy/holdfast.yaml"
TARGET_ROLE = ROOT / "deploy/target-role.yaml"
REGION_EVENTS = ROOT / "deploy/region-events.yaml"
TEMPLATES = [TEMPLATE, TARGET_ROLE, REGION_EVENTS]


# What an emulator does not keep of a stack. "service loses its network configuration" and "circuit breaker kept:
# dropped" are rows of EMULATORS.md; the others were found here. Each is asserted on the other emulator.
LOSES = {
    "moto": {
        "network configuration",  # row "CloudFormation stack with service, queue, role, rule"
        "deployment configuration",  # row "enableExecuteCommand, circuit breaker kept"
        "Fargate and roles of a task definition",  # registers it for EC2, bridge, without its two roles
        "security group egress",  # keeps the default rule that lets all out
        "queue policy",
        "alarms",
        "AWS::NoValue inside a list",  # leaves null where nothing should be
    },
    "ministack": {
        "numbers among the parameters",  # compares the text of one with a number, and gives up the service
        "nested container settings",  # LinuxParameters, HealthCheck and Secrets come back empty
    },
}


class Stack:
    def __init__(self, aws, name, parameters, path=TEMPLATE):
        self.aws, self.name = aws, name
        self.cloudformation = aws.client("cloudformation")
        self.cloudformation.create_stack(
            StackName=name,
            TemplateBody=self.body(path, parameters),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        )
        status = wait_until(self.finished, f"stack {name} to settle", seconds=60)
        assert status == "CREATE_COMPLETE", self.failures()
        # moto lists the resources it doesn't know without their ids.
        self.resources = {
            r["LogicalResourceId"]: r["PhysicalResourceId"]
            for r in self.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
            if "LogicalResourceId" in r and "PhysicalResourceId" in r
        }
        described = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in described.get("Outputs", [])}

    def body(self, path, parameters):
        text = path.read_text()
        if not self.keeps("numbers among the parameters"):
            text = text.replace("DesiredCount: !Ref DesiredCount", f"DesiredCount: {parameters.get('DesiredCount', 2)}")
        return text

    def finished(self):
        status = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"]
        return None if status.endswith("_IN_PROGRESS") else status

    def failures(self):
        events = self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        return [e for e in events if e["ResourceStatus"].endswith("_FAILED")]

    def keeps(self, what):
        return what not in LOSES[self.aws.name]

    def without_nulls(self, entries):
        if not self.keeps("AWS::NoValue inside a list"):
            entries = [e for e in entries if e is not None]
        assert None not in entries
        return entries

    def container(self):
        definition = self.task_definition()
        assert len(definition["containerDefinitions"]) == 1
        return definition["containerDefinitions"][0]

    def task_definition(self):
        ecs = self.aws.client("ecs")
        return ecs.describe_task_definition(taskDefinition=self.resources["TaskDefinition"])["taskDefinition"]

    def environment(self):
        entries = self.without_nulls(self.container()["environment"])
        return {e["name"]: e["value"] for e in entries}

    def policies(self, role):
        """The role's inline policies by name, as lists of statements."""
        iam = self.aws.client("iam")
        role = self.resources[role]
        found = {}
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            if isinstance(document, str):  # moto answers a stack's policies as Python's repr
                document = ast.literal_eval(document)
            found[name] = self.without_nulls(document["Statement"])
        return found


def network(aws):
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{i}.0/24")["Subnet"]["SubnetId"] for i in range(2)
    ]
    return {"VpcId": vpc, "SubnetIds": ",".join(subnets)}


IMAGE = "registry.example/holdfast@sha256:" + "0" * 64


def rules_of_template():
    """Of the account's default bus."""
    return sorted(
        name
        for name, r in template()["Resources"].items()
        if r["Type"] == "AWS::Events::Rule" and "EventBusName" not in r["Properties"]
    )


def template(path=TEMPLATE):
    class Loader(yaml.SafeLoader):
        """Knows CloudFormation's short forms only as far as to step over them."""

    def opaque(loader, _tag, node):
        construct = {
            yaml.ScalarNode: loader.construct_scalar,
            yaml.SequenceNode: loader.construct_sequence,
            yaml.MappingNode: loader.construct_mapping,
        }[type(node)]
        return construct(node)

    Loader.add_multi_constructor("!", opaque)
    return yaml.load(path.read_text(), Loader)


def workload_statements(stack, role="TaskRole"):
    policies = stack.policies(role)
    return [s for name in ("read", "secret-values", "correct") for s in policies.get(name, [])]


def listed(value):
    return value if isinstance(value, list) else [value]
