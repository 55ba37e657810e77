#!/usr/bin/env python3
"""Lays out a declared world of AWS resources on an emulator (ministack, moto, or a gateway before one).

    emulators/lay_out.py --endpoint http://127.0.0.1:4566 --world demo/world.yaml [--access-key 111111111111]

Prints JSON: for each scope its account and region, and name → id, ARN or URL of everything made. A world is YAML or
JSON. What it leaves out is as it should be (private, encrypted, retention 7, circuit breaker, ...), so that it spells
out just what is special:

    role: holdfast                    # assumed in scopes that name an account
    scopes:
    - name: main                      # default: account/region
      region: us-east-1
      account: "222222222222"         # absent: that of the access key
      vpcs:
        main:
          ipv6: true
          main_route: local           # local | igw | igw6 | egress6: of the main route table
          subnets:                    # route: local | igw | igw6 | egress6 | nat | main (no table of its own)
            private-a: {cidr: 10.0.1.0/24, az: a}
            public-a: {cidr: 10.0.2.0/24, az: a, route: igw}
      prefix_lists: {office: [203.0.113.0/24]}
      security_groups:
        app: {}
        db:
          tags: {"holdfast:workload": shop}
          ingress:                    # protocol: tcp (default) | udp | icmp | all; port (default 5432) or ports: [a, b]
          - {group: app}              # or name@scope, or {group: sg-0abc, account: "333333333333"} (moto: neither);
                                      # {group: app, account: "333333333333"} passes it off as another account's
          - {cidr: 0.0.0.0/0, ports: [5000, 6000]}
          - {cidr6: "::/0", protocol: all}
          - {prefix_list: office}
      db_subnet_groups: {private: [private-a]}
      db_parameter_groups: {tls: {family: postgres17, parameters: {rds.force_ssl: 1}, tags: {...}}}
      db_clusters: {aurora: {tags: {...}, subnet_group: private, security_groups: [db]}}
      db_instances:
        shop: {public: true, retention: 1, subnet_group: private, security_groups: [db], tags: {...}}
        shop-replica: {replica_of: shop}
        aurora-1: {cluster: aurora}
      keys: {vault: {alias: vault}}   # of KMS; policy: its key policy
      secrets:                        # string or json; deletion_in_days, policy
        shop-url: {string: "postgres://app:pw@{{endpoint:shop}}:{{port:shop}}/app", tags: {...}}
      parameters: {/shop/url: {string: "postgres://...", type: SecureString}}   # string or json; of Parameter Store
      roles:                          # IAM roles; `statements` is what their inline policy allows
        ecs-reader: {trusts: ecs-tasks.amazonaws.com, statements: [{Effect: Allow, Action: "*", Resource: "{{secret:shop-url}}"}]}
      clusters: {main: {}}
      task_definitions:
        web:                          # revisions, oldest first
        - {containers: {web: {port: 80, environment: {A: b}, secrets: {DATABASE_URL: "{{secret:shop-url}}"},
                              mounts: {data: /data}}}, volumes: {data: {efs: fs-0123}}, tags: {...}}
      services:
        main/web: {task_definition: "web:1", subnets: [private-a], security_groups: [app], updates: ["web:2"], tags: {...}}
      tasks: {migrate: {cluster: main, task_definition: "web:1", stopped: why}}
      queues: {events: {dead_letter: events-dead}}

Task definitions have the execution role `ecs-execution` and the task role `ecs-task` unless they name others. Both are
made wherever there are task definitions, and may do what such roles need: read every secret and parameter, run ECS
Exec. `roles: {ecs-execution: null}` leaves one out.

What the emulators lose without a word: ministack the source of prefix-list rules, the destination of IPv6 routes
(igw6, egress6) and the account of foreign groups; moto the circuit breaker. Neither moves a database from `available`
to any status but `stopped`.

`with: {...}` on databases, task definitions, containers and services goes to AWS as it stands.
Placeholders, in any string: {{endpoint:DB}} {{port:DB}} {{secret:NAME}} (whole ARN) {{secret-partial:NAME}} (without its
suffix) {{role:NAME}} {{key:NAME}} {{sg:NAME}} {{subnet:NAME}} {{vpc:NAME}} {{queue:NAME}}, each also as NAME@scope; {{account}} {{region}} {{now}}
{{now-36h}} {{now+2d}}.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
from world import databases, network, services  # noqa: E402
from world.scope import World, WorldError, forget_aws_settings, known_keys  # noqa: E402

# Enough to keep an emulator busy; more would only take turns on Python's interpreter lock.
THREADS = 8


def plain(spec):
    return "replica_of" not in spec


# Each step needs only what earlier ones made: (section, maker, which of its entries).
STEPS = [
    ("vpcs", network.make_vpc, None),
    ("prefix_lists", network.make_prefix_list, None),
    ("security_groups", network.make_security_group, None),
    ("security_groups", network.make_ingress, None),
    ("db_subnet_groups", databases.make_subnet_group, None),
    ("db_parameter_groups", databases.make_parameter_group, None),
    ("db_clusters", databases.make_cluster, None),
    ("db_instances", databases.make_instance, plain),
    ("db_instances", databases.make_instance, lambda spec: not plain(spec)),
    ("keys", databases.make_key, None),
    ("secrets", databases.make_secret, None),
    ("parameters", databases.make_parameter, None),
    ("roles", services.make_role, None),
    ("clusters", services.make_cluster, None),
    ("task_definitions", services.make_family, None),
    ("services", services.make_service, None),
    ("tasks", services.make_task, None),
    ("queues", services.make_queue, None),
]
SECTIONS = {section for section, _, _ in STEPS} | {"name", "region", "account", "role"}


def lay_out(declared, endpoint, access_key="test", threads=THREADS):
    """Makes everything; returns {scope: {"account", "region", kind: {name: id}}}."""
    world = World(declared, endpoint, access_key)
    for scope in world.scopes:
        known_keys(scope.declared, SECTIONS, f"scope {scope.name}")
        services.add_default_roles(world, scope)

    def make(maker, scope, section, name, spec):
        try:
            maker(world, scope, name, spec)
        except Exception as error:
            raise WorldError(f"{scope.name}: {section}.{name}: {error}") from error

    with ThreadPoolExecutor(threads) as pool:
        for section, maker, wanted in STEPS:
            jobs = [
                pool.submit(make, maker, scope, section, name, spec)
                for scope in world.scopes
                for name, spec in (scope.declared.get(section) or {}).items()
                if wanted is None or wanted(spec)
            ]
            for job in jobs:
                job.result()
    return {
        scope.name: {"account": scope.account, "region": scope.region, **{k: v for k, v in scope.made.items() if v}}
        for scope in world.scopes
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True, metavar="URL")
    parser.add_argument("--world", required=True, type=Path, metavar="FILE", help="YAML or JSON")
    parser.add_argument("--access-key", default="test", help="on ministack 12 digits choose the account")
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--quiet", action="store_true", help="print no summary on stderr")
    arguments = parser.parse_args()
    text = arguments.world.read_text()
    declared = json.loads(text) if arguments.world.suffix == ".json" else yaml.safe_load(text)
    forget_aws_settings()
    started = time.monotonic()
    made = lay_out(declared, arguments.endpoint, arguments.access_key, arguments.threads)
    json.dump(made, sys.stdout, indent=1)
    print()
    if not arguments.quiet:
        count = sum(len(scope.get(kind, {})) for scope in made.values() for kind in ("db_instances", "secrets", "services"))
        seconds = time.monotonic() - started
        print(f"lay_out.py: {count} databases, secrets and services in {seconds:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except WorldError as error:
        sys.exit(f"lay_out.py: {error}")
