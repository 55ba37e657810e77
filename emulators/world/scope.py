"""One account and region of a world: its AWS clients, what was made in it so far, and placeholders."""

import os
import re
import threading
from datetime import datetime, timedelta, timezone

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_NOW = re.compile(r"now(?:([+-])(\d+)([smhd]))?$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

# Creating is not idempotent: a repeated call would hide its first, half-done attempt behind "already exists". Only a call
# that lost a race is sent again, see _seconds_until_retry.
_CONFIG = Config(
    retries={"total_max_attempts": 1},
    max_pool_connections=64,
    connect_timeout=10,
    read_timeout=120,
    tcp_keepalive=True,
)
# What AWS's APIs look like, read from botocore's files once for all sessions.
_MODELS = botocore.loaders.create_loader()

# ministack runs each ECS call in a thread of its own. With thousands of services one may iterate over what another adds
# to, and then answers 500 with this in its message.
_LOST_RACE = "changed size during iteration"
_ATTEMPTS = 6


def _seconds_until_retry(response, attempts, **_):
    """For botocore: how long to wait before the call is sent again; None: it is not."""
    lost = response is not None and _LOST_RACE in response[1].get("Error", {}).get("Message", "")
    return 0.02 * 2**attempts if lost and attempts < _ATTEMPTS else None


def was_retried(error):
    """Whether botocore's `error` answers a call that was sent before, which may have done its work."""
    return error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0


def forget_aws_settings():
    """Drops the user's own AWS settings from this process: a profile, a region or an endpoint of theirs must neither
    change what is done here nor make it fail."""
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[variable]
    os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)


def session(access_key, secret_key, token, region):
    """A session of boto3."""
    core = botocore.session.Session()
    core.register_component("data_loader", _MODELS)
    return boto3.Session(access_key, secret_key, token, region_name=region, botocore_session=core)


class WorldError(Exception):
    """The world cannot be laid out as declared; the message names the part."""


class Scope:
    """The parts of one account and region, made so far: kind → name → id, ARN or URL."""

    KINDS = (
        "vpcs", "subnets", "route_tables", "prefix_lists", "security_groups", "security_group_rules",
        "db_parameter_groups", "db_subnet_groups", "db_clusters", "db_instances", "endpoints", "keys", "secrets",
        "parameters", "roles", "clusters", "task_definitions", "services", "tasks", "queues",
    )

    def __init__(self, declared, endpoint, access_key, role, lock):
        self.declared = declared
        self.region = declared.get("region", "us-east-1")
        self.role = declared.get("role", role)
        self.made = {kind: {} for kind in self.KINDS}
        self._endpoint = endpoint
        self._clients = {}
        self._lock = lock
        self._key = access_key
        self._session = self._log_in(declared.get("account"))
        self.account = self.client("sts").get_caller_identity()["Account"]
        self.name = declared.get("name", f"{self.account}/{self.region}")

    def _log_in(self, account):
        own = session(self._key, "secret", None, self.region)
        if account is None:
            return own
        sts = own.client("sts", endpoint_url=self._endpoint, config=_CONFIG)
        arn = f"arn:aws:iam::{account}:role/{self.role}"
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="lay-out")["Credentials"]
        return session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], self.region)

    def client(self, service):
        # Clients may be used by many threads at once, but not made so.
        with self._lock:
            if service not in self._clients:
                client = self._session.client(service, endpoint_url=self._endpoint, config=_CONFIG)
                client.meta.events.register_first("needs-retry", _seconds_until_retry)
                self._clients[service] = client
            return self._clients[service]

    def get(self, kind, name):
        try:
            return self.made[kind][name]
        except KeyError:
            known = ", ".join(sorted(self.made[kind])[:8]) or "none"
            raise WorldError(f"{self.name} has no {kind} {name!r}; it has: {known}") from None

    def put(self, kind, name, value):
        self.made[kind][name] = value


class World:
    """All scopes, and what needs to look across them."""

    def __init__(self, declared, endpoint, access_key):
        scopes = declared.get("scopes")
        if not isinstance(scopes, list) or not scopes:
            raise WorldError("a world is {scopes: [...]}, with at least one scope")
        lock = threading.Lock()
        role = declared.get("role", "holdfast")
        self.scopes = [Scope(scope, endpoint, access_key, role, lock) for scope in scopes]
        self._by_name = {scope.name: scope for scope in self.scopes}
        if len(self._by_name) != len(self.scopes):
            raise WorldError("two scopes have the same name (default: account/region); give them names of their own")
        self._started = datetime.now(timezone.utc)
        self._claimed = set()

    def claim(self, *what):
        """True for the first who asks: for what an account has once, whatever its regions."""
        first = what not in self._claimed
        self._claimed.add(what)
        return first

    def scope(self, name):
        if name not in self._by_name:
            raise WorldError(f"no scope {name!r}; there are: {', '.join(self._by_name)}")
        return self._by_name[name]

    def resolve(self, value, scope):
        """Fills in the placeholders of every string in `value`."""
        if isinstance(value, str):
            return _PLACEHOLDER.sub(lambda match: self._placeholder(match[1], scope), value)
        if isinstance(value, list):
            return [self.resolve(item, scope) for item in value]
        if isinstance(value, dict):
            return {self.resolve(key, scope): self.resolve(item, scope) for key, item in value.items()}
        return value

    def _placeholder(self, text, scope):
        now = _NOW.match(text)
        if now:
            shift = timedelta()
            if now[1]:
                shift = timedelta(**{_UNITS[now[3]]: int(now[1] + now[2])})
            return (self._started + shift).strftime("%Y-%m-%dT%H:%M:%SZ")
        if text in ("account", "region"):
            return getattr(scope, text)
        kind, _, name = text.partition(":")
        name, _, elsewhere = name.partition("@")
        if elsewhere:
            scope = self.scope(elsewhere)
        if kind in ("endpoint", "port"):
            host, _, port = scope.get("endpoints", name).rpartition(":")
            return host if kind == "endpoint" else port
        if kind == "secret":
            return scope.get("secrets", name)
        if kind == "secret-partial":  # the ARN as people write it by hand: without the random suffix
            return re.sub(r"-[A-Za-z0-9]{6}$", "", scope.get("secrets", name))
        kinds = {"key": "keys", "role": "roles", "sg": "security_groups", "subnet": "subnets", "vpc": "vpcs", "queue": "queues"}
        if kind in kinds:
            return scope.get(kinds[kind], name)
        raise WorldError(f"unknown placeholder {{{{{text}}}}}; see lay_out.py for those there are")


def tag_list(tags, key="Key", value="Value"):
    """AWS's list of tags; the letter case of its keys differs by service."""
    return [{key: str(name), value: str(content)} for name, content in (tags or {}).items()]


def known_keys(spec, allowed, what):
    unknown = set(spec) - set(allowed)
    if unknown:
        raise WorldError(f"{what}: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(allowed))}")
