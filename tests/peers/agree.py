#!/usr/bin/env python3
"""Judges one world by Holdfast, Cloud Custodian and Prowler, by those of their checks that mean the same.

    make peers                                    # or tests/peers/run.sh, which installs what this needs
    tests/peers/run.sh --emulator ministack --holdfast PATH

Prints a matrix, a row for each resource of world.yaml and a column for each check, and below it every resource on which
the three do not agree, with the reason. The reasons are in differences.yaml; docs/peers.md tells them in full. The exit
code is 1 if there is a difference without a reason there, or one that is not to be seen any more: then either the
product or that page is wrong. Each tool makes its own calls to the same emulator, one tool after the other.

Certificates and rotation, which the emulators lack, are judged in what tests/replays serves.
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
sys.path[:0] = [str(ROOT / "emulators"), str(ROOT / "tests/replays")]
from emulator import Emulator  # noqa: E402
from lay_out import lay_out  # noqa: E402
from server import Replay  # noqa: E402

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
    Check("certificate", "rds-expiring-certificate", ("rds_instance_certificate_expiration",), ("certificates",)),
    Check("open-ingress", "rds-open-ingress",
          ("ec2_securitygroup_allow_ingress_from_internet_to_tcp_port_postgres_5432",), ("security_groups",)),
    Check("public-task", "ecs-public-task", ("ecs_service_no_assign_public_ip",), ("services",)),
    Check("plaintext", "ecs-plaintext-database-url", ("ecs_task_definitions_no_environment_secrets",), ("task_definitions",)),
    Check("rotation", "secret-unrotated",
          ("secretsmanager_automatic_rotation_enabled", "secretsmanager_secret_rotated_periodically"), ("secrets", "rotations")),
    Check("secret-access", "secret-broad-access", ("secretsmanager_not_publicly_accessible",), ("secrets",)),
]
TOOLS = ("holdfast", "custodian", "prowler")
# One letter a verdict: three of them make a cell, in the order of TOOLS.
LETTERS = {"fail": "F", "pass": ".", "waived": "W", "unknown": "?", None: "-"}
LEGEND = "F fails, . does not, W fails but is waived, ? can't tell, - is not looked at; Holdfast, Custodian, Prowler"


REPLAYED = [check for check in CHECKS if {"certificates", "rotations"} & set(check.kinds)]
EMULATED = [check for check in CHECKS if set(check.kinds) - {"certificates", "rotations"}]


class Replayed:
    """Instances that differ in when their certificate ends, and secrets in how they are rotated, as a recording for
    tests/replays: no emulator keeps these. All are tagged there."""

    ACCOUNT, REGION = "123456789012", "us-east-1"
    KINDS = {"db_instances": "certificates", "secrets": "rotations"}
    # Days from now to the end of the certificate.
    CERTIFICATES = {"ended": -1, "ends-in-30-days": 30, "ends-in-75-days": 75, "ends-in-400-days": 400, "has-none-yet": None}
    # Whether rotation is on, and days since the last one.
    ROTATIONS = {
        "rotated-10-days-ago": (True, 10), "rotated-100-days-ago": (True, 100), "never-yet-rotated": (True, None),
        "rotated-by-hand": (None, 10), "not-rotated": (None, None), "replica-of-another-region": (True, None),
    }

    def __init__(self, directory):
        self.directory = Path(directory) / "recording"
        self.directory.mkdir()
        self.resources = [("certificates", name) for name in self.CERTIFICATES] + [("rotations", n) for n in self.ROTATIONS]
        self._put("about", {"account": self.ACCOUNT, "region": self.REGION})
        instances = [self._instance(*each) for each in self.CERTIFICATES.items()]
        self._put("rds.DescribeDBInstances_1", {"data": {"DBInstances": instances}})
        secrets = [self._secret(name, *each) for name, each in self.ROTATIONS.items()]
        self._put("secretsmanager.ListSecrets_1", {"data": {"SecretList": secrets}})
        # The authority that signed them all; this one ends in 2061.
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
        self._put("rds.DescribeCertificates_1", {"data": {"Certificates": [{
            "CertificateIdentifier": "rds-ca-rsa2048-g1", "CertificateType": "CA", "ValidFrom": "2021-05-25T00:00:00Z",
            "ValidTill": "2061-05-25T00:00:00Z", "CustomerOverride": False,
            "CertificateArn": f"arn:aws:rds:{self.REGION}::cert:rds-ca-rsa2048-g1",
        }]}})

    @staticmethod
    def _in_days(days):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + days * 86400))

    def _secret(self, name, enabled, days):
        arn = f"arn:aws:secretsmanager:{self.REGION}:{self.ACCOUNT}:secret:{name}-AbCdEf"
        secret = {"ARN": arn, "Name": name, "LastChangedDate": self._in_days(-200), "CreatedDate": self._in_days(-400),
                  "SecretVersionsToStages": {"v1": ["AWSCURRENT"]}, "Tags": []}
        if enabled:
            secret.update(RotationEnabled=True, RotationRules={"AutomaticallyAfterDays": 30})
        if days:
            secret["LastRotatedDate"] = self._in_days(-days)
        if name.startswith("replica"):
            secret["PrimaryRegion"] = "eu-west-1"
        return secret

    def _put(self, name, content):
        (self.directory / f"{name}.json").write_text(json.dumps(content))

    def _instance(self, name, days):
        instance = {
            "DBInstanceIdentifier": name, "DBInstanceArn": f"arn:aws:rds:{self.REGION}:{self.ACCOUNT}:db:{name}",
            "DBInstanceStatus": "available" if days else "creating", "Engine": "postgres", "EngineVersion": "17.2",
            "DBInstanceClass": "db.t4g.micro", "BackupRetentionPeriod": 7, "PubliclyAccessible": False, "MultiAZ": True,
            "StorageEncrypted": True, "DeletionProtection": True, "AutoMinorVersionUpgrade": True, "MasterUsername": "owner",
            "IAMDatabaseAuthenticationEnabled": True, "CopyTagsToSnapshot": True, "CACertificateIdentifier": "rds-ca-rsa2048-g1",
            "DBParameterGroups": [{"DBParameterGroupName": "default.postgres17", "ParameterApplyStatus": "in-sync"}],
            "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-0db", "Status": "active"}],
            "Endpoint": {"Address": f"{name}.example.us-east-1.rds.amazonaws.com", "Port": 5432, "HostedZoneId": "Z0"},
        }
        if days:
            instance["CertificateDetails"] = {"CAIdentifier": "rds-ca-rsa2048-g1", "ValidTill": self._in_days(days)}
        return instance

    def kind(self, kind):
        return self.KINDS.get(kind, kind)

    def name(self, kind, identifier):
        name = identifier.rsplit(":", 1)[-1].removesuffix("-AbCdEf")
        return name if (kind, name) in self.resources else None

    def tagged(self, _kind, _name):
        return True


class World:
    """What was laid out, under the names of world.yaml."""

    def __init__(self, declared, made):
        (scope,) = declared["scopes"]
        (self.made,) = made.values()
        self.declared = scope
        self.resources = [
            (kind, name)
            for kind in ("db_instances", "db_clusters", "security_groups", "services", "task_definitions", "secrets")
            for name in (self._revisions() if kind == "task_definitions" else scope[kind])
        ]
        # Identifiers that the tools print, ARN, id or name, to (section, name).
        self._known = {}
        for kind, name in self.resources:
            arn = self.made[kind][name]
            for text in {arn, arn.rsplit(":", 1)[-1] if kind.startswith("db_") else arn}:
                self._known[kind, text] = name

    def _revisions(self):
        families = self.declared["task_definitions"]
        return [f"{family}:{number + 1}" for family, revisions in families.items() for number in range(len(revisions))]

    def kind(self, kind):
        """What the rows of this world call that section."""
        return kind

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


def holdfast(binary, world, endpoint, directory, checks):
    listed = run([binary, "rules"], endpoint, directory).stdout.splitlines()
    rules = {line.split()[0] for line in listed if line.startswith(" ")}
    present = [check for check in checks if check.rule in rules]
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
        kind, resource = world.kind(kinds[finding["resource"]["kind"]]), finding["resource"]
        name = world.name(kind, resource["arn"]) or world.name(kind, resource["id"])
        if check.name == "plaintext" and kind == "services":
            kind, name = "task_definitions", world.running()[name]
        verdicts[check.name, kind, name] = finding["verdict"]
    # What an emulator has no answer for; where that bears on a check compared here, its verdict is unknown.
    for service, operation in sorted({(error["service"], error["operation"]) for error in report["errors"]}):
        print(f"holdfast could not read {service}:{operation}")
    return verdicts, {check.name for check in checks if check not in present}


def custodian(venv, world, endpoint, directory, checks):
    wanted = {check.name for check in checks}
    policies = yaml.safe_load((HERE / "policies.yaml").read_text())["policies"]
    policies = [policy for policy in policies if policy["name"].partition("-of-")[0] in wanted]
    file = Path(directory) / "policies.yaml"
    file.write_text(yaml.safe_dump({"policies": policies}))
    # 2: a policy failed; the others ran. What that one would have said is not known.
    run([venv / "bin/custodian", "run", "--region", "us-east-1", "--cache-period", "0", "--output-dir", "out", file],
        endpoint, directory, allowed=(0, 2))
    sections = {
        "aws.rds": ("db_instances", "DBInstanceArn"), "aws.rds-cluster": ("db_clusters", "DBClusterArn"),
        "aws.security-group": ("security_groups", "GroupId"), "aws.ecs-service": ("services", "serviceArn"),
        "aws.ecs-task-definition": ("task_definitions", "taskDefinitionArn"), "aws.secrets-manager": ("secrets", "ARN"),
    }
    verdicts = {}
    for policy in policies:
        check = policy["name"].partition("-of-")[0]
        kind, key = sections[policy["resource"]]
        kind = world.kind(kind)
        report = Path(directory) / "out" / policy["name"] / "resources.json"
        for known, name in world.resources:
            if known == kind:
                verdicts.setdefault((check, kind, name), "pass" if report.exists() else "unknown")
        for found in json.loads(report.read_text()) if report.exists() else []:
            if name := world.name(kind, found[key]):
                verdicts[check, kind, name] = "fail"
    return verdicts


def prowler(venv, world, endpoint, directory, checks):
    checks = {name: check for check in checks for name in check.prowler}
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


def matrix(resources, verdicts, absent):
    """{(check, section, name): the three letters}"""
    cells = {}
    for check in CHECKS:
        for kind, name in resources:
            if kind in check.kinds:
                letters = [LETTERS[verdicts[tool].get((check.name, kind, name))] for tool in TOOLS]
                if check.name in absent:
                    letters[0] = " "
                cells[check.name, kind, name] = "".join(letters)
    return cells


def agree(cell):
    """Whether all who can tell say the same. Holdfast must be able to."""
    return cell[0] != "?" and len({letter == "F" for letter in cell if letter not in " ?"}) == 1


def print_matrix(resources, cells):
    width = max(len(name) for _, name in resources) + 2
    kind_before = None
    for kind, name in resources:
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
            if agree(wanted):
                continue
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
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the tools' own reports stay; a new directory")
    arguments = parser.parse_args()
    for needed in (arguments.holdfast, arguments.custodian / "bin/custodian", arguments.prowler / "bin/prowler"):
        if not Path(needed).exists():
            sys.exit(f"agree.py: there is no {needed}: tests/peers/run.sh installs the peers, `make build` makes Holdfast")
    declared = yaml.safe_load((HERE / "world.yaml").read_text())
    took, verdicts, absent = dict.fromkeys(TOOLS, 0.0), {tool: {} for tool in TOOLS}, set()

    def judge(world, endpoint, directory, checks):
        binary = str(Path(arguments.holdfast).resolve())
        tools = {
            "holdfast": lambda *given: holdfast(binary, *given),
            "custodian": lambda *given: custodian(arguments.custodian, *given),
            "prowler": lambda *given: prowler(arguments.prowler, *given),
        }
        for tool, its in tools.items():
            started = time.monotonic()
            said = its(world, endpoint, directory, checks)
            took[tool] += time.monotonic() - started
            if tool == "holdfast":
                said, missing = said
                absent.update(missing)
            verdicts[tool].update(said)
        return world.resources

    with tempfile.TemporaryDirectory() as scratch:
        directory = (arguments.keep or Path(scratch)).resolve()
        for part in ("emulated", "replayed"):
            (directory / part).mkdir(parents=True)
        with Emulator(arguments.emulator) as emulator:
            world = World(declared, lay_out(declared, emulator.endpoint, "123456789012"))
            resources = judge(world, emulator.endpoint, str(directory / "emulated"), EMULATED)
        replayed = Replayed(directory / "replayed")
        with Replay(replayed.directory) as replay:
            resources = resources + judge(replayed, replay.endpoint, str(directory / "replayed"), REPLAYED)
    versions = {
        "holdfast": tool_version([arguments.holdfast, "--version"], r"holdfast (\S+)"),
        "custodian": tool_version([arguments.custodian / "bin/custodian", "version"], r"(\d+\.\d+\.\d+)"),
        "prowler": tool_version([arguments.prowler / "bin/prowler", "--version"], r"(\d+\.\d+\.\d+)"),
    }
    said = ", ".join(f"{tool} {versions[tool]} ({took[tool]:.1f} s)" for tool in TOOLS)
    print(f"{said}; {arguments.emulator} {version(arguments.emulator)}; {time.strftime('%Y-%m-%d')}")
    if absent:
        print(f"this holdfast has no rule yet for: {', '.join(sorted(absent))}")
    cells = matrix(resources, verdicts, absent)
    print_matrix(resources, cells)
    sys.exit(0 if compare(cells, arguments.emulator, absent) else 1)


if __name__ == "__main__":
    main()
