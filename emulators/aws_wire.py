"""What an AWS request on the wire asks for, and how each AWS protocol says no."""

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote
from xml.sax.saxutils import escape

_CREDENTIAL = re.compile(rb"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_ACTION = re.compile(rb"(?:^|[&?])Action=([A-Za-z0-9]+)")
_PAGED = re.compile(rb"(?:^|&)(?:MaxResults=|NextToken=|Filter\.)")
_RPC_PATH = re.compile(rb"/operation/([A-Za-z0-9]+)$")
_ROLE_ARN = re.compile(rb"(?:^|&)RoleArn=arn%3Aaws[a-z-]*%3Aiam%3A%3A(\d{12})%3A")
_ACCESS_KEY = re.compile(rb"<AccessKeyId>([^<]+)</AccessKeyId>")
_EXPIRATION = re.compile(rb"<Expiration>[^<]*</Expiration>")
_DB_INSTANCE = re.compile(rb"(?:^|&)DBInstanceIdentifier=([^&]+)")

# The tagging API signs as `tagging`; its IAM actions start with `tag`.
_IAM_PREFIX = {"tagging": "tag", "monitoring": "cloudwatch"}


@dataclass(slots=True)
class Call:
    service: str
    operation: str
    region: str
    access_key: str
    protocol: str  # json | query | ec2 | rest
    paged: bool
    resource: str | None

    @property
    def name(self):
        return f"{self.service}:{self.operation}"

    @property
    def iam_action(self):
        return f"{_IAM_PREFIX.get(self.service, self.service)}:{self.operation}"


def identify(method, target, headers, body):
    """`headers`: lower-case names to values, all bytes."""
    signed = _CREDENTIAL.search(headers.get(b"authorization", b""))
    access_key, region, service = (part.decode() for part in signed.groups()) if signed else ("", "", "unsigned")
    amz_target = headers.get(b"x-amz-target")
    if amz_target:
        return Call(service, amz_target.rsplit(b".", 1)[-1].decode(), region, access_key, "json", True, None)
    action = _ACTION.search(body) or _ACTION.search(target)
    if action:
        paged = service != "ec2" or _PAGED.search(body) is not None
        database = _DB_INSTANCE.search(body) if service == "rds" else None
        resource = unquote(database[1].decode()) if database else None
        protocol = "ec2" if service == "ec2" else "query"
        return Call(service, action[1].decode(), region, access_key, protocol, paged, resource)
    path = target.split(b"?", 1)[0]
    rpc = _RPC_PATH.search(path)
    operation = rpc[1].decode() if rpc else f"{method.decode()} {path.decode(errors='replace')}"
    return Call(service, operation, region, access_key, "rest", True, None)


def assumed_session(request_body, response_body):
    """The access key that an AssumeRole call gave out and the account it acts in, or None."""
    role, key = _ROLE_ARN.search(request_body), _ACCESS_KEY.search(response_body)
    return (key[1].decode(), role[1].decode()) if role and key else None


def with_expiration(response_body, ends):
    """An answer to AssumeRole whose credentials end at `ends` (Unix time)."""
    at = datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    return _EXPIRATION.sub(b"<Expiration>" + at + b"</Expiration>", response_body)


def expired(call):
    message = "The security token included in the request is expired"
    if call.protocol == "ec2":
        return error(call, 400, "RequestExpired", message)
    if call.protocol == "query":
        return error(call, 403, "ExpiredToken", message)
    return error(call, 400, "ExpiredTokenException", message)


def throttled(call):
    if call.service == "ec2":
        return error(call, 503, "RequestLimitExceeded", "Request limit exceeded.")
    if call.service == "tagging":
        return error(call, 400, "ThrottledException", "Rate exceeded")
    return error(call, 400, "Throttling" if call.protocol == "query" else "ThrottlingException", "Rate exceeded")


def denied(call, account):
    principal = f"arn:aws:sts::{account if account.isdigit() else '123456789012'}:assumed-role/holdfast/holdfast"
    why = (
        f"User: {principal} is not authorized to perform: {call.iam_action}"
        f" because no identity-based policy allows the {call.iam_action} action"
    )
    if call.protocol == "ec2":
        return error(call, 403, "UnauthorizedOperation", f"You are not authorized to perform this operation. {why}")
    if call.protocol == "query":
        return error(call, 403, "AccessDenied", why)
    return error(call, 400, "AccessDeniedException", why)


def error(call, status, code, message):
    """(status, content type, extra header lines, body)"""
    request_id = str(uuid.uuid4())
    extra = f"x-amzn-requestid: {request_id}\r\n".encode()
    if call.protocol == "json":
        body = json.dumps({"__type": code, "message": message, "Message": message})
        return status, b"application/x-amz-json-1.1", extra, body.encode()
    if call.protocol == "rest":
        extra += f"x-amzn-errortype: {code}\r\n".encode()
        return status, b"application/json", extra, json.dumps({"message": message}).encode()
    reason = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if call.protocol == "ec2":
        body = f"<Response><Errors><Error>{reason}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type>{reason}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return status, b"text/xml;charset=UTF-8", extra, b'<?xml version="1.0" encoding="UTF-8"?>\n' + body.encode()
