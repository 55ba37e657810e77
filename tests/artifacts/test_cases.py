"""tests/cases/check: what `holdfast check` must say of each file there, counted. tests/cases/README.md has the form of an answer."""

import collections
import json
import os
import subprocess
from dataclasses import dataclass, field

import pytest
import yaml

from servers import ROOT

CASES = ROOT / "tests/cases/check"
SEVERITIES = ["low", "medium", "high", "critical"]
OUTCOMES = {"pass", "unknown", *SEVERITIES}
# What fails by one of these loses data.
LOSSES = {"ecs-ephemeral-storage", "plan-destroys-data", "plan-loses-restore-points"}
# The bar is counted: neither may become fewer.
FEWEST_CASES = 116
FEWEST_LOSSES = 42
# Stand-ins for passwords in the inputs.
PASSWORDS = ["not-a-secret", "Not-A-Real-Pw1"]

FALSE_FAILURE = "false failure"
MISSED_LOSS = "loss missed"
MISSED = "failure missed"
SEVERITY = "wrong severity"
UNTOLD = "unknown, though the file tells"
SILENT = "passed, though nothing tells"
EXIT = "exit code"
WORDS = "words"


@dataclass
class Answer:
    """What is right for one file."""

    exit: list
    # (subject, rule) → the outcomes that are right. Every pair that is not named passes.
    findings: dict
    says: list = field(default_factory=list)
    never_says: list = field(default_factory=list)
    config: dict | None = None

    @classmethod
    def read(cls, path):
        raw = yaml.safe_load(path.read_text())
        unknown = set(raw) - {"why", "source", "exit", "findings", "says", "never_says", "config"}
        assert not unknown and raw["why"], f"{path.name}: {unknown or 'no reason given'}"
        findings = {
            (subject, rule): many(right) for subject, rules in raw["findings"].items() for rule, right in rules.items()
        }
        for key, right in findings.items():
            assert right and set(right) <= OUTCOMES, f"{path.name}: {key}: {right}"
        return cls(many(raw["exit"]), findings, raw.get("says", []), raw.get("never_says", []), raw.get("config"))

    def losses(self):
        """What must fail because data is lost."""
        return [key for key, right in self.findings.items() if key[1] in LOSSES and set(right) <= set(SEVERITIES)]


@dataclass(frozen=True)
class Mistake:
    case: str
    kind: str
    subject: str
    rule: str
    right: str
    said: str


@dataclass
class Run:
    """One run of the binary."""

    exit: int
    report: dict
    output: str

    def outcomes(self):
        """(subject, rule) → pass is absent, else `unknown` or a severity."""
        out = {}
        for f in self.report.get("findings", []):
            key = (f["resource"]["id"], f["rule"])
            assert key not in out, f"{key} twice"
            out[key] = "unknown" if f["verdict"] == "unknown" else f["severity"]
        return out

    def text(self):
        """All sentences for people."""
        parts = [self.output if not self.report else ""]
        for f in self.report.get("findings", []):
            parts += [f["message"], (f["remediation"] or {}).get("summary", "")]
        return "\n".join(parts)


def many(value):
    return value if isinstance(value, list) else [value]


def kind_of(key, right, said):
    """What is wrong with an outcome; None if nothing is."""
    if said in right:
        return None
    must_fail, fails = set(right) <= set(SEVERITIES), said in SEVERITIES
    if fails:
        return SEVERITY if set(right) & set(SEVERITIES) else FALSE_FAILURE
    if must_fail:
        return MISSED_LOSS if key[1] in LOSSES else MISSED
    return SILENT if said == "pass" else UNTOLD


def judge(name, answer, run):
    """Every mistake in one run."""
    said = run.outcomes()
    mistakes = []
    for key in sorted(answer.findings.keys() | said.keys()):
        right, outcome = answer.findings.get(key, ["pass"]), said.get(key, "pass")
        if kind := kind_of(key, right, outcome):
            mistakes.append(Mistake(name, kind, *key, " or ".join(right), outcome))
    # It follows from the findings: told where those are right.
    if run.exit not in answer.exit and not mistakes:
        mistakes.append(Mistake(name, EXIT, "-", "-", " or ".join(map(str, answer.exit)), str(run.exit)))
    text = run.text()
    for words in answer.says:
        if words not in text:
            mistakes.append(Mistake(name, WORDS, "-", "-", f"says {words!r}", "not"))
    for words in answer.never_says:
        if words in text:
            mistakes.append(Mistake(name, WORDS, "-", "-", f"never says {words!r}", "says it"))
    return mistakes


def table(mistakes):
    rows = [("CASE", "WRONG", "SUBJECT", "RULE", "RIGHT", "SAID")]
    rows += [(m.case, m.kind, m.subject, m.rule, m.right, m.said) for m in mistakes]
    widths = [min(max(len(row[i]) for row in rows), 48) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows)


def answers():
    return {p.name.removesuffix(".expect.yaml"): Answer.read(p) for p in sorted(CASES.glob("*.expect.yaml"))}


def check(binary, name, config, directory):
    command = [binary]
    if config is not None:
        path = directory / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config))
        command += ["--config", str(path)]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HOLDFAST_"))}
    # By its name alone: a workload without one is called after its file.
    ran = subprocess.run(
        [*command, "check", "--format", "json", f"{name}.json"],
        cwd=CASES, env=env, capture_output=True, text=True, timeout=60,
    )
    report = json.loads(ran.stdout) if ran.stdout.startswith("{") else {}
    return Run(ran.returncode, report, ran.stdout + ran.stderr)


@pytest.fixture(scope="module")
def runs(holdfast_bin, tmp_path_factory):
    directory = tmp_path_factory.mktemp("cases")
    return {name: check(holdfast_bin, name, answer.config, directory) for name, answer in answers().items()}


@pytest.fixture(scope="module")
def mistakes(runs):
    return [m for name, answer in answers().items() for m in judge(name, answer, runs[name])]


# ---- The cases themselves ----


def test_each_input_has_its_answer():
    inputs = {p.stem for p in CASES.glob("*.json")}
    assert inputs == set(answers())


def test_none_was_lost():
    every = answers().values()
    assert len(every) >= FEWEST_CASES
    assert sum(len(a.losses()) for a in every) >= FEWEST_LOSSES


def test_answers_agree_with_their_exit_codes():
    for name, answer in answers().items():
        rights = answer.findings.values()
        possible = {1: any(set(r) & set(SEVERITIES) for r in rights), 3: any("unknown" in r for r in rights)}
        possible[0] = all("pass" in r for r in rights)
        assert all(possible.get(code) for code in answer.exit), name


@pytest.mark.parametrize(
    ("rule", "right", "said", "kind"),
    [
        ("ecs-ephemeral-storage", ["pass"], "critical", FALSE_FAILURE),
        ("ecs-ephemeral-storage", ["pass", "unknown"], "high", FALSE_FAILURE),
        ("ecs-ephemeral-storage", None, "low", FALSE_FAILURE),
        ("ecs-ephemeral-storage", ["critical"], "pass", MISSED_LOSS),
        ("ecs-ephemeral-storage", ["critical", "high"], "unknown", MISSED_LOSS),
        ("rds-public-access", ["high"], "pass", MISSED),
        ("rds-public-access", ["high"], "critical", SEVERITY),
        ("ecs-ephemeral-storage", ["unknown"], "pass", SILENT),
        ("ecs-ephemeral-storage", ["pass"], "unknown", UNTOLD),
        ("ecs-ephemeral-storage", ["pass", "unknown"], "unknown", None),
        ("ecs-ephemeral-storage", ["critical"], "critical", None),
        ("ecs-ephemeral-storage", None, "pass", None),
    ],
)
def test_each_kind_of_mistake_is_found(rule, right, said, kind):
    verdict = "unknown" if said == "unknown" else "fail"
    finding = {
        "rule": rule, "verdict": verdict, "severity": "critical" if said == "unknown" else said,
        "resource": {"id": "shop"}, "message": "web keeps it", "remediation": None,
    }
    run = Run(0, {"findings": [] if said == "pass" else [finding]}, "")
    answer = Answer([0], {("shop", rule): right} if right else {})
    assert [m.kind for m in judge("case", answer, run)] == ([kind] if kind else [])


def test_wrong_exit_codes_and_words_are_found():
    finding = {"rule": "ecs-ephemeral-storage", "verdict": "unknown", "severity": "critical", "resource": {"id": "shop"}}
    run = Run(0, {"findings": [{**finding, "message": "web may keep it", "remediation": {"summary": "ask"}}]}, "")
    answer = Answer([3], {("shop", "ecs-ephemeral-storage"): ["unknown"]}, ["web", "why"], ["ask", "never"])
    assert [m.kind for m in judge("case", answer, run)] == [EXIT, WORDS, WORDS]
    refused = Run(2, {}, "holdfast: it is no JSON")
    assert [m.kind for m in judge("case", Answer([2], {}, ["no JSON"], ["password"]), refused)] == []


# ---- The bar ----


def must_be_none(mistakes, title):
    if mistakes:
        pytest.fail(f"{title}\n{table(mistakes)}", pytrace=False)


def test_no_failure_is_false(mistakes):
    wrong = [m for m in mistakes if m.kind == FALSE_FAILURE]
    must_be_none(wrong, f"{len(wrong)} false failures; none may be")


def test_every_loss_is_found(mistakes):
    wrong = [m for m in mistakes if m.kind == MISSED_LOSS]
    losses = sum(len(a.losses()) for a in answers().values())
    must_be_none(wrong, f"{losses - len(wrong)} of {losses} losses found")


def test_every_answer_is_right(mistakes):
    kinds = collections.Counter(m.kind for m in mistakes)
    every = len(answers())
    counts = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
    must_be_none(mistakes, f"{every - len({m.case for m in mistakes})} of {every} files right; {counts}")


def test_no_password_is_printed(runs):
    inputs = {name: (CASES / f"{name}.json").read_text() for name in runs}
    for password in PASSWORDS:
        assert any(password in text for text in inputs.values()), password
        assert [name for name, run in runs.items() if password in run.output] == []
