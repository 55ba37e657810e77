"""Every form of `holdfast audit`, as the real binary writes it, against its public schema and a reader of it that others
keep. What must never differ between them: which findings there are, and whether each failed, is waived or is unknown."""

import collections
import copy
import json
import re
import subprocess
import sys
import urllib.parse

import html5lib
import jsonschema
import junitparser
import pytest
import xmlschema
from markdown_it import MarkdownIt
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from py_ocsf_models.objects.cloud import Cloud

from servers import ROOT, emulator, free_port, running
from world import PASSWORD, WORKLOAD, World

FORMATS = ["table", "json", "sarif", "ocsf", "junit", "markdown", "html"]
SCHEMAS = ROOT / "tests/artifacts/schemas"
UNTIL = "2099-12-31T00:00:00Z"
# All that a tag may hold besides letters.
REASON = "Rebuilt nightly @platform: OPS-1412 = a/b_c+d 50 GB"
# What this denial leaves unknown: who may reach the databases.
DENIED = "ec2:DescribeSecurityGroupRules"
# What its service leaves unknown, though all can be read: where an image that nobody knows keeps its data.
UNFAMILIAR = "registry.example/house/app:1"


class Written:
    """What one run wrote, and how it ended."""

    def __init__(self, command, env, path):
        ran = subprocess.run([*command, "--output", path], capture_output=True, text=True, env=env)
        self.exit_code, self.stdout, self.stderr = ran.returncode, ran.stdout, ran.stderr
        self.text = path.read_text()


@pytest.fixture(scope="module")
def written(holdfast_bin, tmp_path_factory):
    """Failures, one waiver, one denied call and one unfamiliar image, in each format."""
    directory = tmp_path_factory.mktemp("formats")
    with emulator("ministack", directory) as aws:
        world = World(aws)
        waiver = {"holdfast:waive": f"rds-short-backup-retention@{UNTIL}", "holdfast:waive-reason": REASON}
        world.rds.add_tags_to_resource(
            ResourceName=world.described_database()["DBInstanceArn"],
            Tags=[{"Key": key, "Value": value} for key, value in waiver.items()],
        )
        world.service("house", world.group("house-service", "house"), [], image=UNFAMILIAR)
        port = free_port()
        gateway = [sys.executable, str(ROOT / "emulators/gateway.py"), "--upstream", aws.url, "--port", str(port)]
        with running([*gateway, "--deny", DENIED], port, "/_gateway/stats", directory / "gateway.log"):
            env = {**aws.environment(), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
            yield {
                name: Written([holdfast_bin, "audit", "--format", name], env, directory / f"report.{name}")
                for name in FORMATS
            }


@pytest.fixture(scope="module")
def report(written):
    return json.loads(written["json"].text)


def by_verdict(report, verdict):
    return [f for f in report["findings"] if f["verdict"] == verdict]


def test_the_world_has_one_of_each(report):
    counts = {verdict: len(by_verdict(report, verdict)) for verdict in ("fail", "waived", "unknown")}
    assert all(counts.values()), counts
    assert counts == {verdict: report["summary"][verdict] for verdict in counts}
    assert report["summary"]["pass"] > 0
    # Unknown without a read that failed, and by one.
    untold = [f for f in report["findings"] if f.get("untold")]
    assert 0 < len(untold) == report["summary"]["untold"] < counts["unknown"]
    assert {(f["verdict"], f["workload"]) for f in untold} == {("unknown", "house")}
    # A failure that follows from another one.
    assert any(f["caused_by"] for f in report["findings"])
    assert report["errors"]


@pytest.mark.parametrize("name", FORMATS)
def test_each_is_written_to_its_file_and_ends_alike(written, name):
    run = written[name]
    assert (run.exit_code, run.stdout, run.stderr) == (1, "", "")
    assert run.text.endswith("\n")
    assert PASSWORD not in run.text


# ---- JSON ----


def strict(schema):
    """The same schema, but what it does not name is wrong: so that nothing is written that is not described."""
    schema = copy.deepcopy(schema)

    def close(node):
        if isinstance(node, dict):
            # An `if` or `then` speaks of some properties only.
            if node.get("type") == "object" and "properties" in node and "required" in node:
                node["additionalProperties"] = False
            for value in node.values():
                close(value)
        elif isinstance(node, list):
            for value in node:
                close(value)

    close(schema)
    return schema


def test_json_is_as_its_schema_says(report):
    schema = json.loads((ROOT / "docs/report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(strict(schema), format_checker=checker).validate(report)
    # And the schema is no wide gate.
    for spoil in ({"verdict": "pass"}, {"waiver": {"until": UNTIL, "reason": "x"}, "verdict": "fail"}, {"id": "x"}):
        spoilt = copy.deepcopy(report)
        spoilt["findings"][0].update(spoil)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoilt, schema)


@pytest.fixture(scope="module")
def checked(holdfast_bin):
    """What `check` says of a template that names no account."""
    path = "crates/core/tests/check/stack.yaml"
    ran = subprocess.run([holdfast_bin, "check", "--format", "json", path], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 1, ran.stderr
    return json.loads(ran.stdout)


def test_json_of_check_is_as_its_schema_says(checked):
    schema = json.loads((ROOT / "docs/report.schema.json").read_text())
    jsonschema.Draft202012Validator(strict(schema)).validate(checked)
    places = [f["place"] for f in checked["findings"]]
    assert places and {place["file"] for place in places} == {"crates/core/tests/check/stack.yaml"}


def test_json_is_described_field_by_field(report, checked):
    text = (ROOT / "docs/report.md").read_text()
    findings = report["findings"] + checked["findings"]
    described = [report, report["scope"], report["summary"], *findings, *report["errors"]]
    described += [f["remediation"] for f in findings if f["remediation"]]
    described += [f["waiver"] for f in findings if f["waiver"]] + [f["place"] for f in findings if "place" in f]
    for field in {field for part in described for field in part}:
        assert f"`{field}`" in text, field


# ---- SARIF ----


@pytest.fixture(scope="module")
def sarif(written):
    return json.loads(written["sarif"].text)


def test_sarif_is_as_its_schema_says(sarif):
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text())
    validator = jsonschema.validators.validator_for(schema)
    validator(schema, format_checker=validator.FORMAT_CHECKER).validate(sarif)


def test_sarif_has_every_finding_with_its_verdict(sarif, report):
    [run] = sarif["runs"]

    def verdict(result):
        if result["suppressions"]:
            return "waived"
        return {"fail": "fail", "open": "unknown"}[result["kind"]]

    told = {(r["partialFingerprints"]["holdfastFindingId/v1"], r["ruleId"]): verdict(r) for r in run["results"]}
    assert told == {(f["id"], f["rule"]): f["verdict"] for f in report["findings"]}
    [waived] = [r for r in run["results"] if r["suppressions"]]
    [suppression] = waived["suppressions"]
    assert suppression["kind"] == "external"
    assert suppression["justification"] == f"waived until {UNTIL}: {REASON}"
    for result in run["results"]:
        # The standard: what is not a failure has no level.
        assert (result["level"] == "none") == (result["kind"] != "fail"), result
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_sarif_is_what_github_takes(sarif):
    """https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning"""
    [run] = sarif["runs"]
    for rule in run["tool"]["driver"]["rules"]:
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
        assert "security" in rule["properties"]["tags"] and len(rule["properties"]["tags"]) <= 20
        assert len(rule["shortDescription"]["text"]) <= 1024 and rule["help"]["text"] and rule["help"]["markdown"]
    paths = collections.defaultdict(set)
    for result in run["results"]:
        assert result["partialFingerprints"]["primaryLocationLineHash"]
        [location] = result["locations"]
        physical = location["physicalLocation"]
        uri = urllib.parse.urlsplit(physical["artifactLocation"]["uri"])
        assert not uri.scheme and not uri.netloc and not uri.path.startswith("/"), "GitHub takes relative paths only"
        assert physical["region"]["startLine"] == 1
        paths[uri.path].add(location["logicalLocations"][0]["fullyQualifiedName"])
    assert all(len(arns) == 1 for arns in paths.values()), "one path, one resource"


def test_sarif_tells_how_the_run_went(sarif, report, written):
    [run] = sarif["runs"]
    [invocation] = run["invocations"]
    assert invocation["exitCode"] == written["sarif"].exit_code
    assert invocation["executionSuccessful"] is False
    notified = [n["properties"] for n in invocation["toolExecutionNotifications"]]
    assert [(n["operation"], n["code"]) for n in notified] == [(e["operation"], e["code"]) for e in report["errors"]]


# ---- OCSF ----


@pytest.fixture(scope="module")
def ocsf(written):
    return json.loads(written["ocsf"].text)


@pytest.mark.parametrize("version", ["1.5.0", "1.6.0", "1.7.0", "1.8.0"])
def test_ocsf_is_as_its_schema_says(ocsf, version):
    """The version that it names, and each that its readers still have."""
    made = OcsfJsonSchemaEmbedded(get_ocsf_schema(version)).get_class_schema("compliance_finding", ["cloud"])
    validator = jsonschema.Draft202012Validator(made)
    for event in ocsf:
        validator.validate(event)
        assert event["metadata"]["version"] == "1.8.0"
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]


def test_ocsf_can_be_read(ocsf):
    """By the models that Prowler writes with."""
    for event in ocsf:
        read = ComplianceFinding.model_validate(event)
        assert read.finding_info.uid == event["finding_info"]["uid"]
        assert read.resources[0].uid == event["resources"][0]["uid"]
        assert Cloud.model_validate(event["cloud"]).account.uid == "123456789012"


def test_ocsf_has_every_finding_with_its_verdict(ocsf, report):
    names = {("Fail", "New"): "fail", ("Fail", "Suppressed"): "waived", ("Unknown", "New"): "unknown"}
    told = {
        (e["finding_info"]["uid"], e["metadata"]["event_code"]): names[e["compliance"]["status"], e["status"]] for e in ocsf
    }
    assert told == {(f["id"], f["rule"]): f["verdict"] for f in report["findings"]}
    assert [e["comment"] for e in ocsf if "comment" in e] == [f"waived until {UNTIL}: {REASON}"]
    severities = {"low": 2, "medium": 3, "high": 4, "critical": 5}
    assert [e["severity_id"] for e in ocsf] == [severities[f["severity"]] for f in report["findings"]]


# ---- JUnit ----


def test_junit_is_as_jenkins_schema_says(written):
    """But for a count of the skipped on the outermost element, which every reader takes and this schema lacks."""
    text = re.sub(r'(<testsuites [^>]*?) skipped="\d+"', r"\1", written["junit"].text, count=1)
    xmlschema.XMLSchema(str(SCHEMAS / "jenkins-junit-10.xsd")).validate(text)


def test_junit_has_a_case_for_every_verdict(written, report):
    xml = junitparser.JUnitXml.fromstring(written["junit"].text.encode())
    cases = [case for suite in xml for case in suite if case.classname != "holdfast.reads"]
    kinds = {junitparser.Failure: "fail", junitparser.Error: "unknown", junitparser.Skipped: "waived"}
    told = collections.Counter(kinds[type(case.result[0])] if case.result else "pass" for case in cases)
    assert told == {name: report["summary"][name] for name in ("pass", "fail", "unknown", "waived")}
    names = [(case.classname, case.name, suite.name) for suite in xml for case in suite]
    assert len(names) == len(set(names)), "two cases of one name are one in a history"
    assert (xml.tests, xml.failures) == (len(cases) + len(report["errors"]), report["summary"]["fail"])
    [skipped] = [case for case in cases if case.is_skipped]
    assert skipped.result[0].message.startswith(f"waived until {UNTIL}: {REASON}")
    assert {suite.name for suite in xml} >= {f"{WORKLOAD} (123456789012 us-east-1)", "reading AWS"}
    for finding in report["findings"]:
        assert f"finding:  {finding['id']}" in written["junit"].text


# ---- Markdown ----


def test_markdown_is_tables_and_blocks(written, report):
    text = written["markdown"].text
    assert len(text) < 65_536
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    headings = [tokens[n + 1].content for n, t in enumerate(tokens) if t.type == "heading_open"]
    assert headings[:4] == [
        "Holdfast audit: {fail} failed, {unknown} unknown, {waived} waived".format(**report["summary"]),
        "Waived",
        "Could not be read",
        "Details",
    ]
    tables = []
    for token in tokens:
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type == "inline" and tables and token.level >= 4:
            tables[-1][-1].append("".join(child.content for child in token.children))
    verdicts = collections.Counter(re.sub(r" \(.*|^↳ ", "", row[0]) for row in tables[0][1:])
    assert sum(verdicts.values()) == len(report["findings"])
    assert (verdicts["unknown"], verdicts["waived"]) == (report["summary"]["unknown"], report["summary"]["waived"])
    assert {len(row) for row in tables[0]} == {5}
    [waived] = tables[1][1:]
    # Without the spaces of no width that keep GitHub from calling people.
    assert [cell.replace("\u200b", "") for cell in waived] == [
        UNTIL, WORKLOAD, "rds-short-backup-retention", "coder-postgres", REASON
    ]
    # The only HTML is ours.
    html = "".join(t.content for t in tokens if t.type == "html_block")
    html += "".join(c.content for t in tokens for c in t.children or [] if c.type == "html_inline")
    assert set(re.findall(r"</?(\w+)", html)) <= {"details", "summary", "code", "sub"}
    assert html.count("<details>") == html.count("</details>") == len(report["findings"])
    for finding in report["findings"]:
        assert f"`{finding['id']}`" in text
    assert "@platform" not in text


# ---- HTML ----


@pytest.fixture(scope="module")
def page(written):
    """Strict: any error of the parser is one of the test."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(written["html"].text)


def words(element):
    return " ".join("".join(element.itertext()).split())


def test_html_can_be_read_by_all(page):
    assert page.attrib["lang"].startswith("en")
    metas = {m.get("name"): m.get("content") for m in page.iter("meta")}
    assert "width=device-width" in metas["viewport"]
    assert page.find(".//title").text.startswith("Holdfast audit")
    levels = [int(e.tag[1]) for e in page.iter() if isinstance(e.tag, str) and re.fullmatch("h[1-6]", e.tag)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:])), "no level is left out"
    ids = [e.get("id") for e in page.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    for element in page.iter():
        for reference in (element.get("aria-labelledby"), (element.get("href") or "").removeprefix("#")):
            assert not reference or reference in ids, reference
    for head in page.iter("th"):
        assert head.get("scope") == "col"


def test_html_needs_nothing_else(page, written):
    assert not {e.tag for e in page.iter() if isinstance(e.tag, str)} & {"script", "img", "link", "iframe", "object"}
    assert all(e.get("src") is None for e in page.iter())
    assert all((e.get("href") or "#").startswith("#") for e in page.iter())
    style = page.find(".//style").text
    assert "url(" not in style and "@import" not in style
    for query in ("prefers-color-scheme: dark", "@media print", "max-width"):
        assert query in style
    policy = [m.get("content") for m in page.iter("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy and policy[0].startswith("default-src 'none'")


def test_html_colours_can_be_read(page):
    """WCAG 2.2 AA: 4.5 to 1 for text, in light, dark and print."""

    def luminance(colour):
        colour = colour * 2 if len(colour) == 3 else colour
        parts = [int(colour[n:n + 2], 16) / 255 for n in (0, 2, 4)]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), parts))

    def contrast(one, other):
        low, high = sorted((luminance(one), luminance(other)))
        return (high + 0.05) / (low + 0.05)

    schemes = re.findall(r":root \{(.*?)\}", page.find(".//style").text, re.S)
    assert len(schemes) == 3
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): #([0-9a-f]{3,6})", scheme))
        for text in ("ink", "quiet", "link"):
            for ground in ("page", "card", "code"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground, colours)
        for tone in ("critical", "high", "medium", "low"):
            assert contrast(colours["on"], colours[tone]) >= 4.5, (tone, colours)
        for tone in ("unknown", "waived"):
            assert contrast(colours[tone], colours["card"]) >= 4.5, (tone, colours)


def test_html_has_every_finding_with_its_verdict(page, report):
    told = collections.Counter()
    for article in page.iter("article"):
        badge = article.find("./h3/span") if article.find("./h3/span") is not None else article.find("./h4/span")
        if badge is not None:
            told[badge.text.split()[0].lower()] += 1
    expected = collections.Counter(
        f["severity"] if f["verdict"] == "fail" else f["verdict"] for f in report["findings"]
    )
    assert told == expected
    text = words(page)
    for finding in report["findings"]:
        assert finding["id"] in text and finding["message"].replace("`", "") in text
    for error in report["errors"]:
        assert f"{error['service']}:{error['operation']}" in text
    assert f"Waived until 2099-12-31 00:00 UTC: {REASON}" in text
    [row] = page.find(".//section[@aria-labelledby='waived']").findall("./table/tbody/tr")
    assert [words(cell) for cell in row] == [
        "2099-12-31 00:00 UTC", WORKLOAD, "rds-short-backup-retention", "coder-postgres", REASON
    ]
