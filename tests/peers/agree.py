#!/usr/bin/env python3
"""Judges one world by Holdfast, Cloud Custodian and Prowler, by those of their checks that mean the same.

    make peers                                    # or tests/peers/run.sh, which installs what this needs
    tests/peers/run.sh --emulator ministack --holdfast PATH

Prints a matrix, a row for each resource of world.yaml and a column for each check, and below it every resource on which
the three do not agree, with the reason. The reasons are in differences.yaml; docs/peers.md tells them in full. The exit
code is 1 if there is a difference without a reason there, or one that is not to be seen any more: then either the
product or that page is wrong. Each tool makes its own calls to the same emulator, one tool after the other.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "emulators"))
from emulator import Emulator  # noqa: E402
from lay_out import lay_out  # noqa: E402

CACHE = Path.home() / ".cache/holdfast"
WORKLOAD_TAG = "holdfast:workload"


@dataclass(frozen=True)
class Check:
    """What the three have in common. Custodian's part is in policies.yaml, under the same name."""

    name: str
    rule: str  # Holdfast's
    prowler: tuple  # its checks: one for each kind of resource
    kinds: tuple  # sections of world.yaml


CHECKS = [
    Check("public-access", "rds-public-access", ("rds_instance_no_public_access",), ("db_instances",)),
    Check("backup-retention", "rds-short-backup-retention", ("rds_instance_backup_enabled",), ("db_instances", "db_clusters")),
    Check("encryption", "rds-unencrypted-storage", ("rds_instance_storage_encrypted", "rds_cluster_storage_encrypted"),
          ("db_instances", "db_clusters")),
    Check("deletion-protection", "rds-deletion-unprotected",
          ("rds_instance_deletion_protection", "rds_cluster_deletion_protection"), ("db_instances", "db_clusters")),
    Check("minor-upgrades", "rds-no-minor-upgrades",
          ("rds_instance_minor_version_upgrade_enabled", "rds_cluster_minor_version_upgrade_enabled"),
          ("db_instances", "db_clusters")),
    Check("multi-az", "rds-single-az", ("rds_instance_multi_az", "rds_cluster_multi_az"), ("db_instances", "db_clusters")),
    Check("iam-authentication", "rds-no-iam-authentication",
          ("rds_instance_iam_authentication_enabled", "rds_cluster_iam_authentication_enabled"),
          ("db_instances", "db_clusters")),
    Check("default-master", "rds-default-master-name", ("rds_instance_default_admin", "rds_cluster_default_admin"),
          ("db_instances", "db_clusters")),
    Check("tls", "rds-unenforced-tls", ("rds_instance_transport_encrypted",), ("db_instances", "db_clusters")),
    Check("certificate", "rds-expiring-certificate", ("rds_instance_certificate_expiration",), ("db_instances",)),
    Check("open-ingress", "rds-open-ingress",
          ("ec2_securitygroup_allow_ingress_from_internet_to_tcp_port_postgres_5432",), ("security_groups",)),
    Check("public-task", "ecs-public-task", ("ecs_service_no_assign_public_ip",), ("services",)),
    Check("plaintext", "ecs-plaintext-database-url", ("ecs_task_definitions_no_environment_secrets",), ("task_definitions",)),
    Check("rotation", "secret-unrotated", ("secretsmanager_automatic_rotation_enabled",), ("secrets",)),
    Check("secret-access", "secret-broad-access", ("secretsmanager_not_publicly_accessible",), ("secrets",)),
]
TOOLS = ("holdfast", "custodian", "prowler")
# One letter a verdict: three of them make a cell, in the order of TOOLS.
LETTERS = {"fail": "F", "pass": ".", "waived": "W", "unknown": "?", None: "-"}
LEGEND = "F fails, . does not, W fails but is waived, ? can't tell, - is not looked at; Holdfast, Custodian, Prowler"


class World:
    """What was laid out, under the names of world.yaml."""

    def __init__(self, declared, made):
        (scope,) = declared["scopes"]
        (self.made,) = made.values()
        self.declared = scope
        self.resources = [
            (kind, name)
            for kind in ("db_instances", "db_clusters", "security_groups", "services", "task_definitions", "secrets")
            for name in self.made[kind]
            if kind != "db_clusters" or name in scope["db_clusters"]
        ]
        # Identifiers that the tools print, ARN, id or name, to (section, name).
        self._known = {}
        for kind, name in self.resources:
            arn = self.made[kind][name]
            for text in {arn, arn.rsplit(":", 1)[-1] if kind.startswith("db_") else arn}:
                self._known[kind, text] = name

    def name(self, kind, identifier):
        """The name of the resource that a tool calls `identifier`; None for one that is not of this world."""
        return self._known.get((kind, identifier))

    def tagged(self, kind, name):
        if kind == "task_definitions":
            kind, name = "services", next((s for s in self.running() if self.running()[s] == name), None)
            if name is None:
                return False
        spec = self.declared[kind].get(name) or {}
        return WORKLOAD_TAG in spec.get("tags", {})

    def running(self):
        """Service to the revision that it runs."""
        return {name: spec["task_definition"] for name, spec in self.declared["services"].items()}


# ---- the three tools, each to {(check, section, name): verdict} ----


def environment(endpoint):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "HOLDFAST_"))}
    return {
        **kept,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "123456789012",  # ministack takes it for the account
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def run(command, endpoint, cwd, allowed=(0,)):
    done = subprocess.run(command, env=environment(endpoint), cwd=cwd, capture_output=True, text=True, timeout=600)
    if done.returncode not in allowed:
        sys.exit(f"{command[0]} exited with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done


def holdfast(binary, world, endpoint, directory):
    listed = run([binary, "rules"], endpoint, directory).stdout.splitlines()
    rules = {line.split()[0] for line in listed if line.startswith(" ")}
    present = [check for check in CHECKS if check.rule in rules]
    settings = {"rules": {check.rule: {"enabled": True} for check in present}}
    config = Path(directory) / "holdfast.yaml"
    config.write_text(yaml.safe_dump(settings))
    done = run([binary, "--config", config, "audit", "--format", "json"], endpoint, directory, allowed=(0, 1, 3))
    report = json.loads(done.stdout)
    verdicts = {}
    for check in present:
        for kind, name in world.resources:
            if kind in check.kinds and world.tagged(kind, name):
                verdicts[check.name, kind, name] = "pass"
    by_rule = {check.rule: check for check in present}
    kinds = {
        "rds-db-instance": "db_instances", "rds-db-cluster": "db_clusters", "ec2-security-group": "security_groups",
        "ecs-service": "services", "secretsmanager-secret": "secrets",
    }
    for finding in report["findings"]:
        check = by_rule.get(finding["rule"])
        if check is None:
            continue
        kind, resource = kinds[finding["resource"]["kind"]], finding["resource"]
        name = world.name(kind, resource["arn"]) or world.name(kind, resource["id"])
        if check.name == "plaintext" and kind == "services":
            kind, name = "task_definitions", world.running()[name]
        verdicts[check.name, kind, name] = finding["verdict"]
    return verdicts, {check.name for check in CHECKS if check not in present}, report["errors"]


def custodian(venv, world, endpoint, directory):
    policies = HERE / "policies.yaml"
    # 2: a policy failed; the others ran. What that one would have said is not known.
    run([venv / "bin/custodian", "run", "--region", "us-east-1", "--cache-period", "0", "--output-dir", "out", policies],
        endpoint, directory, allowed=(0, 2))
    sections = {
        "aws.rds": ("db_instances", "DBInstanceArn"), "aws.rds-cluster": ("db_clusters", "DBClusterArn"),
        "aws.security-group": ("security_groups", "GroupId"), "aws.ecs-service": ("services", "serviceArn"),
        "aws.ecs-task-definition": ("task_definitions", "taskDefinitionArn"), "aws.secrets-manager": ("secrets", "ARN"),
    }
    verdicts = {}
    for policy in yaml.safe_load(policies.read_text())["policies"]:
        check = policy["name"].partition("-of-")[0]
        kind, key = sections[policy["resource"]]
        report = Path(directory) / "out" / policy["name"] / "resources.json"
        for known, name in world.resources:
            if known == kind:
                verdicts.setdefault((check, kind, name), "pass" if report.exists() else "unknown")
        for found in json.loads(report.read_text()) if report.exists() else []:
            if name := world.name(kind, found[key]):
                verdicts[check, kind, name] = "fail"
    return verdicts


def prowler(venv, world, endpoint, directory):
    checks = {name: check for check in CHECKS for name in check.prowler}
    # --scan-unused-services: an emulator makes no network interface for a database, so no group would count as used.
    run([venv / "bin/prowler", "aws", "--checks", *checks, "--region", "us-east-1", "--scan-unused-services", "--no-banner",
         "--output-formats", "json-ocsf", "--output-directory", directory, "--output-filename", "prowler"],
        endpoint, directory, allowed=(0, 3))
    verdicts = {}
    for finding in json.loads((Path(directory) / "prowler.ocsf.json").read_text()):
        check = checks[finding["metadata"]["event_code"]]
        verdict = {"PASS": "pass", "FAIL": "fail", "MANUAL": "unknown"}[finding["status_code"]]
        resource = finding["resources"][0]
        for kind in check.kinds:
            identifiers = (resource["uid"], resource["name"], resource["uid"].rsplit("/", 1)[-1])
            names = [name for text in identifiers if (name := world.name(kind, text))]
            if names:
                key = (check.name, kind, names[0])
                verdicts[key] = "fail" if "fail" in (verdict, verdicts.get(key)) else verdict
                break
    return verdicts


# ---- comparing ----


def matrix(world, verdicts, absent):
    """{(check, section, name): the three letters}"""
    cells = {}
    for check in CHECKS:
        for kind, name in world.resources:
            if kind in check.kinds:
                letters = [LETTERS[verdicts[tool].get((check.name, kind, name))] for tool in TOOLS]
                if check.name in absent:
                    letters[0] = " "
                cells[check.name, kind, name] = "".join(letters)
    return cells


def agree(cell):
    return len({letter == "F" for letter in cell if letter != " "}) == 1


def print_matrix(world, cells):
    width = max(len(name) for _, name in world.resources) + 2
    kind_before = None
    for kind, name in world.resources:
        columns = [check for check in CHECKS if kind in check.kinds]
        if kind != kind_before:
            print(f"\n{kind.replace('_', ' '):{width}}" + " ".join(f"{c.name:{max(3, len(c.name))}}" for c in columns))
            kind_before = kind
        row = " ".join(f"{cells[c.name, kind, name]:{max(3, len(c.name))}}" for c in columns)
        print(f"{name:{width}}{row}".rstrip())
    print(f"\n{LEGEND}")


def explained(emulator):
    """{(check, section, name): (cell, reason)} of differences.yaml, and the reasons' texts."""
    known = yaml.safe_load((HERE / "differences.yaml").read_text())
    found = {}
    for check in CHECKS:
        for kind, rows in (known["differences"].get(check.name) or {}).items():
            for name, given in rows.items():
                given = given if isinstance(given, dict) else {"moto": given, "ministack": given}
                if given.get(emulator):
                    cell, _, reason = given[emulator].partition(" ")
                    found[check.name, kind, name] = (cell, reason)
    return found, known["reasons"]


def compare(cells, emulator, absent):
    known, reasons = explained(emulator)
    unexplained, used = [], {}
    for key, cell in cells.items():
        wanted, reason = known.get(key, (None, None))
        if key[0] in absent and wanted:
            wanted = " " + wanted[1:]
        if wanted == cell:
            used.setdefault(reason, []).append((key, cell))
        elif wanted is None and agree(cell):
            continue
        else:
            said = f", differences.yaml says {wanted}" if wanted else ""
            unexplained.append(f"{key[0]}: {key[1]} {key[2]}: {cell}{said}")
    for reason in sorted(used):
        print(f"\n{reason}: {reasons[reason]}")
        for (check, kind, name), cell in used[reason]:
            print(f"    {cell}  {check}: {name}")
    if unexplained:
        print("\nNOT EXPLAINED (differences.yaml, docs/peers.md):")
        print("\n".join(f"    {line}" for line in unexplained))
    agreed = sum(agree(cell) for cell in cells.values())
    print(f"\n{len(cells)} verdicts compared, {agreed} agree, {len(cells) - agreed} differ, {len(unexplained)} not explained")
    return not unexplained


def tool_version(command, pattern):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return re.search(pattern, done.stdout + done.stderr)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("CARGO_TARGET_DIR", CACHE / "target")) / "debug/holdfast"
    parser.add_argument("--holdfast", type=Path, default=os.environ.get("HOLDFAST_BIN", default), metavar="BINARY")
    parser.add_argument("--emulator", choices=["moto", "ministack"], default="moto")
    parser.add_argument("--custodian", type=Path, default=CACHE / "peers-custodian", metavar="VENV")
    parser.add_argument("--prowler", type=Path, default=CACHE / "peers-prowler", metavar="VENV")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the tools' own reports stay")
    arguments = parser.parse_args()
    for needed in (arguments.holdfast, arguments.custodian / "bin/custodian", arguments.prowler / "bin/prowler"):
        if not Path(needed).exists():
            sys.exit(f"agree.py: there is no {needed}: tests/peers/run.sh installs the peers, `make build` makes Holdfast")
    declared = yaml.safe_load((HERE / "world.yaml").read_text())
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, Emulator(arguments.emulator) as emulator:
        directory = str((arguments.keep or Path(scratch)).resolve())
        world = World(declared, lay_out(declared, emulator.endpoint, "123456789012"))
        took, verdicts = {}, {}

        def timed(tool, judge):
            started = time.monotonic()
            verdicts[tool] = judge()
            took[tool] = time.monotonic() - started

        timed("holdfast", lambda: holdfast(str(Path(arguments.holdfast).resolve()), world, emulator.endpoint, directory))
        timed("custodian", lambda: custodian(arguments.custodian, world, emulator.endpoint, directory))
        timed("prowler", lambda: prowler(arguments.prowler, world, emulator.endpoint, directory))
    verdicts["holdfast"], absent, errors = verdicts["holdfast"]
    # Nobody can read the value of a secret that is to be deleted: that one is no failure of the comparison.
    errors = [error for error in errors if ":secret:agree-deleted-" not in error["resource"]]
    if errors:
        sys.exit(f"Holdfast could not read all: {json.dumps(errors, indent=1)}")
    versions = {
        "holdfast": tool_version([arguments.holdfast, "--version"], r"holdfast (\S+)"),
        "custodian": tool_version([arguments.custodian / "bin/custodian", "version"], r"(\d+\.\d+\.\d+)"),
        "prowler": tool_version([arguments.prowler / "bin/prowler", "--version"], r"(\d+\.\d+\.\d+)"),
    }
    said = ", ".join(f"{tool} {versions[tool]} ({took[tool]:.1f} s)" for tool in TOOLS)
    print(f"{said}; {arguments.emulator} {version(arguments.emulator)}; {time.strftime('%Y-%m-%d')}")
    if absent:
        print(f"this holdfast has no rule yet for: {', '.join(sorted(absent))}")
    cells = matrix(world, verdicts, absent)
    print_matrix(world, cells)
    sys.exit(0 if compare(cells, arguments.emulator, absent) else 1)


if __name__ == "__main__":
    main()
