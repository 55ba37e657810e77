"""deploy/github-actions/: what the example asks of GitHub, and that each of its commands is one that holdfast has."""

import re
import shlex
import subprocess

import pytest
import yaml

from servers import ROOT

WORKFLOWS = sorted((ROOT / "deploy/github-actions").glob("*.yml"))
# What a job may ask for, and the action that is the reason.
REASONS = {"id-token": "aws-actions/configure-aws-credentials", "security-events": "github/codeql-action/upload-sarif"}


def load(path):
    found = yaml.safe_load(path.read_text())
    # YAML 1.1 takes the key `on` for a truth value; GitHub does not.
    assert True in found
    return found


def jobs():
    return [(path.name, name, job) for path in WORKFLOWS for name, job in load(path)["jobs"].items()]


def commands():
    """The lines of every script that run holdfast."""
    found = []
    for _, _, job in jobs():
        for step in job["steps"]:
            script = step.get("run", "").replace("\\\n", " ")
            found += [line.strip() for line in script.splitlines() if line.strip().startswith("holdfast ")]
    return found


def words(command):
    arguments = shlex.split(command)[1:]
    end = next((n for n, word in enumerate(arguments) if word in ("||", "&&", "|", ">", ";")), len(arguments))
    return arguments[:end]


def test_there_is_one():
    assert WORKFLOWS and {words(c)[0] for c in commands()} == {"check", "gate"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_actions_are_pinned_to_commits(path):
    uses = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert uses
    for action, comment in uses:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"{action} does not say which release it is"


@pytest.mark.parametrize("name,job", [(n, j) for _, n, j in jobs()], ids=lambda v: v if isinstance(v, str) else "")
def test_jobs_ask_for_no_more_than_they_use(name, job):
    asked = job["permissions"]
    assert asked.pop("contents") == "read"
    used = [step.get("uses", "").split("@")[0] for step in job["steps"]]
    for permission, access in asked.items():
        assert access == "write" and REASONS[permission] in used, permission
    assert job["timeout-minutes"] <= 30
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_a_workflow_has_no_permission_of_its_own_and_no_expression_in_a_script(path):
    workflow = load(path)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), "what an event says must not become a command"


@pytest.mark.binary
@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_that_holdfast_has(holdfast_bin, command):
    arguments = words(command)
    formats = subprocess.run([holdfast_bin, "audit", "--help"], capture_output=True, text=True).stdout
    if "sarif" in arguments and "sarif" not in formats:
        pytest.skip("this build has no SARIF yet")
    # Everything before --help is parsed before help is given.
    parsed = subprocess.run([holdfast_bin, *arguments, "--help"], capture_output=True, text=True)
    assert (parsed.returncode, parsed.stderr) == (0, "")
    unknown = subprocess.run([holdfast_bin, *arguments, "--no-such-option", "--help"], capture_output=True, text=True)
    assert unknown.returncode == 2, "so it would be noticed"


@pytest.mark.binary
@pytest.mark.parametrize("command", [c for c in commands() if words(c)[0] == "check"])
def test_checks_run(holdfast_bin, command, tmp_path):
    arguments = words(command)
    if "sarif" in arguments:
        arguments[arguments.index("sarif")] = "json"
    for given, fixture in (("infra/plan.json", "plan-existing.json"), ("ecs/taskdef.json", "taskdef-no-secret.json")):
        at = tmp_path / given
        at.parent.mkdir()
        at.write_text((ROOT / "crates/core/tests/check" / fixture).read_text())
    ran = subprocess.run([holdfast_bin, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 1, ran.stderr
    assert "not checked offline" in ran.stderr
