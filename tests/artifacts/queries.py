"""What dashboards/ asks Prometheus: every expression with the place it stands in, and what each refers to."""

import json
import re
from dataclasses import dataclass

import promql_parser
import yaml

from servers import ROOT

DASHBOARD = ROOT / "dashboards/holdfast.json"
ALERTS = ROOT / "dashboards/alerts.yaml"

# What Grafana puts in for its variables, with "All" chosen everywhere. The scrape interval of the test is a second.
GRAFANA = {"$__rate_interval": "10s", "$__range": "10m", "$account": ".*", "$region": ".*", "$workload": ".*"}


@dataclass(frozen=True)
class Query:
    place: str
    text: str
    legend: str = ""

    def __str__(self):
        return self.place

    @property
    def ast(self):
        return promql_parser.parse(self.text)

    def nodes(self):
        found = []
        promql_parser.walk(self.ast, found.append)
        return found

    def selectors(self):
        return [n for n in self.nodes() if isinstance(n, promql_parser.VectorSelector)]

    def metrics(self):
        return {selector.name for selector in self.selectors()}

    def matchers(self):
        """(metric, label, operator, value) of each condition within braces."""
        return {(s.name, m.name, str(m.op), m.value) for s in self.selectors() for m in s.matchers.matchers}

    def groupings(self):
        """(labels, metrics below) of each `by`."""
        for node in self.nodes():
            if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
                assert node.modifier.type == promql_parser.AggModifierType.By, f"{self}: use `by`, not `without`"
                yield node.modifier.labels, Query(self.place, str(node.expr.prettify())).metrics()


def substituted(expr):
    for variable, value in GRAFANA.items():
        expr = expr.replace(variable, value)
    assert "$" not in expr, f"a Grafana variable is left in {expr}"
    return expr


def dashboard():
    return json.loads(DASHBOARD.read_text())


def panels():
    return [p for p in dashboard()["panels"] if p["type"] != "row"]


def panel_queries():
    return [
        Query(f"panel {panel['title']} {target['refId']}", substituted(target["expr"]), target["legendFormat"])
        for panel in panels()
        for target in panel["targets"]
    ]


def other_dashboard_queries():
    """Of the variables, label_values(SELECTOR, LABEL), and of the annotations."""
    queries = []
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            queries.append(Query(f"variable {variable['name']}", substituted(f"count by ({label}) ({selector})")))
    for annotation in dashboard()["annotations"]["list"]:
        queries.append(Query(f"annotation {annotation['name']}", substituted(annotation["expr"])))
    return queries


def alerts():
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def alert_queries():
    return [Query(f"alert {rule['alert']}", rule["expr"]) for rule in alerts()]


def all_queries():
    return panel_queries() + other_dashboard_queries() + alert_queries()
