#!/usr/bin/env python3
"""A gateway in front of an emulator that behaves like AWS's front door.

    emulators/gateway.py --upstream http://127.0.0.1:4566 [--port N] [--latency-ms 50] [--enforce]
                         [--deny rds:ModifyDBInstance]... [--throttle ecs:DescribeServices]... [--log FILE]
                         [--record FILE] [--session-seconds N] [--say rds:DescribeDBInstances ID FIELD VALUE]... [--simulate JSON]

--latency-ms  every call waits this long first; calls wait side by side, as on a network
--enforce     AWS's documented rates (aws_limits.py) per account and region; what exceeds them gets the error that
              the service would answer
--deny        service:Operation, service as in the signature (ecs, rds, ec2, secretsmanager, tagging, ...), `*` allowed:
              answers AccessDenied as the service would
--throttle    the same, but answers that the call comes too fast, every time
--say         in the answer of rds:DescribeDBInstances or rds:DescribeDBClusters, FIELD of the database ID says VALUE:
              text, or XML that stands inside of it; an empty VALUE leaves the field out. For what no emulator can show
--answer      service:Operation=JSON: answers so, without asking the emulator (JSON protocols)
--rewrite     service:Operation:path=JSON: sets that field in the emulator's answer; rewrite.py tells how a path is written
--simulate    answers iam:SimulatePrincipalPolicy as AWS does, from this table (JSON; aws_simulator.py says how it is
              written), one resource a page
--session-seconds  what AssumeRole gives out ends so soon, and is refused from then on
--requests    service:Operation, `*` allowed: such calls are logged with their whole body, as `request`
--log         one JSON line for each call: t (arrival, Unix time), ms, service, operation, region, account, status,
              outcome (passed, answered, throttled, denied, expired, failed, cut), resource (RDS calls: the instance)
--record      the calls themselves, as JSON lines, so that bench.py can replay them

Prints {"endpoint": ..., "pid": ...} when it listens; ends with the process that started it.

    GET  /_gateway/stats   {"total", "calls": {"ecs:ListServices": 3}, "throttled": {...}, "denied": {...},
                            "families": {"default/us-east-1 ecs/service-read": {"calls", "burst", "rate",
                            "least_s"}}, "max_in_flight", "first_arrival", "last_arrival"}
    POST /_gateway/reset   counts back to zero, buckets full
    POST /_gateway/set     {"deny": [...], "throttle": [...], "cut": [...], "fail": [...], "hold": [...]}, each a list of
                            service:Operation, `*` allowed: from now on so; what is left out stays. "cut" closes the
                            connection and passes nothing on, "fail" answers 500 and passes nothing on, "hold" passes on and
                            keeps the answer until it is no longer held. Stats count "held" answers; the log has them
                            as soon as the emulator answered

Accounts: the 12-digit access key, or the account whose role the key got by AssumeRole through this gateway, else
"default". Requests and answers pass unchanged but for hop-by-hop headers, framing, and what --say changes.
"""

import argparse
import asyncio
import base64
import fnmatch
import json
import os
import signal
import time
from collections import Counter, deque
from urllib.parse import urlsplit

import httptools
import uvloop

import aws_limits
import aws_replay
import aws_simulator
import aws_wire
from rewrite import Rewrites

PARENT_CHECK = 0.25
# An idle connection older than this may be about to be closed by the emulator, and a call sent into the closing
# would be lost: rather open a new one.
IDLE_CONNECTION = 2.0
_OWN_FRAMING = {b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"expect"}
_REASONS = {200: b"OK", 400: b"Bad Request", 403: b"Forbidden", 404: b"Not Found", 500: b"Internal Server Error"}


def message(first_line, headers, body):
    """One HTTP/1.1 message; `headers` are (name, value) pairs."""
    lines = [first_line]
    lines += [name + b": " + value for name, value in headers if name.lower() not in _OWN_FRAMING]
    lines.append(b"content-length: %d\r\n\r\n" % len(body))
    return b"\r\n".join(lines) + body


def answer(status, content_type, body, extra=b""):
    reason = _REASONS.get(status, b"Answer")
    head = b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\n%s" % (status, reason, content_type, extra)
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def matches(call, patterns):
    return any(fnmatch.fnmatchcase(call.name, pattern) for pattern in patterns)


class Exchange:
    """One call, from its arrival to its answer."""

    __slots__ = ("client", "method", "target", "headers", "body", "call", "account", "arrived", "started")

    def __init__(self, client, method, target, headers, body):
        self.client, self.method, self.target, self.headers, self.body = client, method, target, headers, body
        self.arrived, self.started = time.time(), time.monotonic()
        self.call = self.account = None


class Gateway:
    def __init__(self, options, loop):
        upstream = urlsplit(options.upstream)
        self.host, self.port = upstream.hostname, upstream.port or 80
        self.latency = options.latency_ms / 1000
        self.enforce = options.enforce
        self.deny = options.deny
        self.simulator = aws_simulator.Simulator(options.simulate, page=1) if options.simulate else None
        self.throttle = options.throttle
        self.requests = options.requests
        self.cut, self.hold, self.failing, self.held = [], [], [], []
        self.replay = aws_replay.Replay(options.say)
        self.rewrites = Rewrites(options.rewrite, options.answer)
        self.loop = loop
        # Line-buffered: a reader that follows the file sees each call at once.
        self.log = open(options.log, "w", buffering=1) if options.log else None
        self.record = open(options.record, "w", buffering=1) if options.record else None
        self.sessions = {}
        self.session_seconds, self.session_ends = options.session_seconds, {}
        self.idle = deque()
        self.in_flight = 0
        self.reset()

    def reset(self):
        self.buckets = aws_limits.Buckets()
        self.counts, self.throttles, self.denials, self.families = Counter(), Counter(), Counter(), Counter()
        self.max_in_flight = 0
        self.first = self.last = None

    def stats(self):
        return {
            "total": self.counts.total(),
            "calls": dict(sorted(self.counts.items())),
            "throttled": dict(sorted(self.throttles.items())),
            "denied": dict(sorted(self.denials.items())),
            "families": {
                f"{scope} {family.name}": {
                    "calls": calls,
                    "burst": family.burst,
                    "rate": family.rate,
                    "least_s": family.least_seconds(calls),
                }
                for (scope, family), calls in self.families.items()
            },
            "max_in_flight": self.max_in_flight,
            "held": len(self.held),
            "first_arrival": self.first,
            "last_arrival": self.last,
        }

    def handle(self, exchange):
        if exchange.target.startswith(b"/_gateway/"):
            return self.handle_own(exchange)
        if exchange.method == b"HEAD":
            body = b"this gateway passes no HEAD requests: no AWS API that Holdfast uses has any\n"
            return exchange.client.reply(answer(501, b"text/plain", body))
        names = {name.lower(): value for name, value in exchange.headers}
        call = exchange.call = aws_wire.identify(exchange.method, exchange.target, names, exchange.body)
        key = call.access_key
        account = key if len(key) == 12 and key.isdigit() else self.sessions.get(key, "default")
        exchange.account = account
        self.counts[call.name] += 1
        self.last = exchange.arrived
        self.first = self.first or exchange.arrived
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        if self.record:
            self.write_record(exchange)
        step, arguments = self.judge(exchange)
        if self.latency:
            self.loop.call_later(self.latency, step, exchange, *arguments)
        else:
            step(exchange, *arguments)

    def judge(self, exchange):
        call = exchange.call
        if matches(call, self.cut):
            return self.hang_up, ()
        if matches(call, self.failing):
            return self.refuse, ("failed", aws_wire.error(call, 500, "InternalFailure", "we encountered an internal error"))
        if matches(call, self.deny):
            self.denials[call.name] += 1
            return self.refuse, ("denied", aws_wire.denied(call, exchange.account))
        if matches(call, self.throttle):
            self.throttles[call.name] += 1
            return self.refuse, ("throttled", aws_wire.throttled(call))
        if self.session_ends.get(call.access_key, exchange.arrived) < exchange.arrived:
            return self.refuse, ("expired", aws_wire.expired(call))
        instead = self.rewrites.answer(call.name)
        if instead is not None:
            return self.refuse, ("answered", (200, b"application/x-amz-json-1.1", b"", instead))
        if self.simulator and call.name == "iam:SimulatePrincipalPolicy":
            return self.refuse, ("answered", self.simulator.answer(call, exchange.body))
        family = aws_limits.family(call.service, call.operation, call.paged)
        if family:
            scope = f"{exchange.account}/{call.region}"
            self.families[scope, family] += 1
            if self.enforce and not self.buckets.take(scope, family, exchange.started):
                self.throttles[call.name] += 1
                return self.refuse, ("throttled", aws_wire.throttled(call))
        return self.forward, ()

    def refuse(self, exchange, outcome, refusal):
        status, content_type, extra, body = refusal
        self.finish(exchange, status, outcome, answer(status, content_type, body, extra))

    def hang_up(self, exchange):
        self.finish(exchange, 0, "cut", None)

    def forward(self, exchange):
        now = self.loop.time()
        while self.idle:
            connection = self.idle.pop()
            if now - connection.idle_since < IDLE_CONNECTION:
                return connection.send(exchange)
            connection.transport.close()
        self.loop.create_task(self.connect_and_send(exchange))

    async def connect_and_send(self, exchange):
        try:
            _, connection = await self.loop.create_connection(lambda: Upstream(self), self.host, self.port)
        except OSError as error:
            return self.fail(exchange, f"no connection to {self.host}:{self.port}: {error}")
        connection.send(exchange)

    def complete(self, exchange, status, reason, headers, body):
        """The emulator answered."""
        if exchange.call.operation == "AssumeRole" and status == 200:
            session = aws_wire.assumed_session(exchange.body, body)
            if session:
                self.sessions[session[0]] = session[1]
            if session and self.session_seconds:
                ends = self.session_ends[session[0]] = time.time() + self.session_seconds
                body = aws_wire.with_expiration(body, ends)
        if status == 200:
            body = self.replay.rewrite(exchange.call, body)
            body = self.rewrites.rewrite(exchange.call.name, body)
        self.finish(exchange, status, "passed", message(b"HTTP/1.1 %d %s" % (status, reason), headers, body))

    def fail(self, exchange, why):
        self.finish(exchange, 502, "failed", answer(502, b"text/plain", f"gateway: {why}\n".encode()))

    def finish(self, exchange, status, outcome, data):
        self.in_flight -= 1
        if self.log:
            self.write_log(exchange, status, outcome)
        if data is None:
            exchange.client.transport.abort()
        elif matches(exchange.call, self.hold):
            self.held.append((exchange, data))
        else:
            exchange.client.reply(data)

    def set(self, wanted):
        """What is asked for while it runs."""
        names = {"deny": "deny", "throttle": "throttle", "cut": "cut", "fail": "failing", "hold": "hold"}
        for name, patterns in wanted.items():
            setattr(self, names[name], patterns)
        held, self.held = self.held, []
        for exchange, data in held:
            if matches(exchange.call, self.hold):
                self.held.append((exchange, data))
            else:
                exchange.client.reply(data)

    def write_log(self, exchange, status, outcome):
        call = exchange.call
        entry = {
            "t": exchange.arrived,
            "ms": round((time.monotonic() - exchange.started) * 1000, 3),
            "service": call.service,
            "operation": call.operation,
            "region": call.region,
            "account": exchange.account,
            "status": status,
            "outcome": outcome,
        }
        if call.resource:
            entry["resource"] = call.resource
        if matches(call, self.requests):
            entry["request"] = exchange.body.decode(errors="replace")
        self.log.write(json.dumps(entry) + "\n")

    def write_record(self, exchange):
        raw = message(exchange.method + b" " + exchange.target + b" HTTP/1.1", exchange.headers, exchange.body)
        self.record.write(json.dumps({"call": exchange.call.name, "raw": base64.b64encode(raw).decode()}) + "\n")

    def handle_own(self, exchange):
        path = exchange.target.decode()
        if exchange.method == b"POST" and path == "/_gateway/reset":
            self.reset()
        elif exchange.method == b"POST" and path == "/_gateway/set":
            self.set(json.loads(exchange.body))
        elif exchange.method != b"GET" or path != "/_gateway/stats":
            body = b"gateway: GET /_gateway/stats, POST /_gateway/reset or /_gateway/set\n"
            return exchange.client.reply(answer(404, b"text/plain", body))
        exchange.client.reply(answer(200, b"application/json", json.dumps(self.stats()).encode()))


class Parsed(asyncio.Protocol):
    """What both ends share: gathers one HTTP message at a time."""

    transport = None

    def begin(self):
        self.headers, self.chunks = [], []

    def connection_made(self, transport):
        self.transport = transport

    def on_header(self, name, value):
        self.headers.append((name, value))

    def on_body(self, chunk):
        self.chunks.append(chunk)

    def data_received(self, data):
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.broken(error)


class Client(Parsed):
    """A connection from a caller. Answers go out in the order of the calls, as HTTP wants."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.waiting = deque()
        self.busy = False
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self):
        self.begin()
        self.target = b""

    def on_url(self, part):
        self.target += part

    def on_message_complete(self):
        method, body = self.parser.get_method(), b"".join(self.chunks)
        exchange = Exchange(self, method, self.target, self.headers, body)
        if self.busy:
            self.waiting.append(exchange)
        else:
            self.busy = True
            self.gateway.handle(exchange)

    def broken(self, error):
        self.transport.write(answer(400, b"text/plain", f"gateway: not HTTP: {error}\n".encode()))
        self.transport.close()

    def reply(self, data):
        if not self.transport.is_closing():
            self.transport.write(data)
        if self.waiting:
            self.gateway.handle(self.waiting.popleft())
        else:
            self.busy = False


class Upstream(Parsed):
    """A connection to the emulator; carries one call at a time and is then kept for the next."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.exchange = None
        self.idle_since = 0.0

    def send(self, exchange):
        self.exchange = exchange
        self.parser = httptools.HttpResponseParser(self)
        self.begin()
        self.reason = b""
        self.transport.write(message(
            exchange.method + b" " + exchange.target + b" HTTP/1.1", exchange.headers, exchange.body,
        ))

    def on_status(self, part):
        self.reason += part

    def on_message_complete(self):
        status = self.parser.get_status_code()
        if status < 200:  # an interim answer; the real one follows
            return self.begin()
        exchange, self.exchange = self.exchange, None
        if self.parser.should_keep_alive():
            self.idle_since = self.gateway.loop.time()
            self.gateway.idle.append(self)
        else:
            self.transport.close()
        self.gateway.complete(exchange, status, self.reason, self.headers, b"".join(self.chunks))

    def broken(self, error):
        self.transport.close()
        if self.exchange:
            exchange, self.exchange = self.exchange, None
            self.gateway.fail(exchange, f"the emulator's answer is not HTTP: {error}")

    def connection_lost(self, _):
        if self in self.gateway.idle:
            self.gateway.idle.remove(self)
        if self.exchange:
            exchange, self.exchange = self.exchange, None
            self.gateway.fail(exchange, "the emulator closed the connection without an answer")


async def serve(options):
    loop = asyncio.get_running_loop()
    gateway = Gateway(options, loop)
    server = await loop.create_server(lambda: Client(gateway), "127.0.0.1", options.port)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"endpoint": f"http://127.0.0.1:{port}", "pid": os.getpid()}), flush=True)

    stopped = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopped.set)
    parent = os.getppid()
    while os.getppid() == parent and not stopped.is_set():
        try:
            await asyncio.wait_for(stopped.wait(), PARENT_CHECK)
        except TimeoutError:
            pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", required=True, help="the emulator's URL")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--enforce", action="store_true")
    parser.add_argument("--deny", action="append", default=[], metavar="SERVICE:OPERATION")
    parser.add_argument("--throttle", action="append", default=[], metavar="SERVICE:OPERATION")
    parser.add_argument("--simulate", type=json.loads, metavar="JSON")
    parser.add_argument("--say", action="append", default=[], nargs=4, metavar=("CALL", "ID", "FIELD", "VALUE"))
    parser.add_argument("--answer", action="append", default=[], metavar="SERVICE:OPERATION=JSON")
    parser.add_argument("--rewrite", action="append", default=[], metavar="SERVICE:OPERATION:PATH=JSON")
    parser.add_argument("--session-seconds", type=float)
    parser.add_argument("--requests", action="append", default=[], metavar="SERVICE:OPERATION")
    parser.add_argument("--log")
    parser.add_argument("--record")
    options = parser.parse_args()
    for pattern in options.deny + options.throttle:
        if ":" not in pattern:
            parser.error(f"{pattern}: write service:Operation, such as rds:ModifyDBInstance")
    uvloop.run(serve(options))


if __name__ == "__main__":
    main()
