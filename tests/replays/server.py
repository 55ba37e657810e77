#!/usr/bin/env python3
"""Answers AWS calls on the wire from recorded responses, as AWS would have written them.

    tests/replays/server.py tests/replays/recordings/NAME [--port N] [--tag holdfast:workload=replay]

A recording is a directory; README.md beside this file says what is in one. A recorded response is what an SDK made of
AWS's answer (placebo's files, the examples of the AWS CLI); here it is put back into the protocol that the service speaks:
XML for RDS and EC2, JSON for the others. Whatever carries a list of tags of its own gets `--tag` too, so that Holdfast
looks at it.

What was not recorded is derived from what was, where AWS would answer from the same facts: who asks, tagged services,
rules of security groups, the cluster of a service. Every other list is empty, and a thing that was not recorded does not
exist. Standard library only. From Python: `with Replay(directory) as replay: ... replay.endpoint`.
"""

import argparse
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import wire

WORKLOAD = ("holdfast:workload", "replay")

# Not a secret of anyone: what stands in for values, which no recording holds.
VALUE = "postgres://replay:not-a-password@replay.invalid:5432/replay?sslmode=require"

# Where each response keeps what can carry a workload's tag: (its list, the list of tags in it, lower-case keys?).
TAGGED = {
    "rds.DescribeDBInstances": ("DBInstances", "TagList", False),
    "rds.DescribeDBClusters": ("DBClusters", "TagList", False),
    "ec2.DescribeSecurityGroups": ("SecurityGroups", "Tags", False),
    "ecs.DescribeServices": ("services", "tags", True),
    "secretsmanager.ListSecrets": ("SecretList", "Tags", False),
}
# The token that asks for the next page, by service; RDS calls it the same in request and response, and so do the rest.
TOKENS = {"rds": "Marker", "ecs": "nextToken", "tagging": "PaginationToken"}


class NotFound(Exception):
    """AWS's error for a thing that does not exist: (HTTP status, code)."""


class Recording:
    """The responses of one directory, plain values, each with the tag put in."""

    def __init__(self, directory, tag=WORKLOAD):
        self.directory = Path(directory)
        self.about = json.loads((self.directory / "about.json").read_text())
        self.account, self.region = self.about["account"], self.about["region"]
        self.pages = {}
        for path in sorted(self.directory.glob("*.*_*.json"), key=_page_number):
            call = path.name.rsplit("_", 1)[0]
            recorded = json.loads(path.read_text())
            data = wire.plain(recorded["data"])
            data.pop("ResponseMetadata", None)
            if call in TAGGED:
                _put_tag(data, TAGGED[call], tag)
            self.pages.setdefault(call, []).append(data)

    def items(self, call):
        """What all pages of a list hold; nothing if there is no recording of it."""
        name = TAGGED[call][0] if call in TAGGED else None
        return [item for page in self.pages.get(call, []) for item in page[name]]

    def answer(self, service, operation, request):
        """The response, a plain value. `request`: flat for the query protocols, nested for JSON."""
        call = f"{service}.{operation}"
        derive = _DERIVED.get(call)
        if derive:
            return derive(self, request)
        if call in self.pages:
            return self._page(call, service, request)
        return {}

    def _page(self, call, service, request):
        pages = self.pages[call]
        token = TOKENS.get(service, "NextToken")
        asked = re.fullmatch(r"page-(\d+)", str(request.get(token, "page-0")))
        number = int(asked[1]) if asked else 0
        page = {key: value for key, value in pages[number].items() if key != token}
        if number + 1 < len(pages):
            page[token] = f"page-{number + 1}"
        return page


def _page_number(path):
    return path.name.rsplit("_", 1)[0], int(re.search(r"_(\d+)\.json$", path.name)[1])


def _put_tag(data, where, tag):
    items, tags, lower = where
    key, value = ("key", "value") if lower else ("Key", "Value")
    for item in data[items]:
        item.setdefault(tags, [])
        item[tags] = [t for t in item[tags] if t[key] != tag[0]] + [{key: tag[0], value: tag[1]}]


# ---- what follows from what was recorded ----


def _caller(recording, _request):
    arn = f"arn:aws:sts::{recording.account}:assumed-role/holdfast/replay"
    return {"UserId": "AROAREPLAY:replay", "Account": recording.account, "Arn": arn}


def _regions(recording, _request):
    name = recording.region
    return {"Regions": [{"RegionName": name, "Endpoint": f"ec2.{name}.amazonaws.com", "OptInStatus": "opt-in-not-required"}]}


def _tagged_resources(recording, request):
    if "tagging.GetResources" in recording.pages:
        return recording._page("tagging.GetResources", "tagging", request)
    found = []
    if "ecs:service" in request.get("ResourceTypeFilters", ["ecs:service"]):
        for service in recording.items("ecs.DescribeServices"):
            tags = [{"Key": t["key"], "Value": t["value"]} for t in service["tags"]]
            found.append({"ResourceARN": service["serviceArn"], "Tags": tags})
    return {"PaginationToken": "", "ResourceTagMappingList": found}


def _cluster_name(service):
    return service.get("clusterArn", "default").rsplit("/", 1)[-1]


def _clusters(recording, _request):
    clusters = {s["clusterArn"] for s in recording.items("ecs.DescribeServices")}
    return {"clusterArns": sorted(clusters)}


def _services_of(recording, request):
    cluster = request.get("cluster", "default").rsplit("/", 1)[-1]
    return [s for s in recording.items("ecs.DescribeServices") if _cluster_name(s) == cluster]


def _list_services(recording, request):
    return {"serviceArns": [s["serviceArn"] for s in _services_of(recording, request)]}


def _describe_services(recording, request):
    of_cluster = _services_of(recording, request)
    asked = request.get("services", [])
    found = [s for s in of_cluster if s["serviceArn"] in asked or s["serviceName"] in asked]
    known = {name for s in found for name in (s["serviceArn"], s["serviceName"])}
    missing = [{"arn": name, "reason": "MISSING"} for name in asked if name not in known]
    return {"services": found, "failures": missing}


def _task_definition(recording, request):
    asked = request["taskDefinition"].rsplit("/", 1)[-1]
    for page in recording.pages.get("ecs.DescribeTaskDefinition", []):
        if page["taskDefinition"]["taskDefinitionArn"].rsplit("/", 1)[-1] == asked:
            return page
    raise NotFound(400, "ClientException", f"Unable to describe task definition {asked}.")


def _subnets(recording, request):
    """Those that subnet groups name; nothing else is known of them."""
    if "ec2.DescribeSubnets" in recording.pages:
        return recording._page("ec2.DescribeSubnets", "ec2", request)
    found = {}
    for instance in recording.items("rds.DescribeDBInstances"):
        group = instance.get("DBSubnetGroup", {})
        for subnet in group.get("Subnets", []):
            found[subnet["SubnetIdentifier"]] = {
                "SubnetId": subnet["SubnetIdentifier"], "VpcId": group["VpcId"], "State": "available",
                "AvailabilityZone": subnet["SubnetAvailabilityZone"]["Name"],
            }
    return {"Subnets": list(found.values())}


def _security_group_rules(recording, request):
    if "ec2.DescribeSecurityGroupRules" in recording.pages:
        return recording._page("ec2.DescribeSecurityGroupRules", "ec2", request)
    rules = []
    for group in recording.items("ec2.DescribeSecurityGroups"):
        rules += _rules_of(group)
    return {"SecurityGroupRules": rules}


def _rules_of(group):
    """One rule a source, as AWS has listed them since 2021; older recordings know permissions only."""
    found = []
    for direction, permissions in (("in", "IpPermissions"), ("out", "IpPermissionsEgress")):
        for permission in group.get(permissions, []):
            sources = [{"CidrIpv4": r["CidrIp"]} for r in permission.get("IpRanges", [])]
            sources += [{"CidrIpv6": r["CidrIpv6"]} for r in permission.get("Ipv6Ranges", [])]
            sources += [{"PrefixListId": p["PrefixListId"]} for p in permission.get("PrefixListIds", [])]
            for pair in permission.get("UserIdGroupPairs", []):
                kept = ("GroupId", "UserId", "VpcId", "VpcPeeringConnectionId", "PeeringStatus")
                sources.append({"ReferencedGroupInfo": {k: pair[k] for k in kept if k in pair}})
            for source in sources:
                found.append({
                    "SecurityGroupRuleId": f"sgr-{group['GroupId'][3:]}{direction}{len(found):02d}",
                    "GroupId": group["GroupId"],
                    "GroupOwnerId": group["OwnerId"],
                    "IsEgress": direction == "out",
                    "IpProtocol": permission["IpProtocol"],
                    "FromPort": permission.get("FromPort", -1),
                    "ToPort": permission.get("ToPort", -1),
                    "Tags": [],
                    **source,
                })
    return found


def _secret(recording, asked):
    for secret in recording.items("secretsmanager.ListSecrets"):
        if asked in (secret["ARN"], secret["Name"], secret["ARN"][:-7]):
            return secret
    raise NotFound(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")


def _describe_secret(recording, request):
    for page in recording.pages.get("secretsmanager.DescribeSecret", []):
        if request["SecretId"] in (page["ARN"], page["Name"]):
            return page
    listed = dict(_secret(recording, request["SecretId"]))
    listed["VersionIdsToStages"] = listed.pop("SecretVersionsToStages", {})
    return listed


def _secret_versions(recording, request):
    """Of a version that was not recorded, a list of secrets tells the stages, and no date."""
    for page in recording.pages.get("secretsmanager.ListSecretVersionIds", []):
        if request["SecretId"] in (page["ARN"], page["Name"]):
            return page
    secret = _secret(recording, request["SecretId"])
    stages = secret.get("SecretVersionsToStages", {})
    versions = [{"VersionId": version, "VersionStages": of} for version, of in stages.items()]
    return {"ARN": secret["ARN"], "Name": secret["Name"], "Versions": versions}


def _secret_value(recording, request):
    secret = _secret(recording, request["SecretId"])
    return {"ARN": secret["ARN"], "Name": secret["Name"], "SecretString": VALUE, "VersionStages": ["AWSCURRENT"]}


def _secret_values(recording, request):
    values = [_secret_value(recording, {"SecretId": asked}) for asked in request.get("SecretIdList", [])]
    return {"SecretValues": values, "Errors": []}


def _simulation(_recording, request):
    """As if every policy allowed everything: whom a role may read is not what a recording tells."""
    actions = [value for key, value in request.items() if key.startswith("ActionNames.member.")]
    resources = [value for key, value in request.items() if key.startswith("ResourceArns.member.")] or ["*"]
    results = [
        {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed",
         "MatchedStatements": [], "MissingContextValues": []}
        for action in actions for resource in resources
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


_DERIVED = {
    "sts.GetCallerIdentity": _caller,
    "ec2.DescribeRegions": _regions,
    "tagging.GetResources": _tagged_resources,
    "ecs.ListClusters": _clusters,
    "ecs.ListServices": _list_services,
    "ecs.DescribeServices": _describe_services,
    "ecs.DescribeTaskDefinition": _task_definition,
    "ec2.DescribeSubnets": _subnets,
    "ec2.DescribeSecurityGroupRules": _security_group_rules,
    "secretsmanager.DescribeSecret": _describe_secret,
    "secretsmanager.ListSecretVersionIds": _secret_versions,
    "secretsmanager.GetSecretValue": _secret_value,
    "secretsmanager.BatchGetSecretValue": _secret_values,
    "iam.SimulatePrincipalPolicy": _simulation,
}


# ---- the server ----

_SIGNED_FOR = re.compile(r"Credential=[^/,\s]+/\d{8}/([^/]+)/([^/]+)/aws4_request")
_RPC = re.compile(r"/service/[A-Za-z0-9]+/operation/([A-Za-z0-9]+)$")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        signed = _SIGNED_FOR.search(self.headers.get("authorization", ""))
        service = signed[2] if signed else "unsigned"
        target = self.headers.get("x-amz-target")
        rpc = _RPC.search(self.path)
        if target:
            operation, request, protocol = target.rsplit(".", 1)[-1], json.loads(body or b"{}"), "json"
        elif rpc:  # RPCv2 CBOR (CloudWatch): nothing of it was ever recorded here
            operation, request, protocol = rpc[1], {}, "cbor"
        else:
            request = dict(parse_qsl(body.decode(), keep_blank_values=True))
            operation, protocol = request.get("Action", "?"), "ec2" if service == "ec2" else "query"
        replay = self.server.replay
        replay.calls.append(f"{service}.{operation}")
        try:
            answer = replay.recording.answer(service, operation, request)
            status, content = 200, wire.encode(protocol, operation, answer)
        except NotFound as absent:
            status, code, message = absent.args
            content = wire.error(protocol, code, message)
        except Exception as broken:  # noqa: BLE001: the caller must hear of it, not wait for it
            replay.broken.append(f"{service}.{operation}: {broken!r}")
            status, content = 500, wire.error(protocol, "InternalFailure", repr(broken))
        self.send_response(status)
        self.send_header("content-type", wire.CONTENT_TYPE[protocol])
        if protocol == "cbor":
            self.send_header("smithy-protocol", "rpc-v2-cbor")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Replay:
    """Serves one recording on a free port of loopback until the block ends."""

    def __init__(self, directory, tag=WORKLOAD, port=0):
        self.recording = Recording(directory, tag)
        self.calls = []
        self.broken = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._server.daemon_threads = True
        self._server.replay = self

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self):
        """For a process that finds AWS by the SDK's own chain."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.recording.region,
            "AWS_DEFAULT_REGION": self.recording.region,
            "AWS_ACCESS_KEY_ID": "replay",
            "AWS_SECRET_ACCESS_KEY": "replay",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def serve(self):
        self._server.serve_forever(poll_interval=0.05)

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--tag", default="=".join(WORKLOAD), metavar="KEY=VALUE")
    arguments = parser.parse_args()
    key, _, value = arguments.tag.partition("=")
    replay = Replay(arguments.directory, (key, value), arguments.port)
    print(json.dumps({"endpoint": replay.endpoint, **replay.environment()}), flush=True)
    try:
        replay.serve()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
