"""Plain values back into what AWS sends: XML of the query protocol (RDS, IAM, STS) and of EC2, JSON 1.1, CBOR.

The names of XML elements are AWS's own, from the API references; test_replays.py has botocore read what is written here,
and compares it with what went in, so a wrong name does not go unnoticed.
"""

import json
import re
from datetime import datetime, timezone
from xml.sax.saxutils import escape

CONTENT_TYPE = {
    "json": "application/x-amz-json-1.1",
    "query": "text/xml",
    "ec2": "text/xml;charset=UTF-8",
    "cbor": "application/cbor",
}
_NAMESPACE = {
    "query": "http://rds.amazonaws.com/doc/2014-10-31/",
    "ec2": "http://ec2.amazonaws.com/doc/2016-11-15/",
}
_REQUEST_ID = "00000000-0000-4000-8000-000000000000"

# Query protocol: the element of each item of a list, where it is not `member`.
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Types.html
_ITEM = {
    "DBInstances": "DBInstance",
    "DBClusters": "DBCluster",
    "TagList": "Tag",
    "VpcSecurityGroups": "VpcSecurityGroupMembership",
    "DBSecurityGroups": "DBSecurityGroup",
    "DBParameterGroups": "DBParameterGroup",
    "Subnets": "Subnet",
    "OptionGroupMemberships": "OptionGroupMembership",
    "DBClusterOptionGroupMemberships": "DBClusterOptionGroup",
    "ReadReplicaDBInstanceIdentifiers": "ReadReplicaDBInstanceIdentifier",
    "ReadReplicaDBClusterIdentifiers": "ReadReplicaDBClusterIdentifier",
    "ReadReplicaIdentifiers": "ReadReplicaIdentifier",
    "DomainMemberships": "DomainMembership",
    "StatusInfos": "DBInstanceStatusInfo",
    "DBClusterMembers": "DBClusterMember",
    "AvailabilityZones": "AvailabilityZone",
    "ProcessorFeatures": "ProcessorFeature",
    "Parameters": "Parameter",
    "Certificates": "Certificate",
    "DBInstanceAutomatedBackupsReplications": "DBInstanceAutomatedBackupsReplication",
}
# One name, two kinds: by the list that holds the thing.
_ROLE_OF = {"DBInstances": "DBInstanceRole", "DBClusters": "DBClusterRole"}

# EC2: the element of a field, where it is not the field's name with a small first letter.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Types.html
_EC2 = {
    "SecurityGroups": "securityGroupInfo",
    "SecurityGroupRules": "securityGroupRuleSet",
    "Subnets": "subnetSet",
    "RouteTables": "routeTableSet",
    "Regions": "regionInfo",
    "NetworkInterfaces": "networkInterfaceSet",
    "Tags": "tagSet",
    "UserIdGroupPairs": "groups",
    "Associations": "associationSet",
    "Routes": "routeSet",
    "PropagatingVgws": "propagatingVgwSet",
    "Ipv6CidrBlockAssociationSet": "ipv6CidrBlockAssociationSet",
    "Groups": "groupSet",
    "PrivateIpAddresses": "privateIpAddressesSet",
    "Ipv6Addresses": "ipv6AddressesSet",
    "TagSet": "tagSet",
}


def plain(value):
    """A recorded response with instants as ISO 8601 text, however the recorder wrote them."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("__class__") == "datetime":  # placebo's
        parts = [value[part] for part in ("year", "month", "day", "hour", "minute", "second", "microsecond")]
        return datetime(*parts, tzinfo=timezone.utc).isoformat().replace("+00:00", "Z")
    return {key: plain(item) for key, item in value.items()}


def encode(protocol, operation, answer):
    if protocol == "json":
        return json.dumps(_epochs(answer)).encode()
    if protocol == "cbor":
        return b"\xa0"  # an empty map
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="{_NAMESPACE[protocol]}">'
    if protocol == "ec2":
        body = f"<requestId>{_REQUEST_ID}</requestId>" + _ec2(answer)
    else:
        body = f"<{operation}Result>{_query(answer)}</{operation}Result>"
        body += f"<ResponseMetadata><RequestId>{_REQUEST_ID}</RequestId></ResponseMetadata>"
    return f"{head}{body}</{operation}Response>".encode()


def error(protocol, code, message):
    if protocol == "json":
        return json.dumps({"__type": code, "message": message}).encode()
    if protocol == "cbor":
        return b"\xa0"
    reason = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if protocol == "ec2":
        return f"<Response><Errors><Error>{reason}</Error></Errors><RequestID>{_REQUEST_ID}</RequestID></Response>".encode()
    return (
        f"<ErrorResponse><Error><Type>Sender</Type>{reason}</Error><RequestId>{_REQUEST_ID}</RequestId></ErrorResponse>"
    ).encode()


def _epochs(value, key=""):
    """JSON services send instants as seconds since 1970."""
    if isinstance(value, dict):
        return {k: _epochs(item, k) for k, item in value.items()}
    if isinstance(value, list):
        return [_epochs(item) for item in value]
    if isinstance(value, str) and re.search(r"(At|Date)$", key):
        return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    return value


def _scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(str(value))


def _query(value, within=""):
    out = []
    for key, item in value.items():
        if isinstance(item, list):
            name = _ROLE_OF.get(within, "member") if key == "AssociatedRoles" else _ITEM.get(key, "member")
            inside = "".join(
                f"<{name}>{_query(one, key) if isinstance(one, dict) else _scalar(one)}</{name}>" for one in item
            )
            out.append(f"<{key}>{inside}</{key}>")
        elif isinstance(item, dict):
            out.append(f"<{key}>{_query(item, key)}</{key}>")
        elif item is not None:
            out.append(f"<{key}>{_scalar(item)}</{key}>")
    return "".join(out)


def _ec2(value, within=""):
    out = []
    for key, item in value.items():
        name = _EC2.get(key) or key[0].lower() + key[1:]
        if key == "Description" and within == "SecurityGroups":
            name = "groupDescription"
        if isinstance(item, list):
            inside = "".join(f"<item>{_ec2(one, key) if isinstance(one, dict) else _scalar(one)}</item>" for one in item)
            out.append(f"<{name}>{inside}</{name}>")
        elif isinstance(item, dict):
            out.append(f"<{name}>{_ec2(item, key)}</{name}>")
        elif item is not None:
            out.append(f"<{name}>{_scalar(item)}</{name}>")
    return "".join(out)
