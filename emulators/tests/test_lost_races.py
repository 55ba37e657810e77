"""What lay_out.py does where ministack answers 500 because two of its threads met."""

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conftest import client
from emulator import Emulator
from lay_out import lay_out
from world.scope import WorldError

LOST = {"__type": "InternalError", "message": "dictionary changed size during iteration"}


@pytest.fixture(scope="module")
def ministack():
    with Emulator("ministack") as running:
        yield running


class Racing:
    """Before the emulator: answers the first calls of some operations as ministack does where it lost a race, after the
    call took effect or instead of it. `losing`: operation → (how many of its calls, whether they take effect)."""

    def __init__(self, upstream, losing):
        self.seen = Counter()
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
                operation = handler.headers.get("X-Amz-Target", "").rpartition(".")[2]
                with lock:
                    self.seen[operation] += 1
                    count, takes_effect = losing.get(operation, (0, True))
                    lost = self.seen[operation] <= count
                status, answer, kind = 500, json.dumps(LOST).encode(), "application/json"
                if not lost or takes_effect:
                    passed = _pass_on(upstream + handler.path, body, handler.headers)
                    if not lost:
                        status, answer, kind = passed
                handler.send_response(status)
                handler.send_header("Content-Type", kind)
                handler.send_header("Content-Length", str(len(answer)))
                handler.end_headers()
                handler.wfile.write(answer)

            def log_message(handler, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def _pass_on(url, body, headers):
    kept = {name: value for name, value in headers.items() if name.lower() not in ("connection", "content-length")}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, kept, method="POST"), timeout=30) as answer:
            return answer.status, answer.read(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers["Content-Type"]


def world(cluster, services):
    return {"scopes": [{
        "name": "racing",
        "vpcs": {cluster: {"subnets": {f"{cluster}-a": {"cidr": "10.0.0.0/20", "az": "a"}}}},
        "security_groups": {f"{cluster}-app": {}},
        "clusters": {cluster: {}},
        "task_definitions": {f"{cluster}-{n}": [{"containers": {"app": {}}}] for n in range(services)},
        "services": {
            f"{cluster}/service-{n}": {
                "task_definition": f"{cluster}-{n}:1", "desired": 2, "subnets": [f"{cluster}-a"], "security_groups": [f"{cluster}-app"],
            }
            for n in range(services)
        },
    }]}


@pytest.mark.parametrize("takes_effect", [True, False])
def test_a_service_whose_call_lost_a_race_is_there_once_and_whole(ministack, takes_effect):
    cluster = f"lost-{str(takes_effect).lower()}"
    with Racing(ministack.endpoint, {"CreateService": (3, takes_effect)}) as racing:
        made = lay_out(world(cluster, 4), racing.endpoint)
    assert racing.seen["CreateService"] >= 4 + 3
    ecs = client("ecs", ministack.endpoint)
    names = list(made["racing"]["services"].values())
    assert len(names) == 4
    found = ecs.describe_services(cluster=cluster, services=names)["services"]
    assert [(one["desiredCount"], len(one["deployments"])) for one in found] == [(2, 1)] * 4
    assert [one["runningCount"] + one["pendingCount"] for one in found] == [2] * 4


def test_other_calls_that_lost_a_race_are_sent_again(ministack):
    losing = {"CreateCluster": (1, True), "RegisterTaskDefinition": (2, False)}
    with Racing(ministack.endpoint, losing) as racing:
        made = lay_out(world("others", 2), racing.endpoint)
    assert (racing.seen["CreateCluster"], racing.seen["RegisterTaskDefinition"]) == (2, 4)
    assert set(made["racing"]["task_definitions"]) == {"others-0:1", "others-1:1"}


def test_a_race_that_is_always_lost_is_an_error(ministack):
    with Racing(ministack.endpoint, {"CreateCluster": (1000, False)}) as racing:
        with pytest.raises(WorldError, match="changed size during iteration"):
            lay_out(world("always", 1), racing.endpoint)
    assert racing.seen["CreateCluster"] == 6


def test_a_service_that_is_there_already_is_an_error(ministack):
    lay_out(world("twice", 1), ministack.endpoint)
    again = world("twice", 1)
    del again["scopes"][0]["security_groups"]  # those that are there already are another error
    del again["scopes"][0]["services"]["twice/service-0"]["security_groups"]
    with pytest.raises(WorldError, match="not idempotent"):
        lay_out(again, ministack.endpoint)
