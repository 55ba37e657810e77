"""deploy/ for more than one account: the role in each of them, and how events come from other accounts and regions."""

import json

from sample_events import SAMPLES
from stack import REGION_EVENTS, TEMPLATE, rules_of_template, template, workload_statements


def test_other_regions_forward_what_the_own_one_sends():
    def patterns(path):
        resources = template(path)["Resources"].items()
        rules = {name: r["Properties"] for name, r in resources if r["Type"] == "AWS::Events::Rule"}
        return {
            name: (p["Description"], p["EventPattern"]) for name, p in rules.items() if "EventBusName" not in p
        }

    assert patterns(REGION_EVENTS) == patterns(TEMPLATE)
    forwarded = template()["Resources"]["ForwardedEvents"]["Properties"]["EventPattern"]
    sources = {source for _, pattern in patterns(TEMPLATE).values() for source in pattern["source"]}
    assert (set(forwarded), set(forwarded["source"])) == ({"source"}, sources)


def test_central_bus_hears_the_organization_alone(enforcing, auditing):
    assert "CentralBus" not in enforcing.resources
    events = auditing.aws.client("events")
    bus = events.describe_event_bus(Name=auditing.name)
    assert bus["Arn"] == auditing.outputs["CentralBusArn"]
    # Neither emulator keeps the policy of a stack's bus.
    (statement,) = template()["Resources"]["CentralBus"]["Properties"]["Policy"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "events:PutEvents")
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "OrganizationId"}}


def test_events_of_elsewhere_take_the_central_bus(forwarding, auditing):
    events = forwarding.aws.client("events")
    role = forwarding.outputs["ForwardRoleArn"]
    for rule in rules_of_template():
        (to,) = events.list_targets_by_rule(Rule=forwarding.resources[rule])["Targets"]
        assert (to["Arn"], to["RoleArn"]) == (auditing.outputs["CentralBusArn"], role)
    (statement,) = forwarding.policies("ForwardRole")["forward"]
    assert (statement["Action"], statement["Resource"]) == ("events:PutEvents", auditing.outputs["CentralBusArn"])


def test_forwarded_events_reach_the_queue(forwarding, auditing):
    """Both hops where the emulator lets a service's event in; else the second, by what the bus would take."""
    _, sample = next((rule, sample) for rule, sample in SAMPLES.values() if rule == "RdsEvents")
    events = auditing.aws.client("events")
    if auditing.aws.name == "ministack":  # row "PutEvents with source aws.*: rejected, as AWS does"
        rule = events.describe_rule(Name=auditing.resources["ForwardedEvents"].split("|")[-1], EventBusName=auditing.name)
        matched = events.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(sample))
        assert matched["Result"]
        return
    sqs, queue = auditing.aws.client("sqs"), auditing.outputs["QueueUrl"]
    entry = {"Source": sample["source"], "DetailType": sample["detail-type"], "Detail": json.dumps(sample["detail"])}
    events.put_events(Entries=[{**entry, "EventBusName": auditing.outputs["CentralBusArn"]}])
    (message,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=0)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert json.loads(message["Body"])["detail"] == sample["detail"]


def test_only_the_operator_may_assume_the_role(target):
    role = target.aws.client("iam").get_role(RoleName="holdfast")["Role"]
    assert role["Arn"] == target.outputs["RoleArn"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::123456789012:role/holdfast-TaskRole-1A2B3C"}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "fleet-7"}}


def test_target_role_may_do_what_the_operator_may_at_home(target, enforcing):
    def comparable(stack, role):
        statements = workload_statements(stack, role)
        return sorted((s for s in statements if s["Sid"] != "RolesOfWorkloads"), key=lambda s: s["Sid"])

    assert comparable(target, "TargetRole") == comparable(enforcing, "TaskRole")
    (passed,) = [s for s in workload_statements(target, "TargetRole") if s["Sid"] == "RolesOfWorkloads"]
    assert len(passed["Resource"]) == 2
    assert set(target.policies("TargetRole")) == {"read", "secret-values", "correct"}
