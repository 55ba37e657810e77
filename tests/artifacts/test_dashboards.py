"""dashboards/: well made, and true: every metric, label and value they name exists in what a real operator serves to a
real Prometheus."""

import json
import re
import subprocess
import urllib.parse
import urllib.request

import pytest
import yaml

import queries
from servers import ROOT, answers, emulator, free_port, program, running, wait_until
from world import World

DASHBOARDS = ROOT / "dashboards"

# Panels that are rightly empty while all is well. Their metric and its labels must exist all the same.
MAY_BE_EMPTY = {
    "panel Unknown verdicts by rule A": "everything in this world can be read",
}

# Values that a healthy operator never gives a label, so no series has them here. The label itself must exist.
NOT_SEEN_HERE = {
    ("holdfast_actions_total", "outcome", "failed"): "an emulator's calls take effect",
    ("holdfast_actions_total", "outcome", "reverted"): "told only once the operator has seen its correction undone",
    ("holdfast_actions_total", "outcome", "refused"): "nothing changes between a plan and its action",
    ("holdfast_findings", "verdict", "unknown"): "everything in this world can be read",
    ("holdfast_findings", "verdict", "waived"): "nothing in this world is waived",
}


# ---- The files themselves ----


def test_dashboard_can_be_imported_anywhere():
    dashboard = queries.dashboard()
    assert dashboard["uid"] == "holdfast"
    variables = dashboard["templating"]["list"]
    assert variables[0]["type"] == "datasource"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    for thing in queries.panels() + variables[1:] + dashboard["annotations"]["list"]:
        assert thing["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, thing


def test_panels_do_not_overlap():
    taken = {}
    for panel in queries.dashboard()["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        for cell in [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]:
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]


@pytest.mark.parametrize("panel", queries.panels(), ids=lambda p: p["title"])
def test_panel_explains_itself(panel):
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["description"].endswith(".")
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"][0]["value"] is None
    references = [target["refId"] for target in panel["targets"]]
    assert len(references) == len(set(references)) > 0
    for target in panel["targets"]:
        assert target["legendFormat"] or panel["type"] == "table"


@pytest.mark.parametrize("rule", queries.alerts(), ids=lambda r: r["alert"])
def test_alert_says_what_to_do(rule):
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert {"summary", "description", "runbook"} == set(rule["annotations"])
    assert re.match(r"Means: .* Now: ", rule["annotations"]["runbook"])


@pytest.mark.parametrize("rule", queries.alerts(), ids=lambda r: r["alert"])
def test_alert_is_seen_to_fire_and_to_stay_silent(rule):
    expected = {"fires": 0, "is silent": 0}
    for path in DASHBOARDS.glob("*_test.yaml"):
        for case in yaml.safe_load(path.read_text())["tests"]:
            for check in case["promql_expr_test"]:
                if f'alertname="{rule["alert"]}"' in check["expr"]:
                    expected["fires" if check["exp_samples"] else "is silent"] += 1
    assert all(expected.values()), expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", "alerts.yaml"],
        ["check", "config", "prometheus.yaml"],
        ["test", "rules", *sorted(path.name for path in DASHBOARDS.glob("*_test.yaml"))],
    ],
    ids=lambda a: " ".join(a[:2]),
)
def test_promtool_agrees(arguments):
    told = subprocess.run([program("promtool"), *arguments], cwd=DASHBOARDS, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("query", queries.all_queries(), ids=str)
def test_queries_parse_and_name_only_the_operators_metrics(query):
    for metric in query.metrics():
        assert re.match(r"(holdfast|process)_", metric), metric


# ---- What a real operator serves ----


class Prometheus:
    def __init__(self, port):
        self.address = f"http://127.0.0.1:{port}/api/v1"

    def get(self, path, **parameters):
        url = f"{self.address}/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{url}: {refused.read().decode()}") from None
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, text):
        """The labels of each series of the answer."""
        answer = self.get("query", query=text)
        return [sample["metric"] for sample in answer["result"]] if answer["resultType"] == "vector" else [{}]

    def has(self, text):
        return bool(self.query(text))


def configuration(world, directory):
    path = directory / "holdfast.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "mode": "enforce",
                "events": {"queue_url": world.queue},
                "sweep": {"interval": "5s"},
                # Of its own: what an earlier run of these tests undid would be a fight.
                "ledger": {"path": str(directory / "holdfast.db")},
                # One database is all of this fleet, and the test undoes a correction at once.
                "safety": {"max_failing_percent": 100, "cooldown": "1s"},
            }
        )
    )
    return path


def scraping(operator_port, directory):
    path = directory / "prometheus.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(queries.ALERTS)],
                "scrape_configs": [
                    {"job_name": "holdfast", "static_configs": [{"targets": [f"127.0.0.1:{operator_port}"]}]}
                ],
            }
        )
    )
    return path


@pytest.fixture(scope="module")
def prometheus(holdfast_bin, tmp_path_factory):
    """A Prometheus that has watched the operator find, correct, be undone and correct again."""
    directory = tmp_path_factory.mktemp("operator")
    with emulator("ministack", directory) as aws:
        world = World(aws)
        port, prometheus_port = free_port(), free_port()
        operator = [
            holdfast_bin, "--config", str(configuration(world, directory)), "--log-format", "json",
            "run", "--listen", f"127.0.0.1:{port}",
        ]
        server = [
            program("prometheus"), f"--config.file={scraping(port, directory)}",
            f"--storage.tsdb.path={directory / 'tsdb'}", f"--web.listen-address=127.0.0.1:{prometheus_port}",
            "--log.level=warn",
        ]
        with (
            running(operator, port, "/livez", directory / "holdfast.log", aws.environment()),
            running(server, prometheus_port, "/-/ready", directory / "prometheus.log"),
        ):
            watching = Prometheus(prometheus_port)
            wait_until(lambda: answers(port, "/readyz") == 200, "the first sweep", 60)
            corrected = 'holdfast_actions_total{rule="rds-public-access", outcome="verified"} >= '
            wait_until(lambda: watching.has(corrected + "1"), "the first correction in Prometheus", 60)
            assert not world.described_database()["PubliclyAccessible"]
            world.open_database()
            world.tell_of_database()
            world.send_nonsense()
            wait_until(lambda: watching.has(corrected + "2"), "the second correction in Prometheus", 60)
            both = "sum(holdfast_events_received_total) >= 2"
            wait_until(lambda: watching.has(both), "both messages in Prometheus", 60)
            yield watching


@pytest.fixture(scope="module")
def metric_names(prometheus):
    """All names, once each that dashboards/ names has answered; what is missing is told by the tests."""
    wanted = {metric for query in queries.all_queries() for metric in query.metrics()}

    def names():
        return set(prometheus.get("label/__name__/values"))

    try:
        wait_until(lambda: wanted <= names(), "every metric to answer", 30)
    except AssertionError:
        pass
    return names()


def named_metrics():
    return sorted({metric for query in queries.all_queries() for metric in query.metrics()})


@pytest.mark.binary
@pytest.mark.parametrize("metric", named_metrics())
def test_metric_exists(metric_names, metric):
    assert metric in metric_names


@pytest.mark.binary
@pytest.mark.parametrize("query", queries.all_queries(), ids=str)
def test_labels_exist(prometheus, metric_names, query):
    for metric, label, operator, value in sorted(query.matchers()):
        assert prometheus.has(f'{metric}{{{label}!=""}}'), f"{metric} has no label {label}"
        if operator == "MatchOp.Equal" and (metric, label, value) not in NOT_SEEN_HERE:
            assert prometheus.has(f'{metric}{{{label}="{value}"}}'), f'no {metric} has {label}="{value}"'
    for labels, metrics in query.groupings():
        for label in labels:
            assert any(prometheus.has(f'{metric}{{{label}!=""}}') for metric in metrics), f"{label} of {metrics}"


@pytest.mark.binary
@pytest.mark.parametrize("query", queries.panel_queries() + queries.other_dashboard_queries(), ids=str)
def test_dashboard_query_answers(prometheus, metric_names, query):
    if query.place.startswith("annotation"):
        prometheus.query(query.text)  # marks moments, so it is empty at most of them
        return
    if query.place in MAY_BE_EMPTY:
        prometheus.query(query.text)
        return
    series = wait_until(lambda: prometheus.query(query.text), f"{query}: {query.text}", 20)
    for label in re.findall(r"{{(\w+)}}", query.legend):
        assert any(label in labels for labels in series), f"the legend's {label} is in no series of {query.text}"


@pytest.mark.binary
def test_alerts_are_evaluated_without_error(prometheus, metric_names):
    def evaluated():
        rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        return rules if all(rule["health"] != "unknown" for rule in rules) else None

    rules = wait_until(evaluated, "every rule to be evaluated", 30)
    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in queries.alerts()}
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"] == []


@pytest.mark.binary
def test_alert_for_what_is_open_is_on_its_way(prometheus, metric_names):
    """The nonsense in the queue, and workload `bare`, whose data only a person can save."""

    def alert(name, **labels):
        selector = ", ".join(f'{k}="{v}"' for k, v in {"alertname": name, **labels}.items())
        return lambda: prometheus.has(f"ALERTS{{{selector}}}")

    wait_until(alert("HoldfastEventsUnparsable", alertstate="firing"), "the malformed message's alert", 30)
    wait_until(alert("HoldfastCriticalFinding", workload="bare"), "the open finding's alert", 30)
