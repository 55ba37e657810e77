#!/usr/bin/env python3
"""The tables of docs/scale.md: calls of a sweep, how long they take under AWS's rates, and cost per month.

    scripts/cost.py             prints them
    scripts/cost.py --write     puts them into docs/scale.md
    scripts/cost.py --check     exit 1 if docs/scale.md has others

Rates are read from crates/aws/src/client/limits.rs, so a change there shows here. Prices and assumptions stand below, each in its table.
Everything is computed; what was measured is in docs/benchmarks.md.
"""

import math
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/scale.md"
LIMITS = ROOT / "crates/aws/src/client/limits.rs"

HOURS = 730.5  # a month of 30.44 days
DAYS = HOURS / 24
MILLION = 1e6

# {name: (US dollars, for so many, of what, where it was looked up in November 2026)}. us-east-1, on demand, without the free
# allowances.
PRICES = {
    "vcpu": (0.04048, 1, "vCPU-hour, Fargate, x86", "https://www.vantage.sh/blog/fargate-pricing"),
    "memory": (0.004445, 1, "GB-hour, Fargate, x86", "https://www.vantage.sh/blog/fargate-pricing"),
    "sqs": (0.40, MILLION, "requests of SQS, standard queue", "https://cloudburn.io/blog/amazon-sqs-pricing"),
    "forward": (1.00, MILLION, "events sent to a bus of another account or region, 64 KB each",
                "https://cloudburn.io/blog/amazon-eventbridge-pricing"),
    "write": (0.625, MILLION, "write units of DynamoDB, on demand", "docs/replicas.md"),
    "read": (0.125, MILLION, "read units of DynamoDB, on demand", "docs/replicas.md"),
    "secrets": (0.05, 1e4, "calls of Secrets Manager",
                "https://hivebook.wiki/wiki/aws-secrets-manager-rotated-secrets-dynamic-db-credentials-kms"),
    "logs": (0.50, 1, "GB taken in by CloudWatch Logs",
             "https://www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/"),
    "alarm": (0.10, 1, "alarm of CloudWatch a month", "https://github.com/vreutova/infracost-idem-support/pull/2"),
    "trail": (2.00, 1e5, "management events in a second copy, CloudTrail", "https://aws.amazon.com/cloudtrail/pricing/"),
    "guardduty": (4.00, MILLION, "management events looked at by GuardDuty, first tier",
                  "https://www.factualminds.com/blog/amazon-guardduty-pricing-data-sources-multi-account.md"),
    "nat": (0.045, 1, "GB through a NAT gateway", "https://cloudburn.io/blog/aws-nat-gateway-pricing"),
}

# What a fleet is taken to be.
WORKLOADS = 10  # of one account and region
CLUSTERS = 2
REGIONS = 2
INTERVAL = 300  # seconds: sweep.interval
EVENTS = 200  # a day, of one account and region: tasks that start and stop, backups, deployments
CHANGES = 5  # findings that come up, and go, of one workload in a month
LOG_LINE = 500  # bytes of a line in JSON with CloudWatch's overhead; one a sweep and two an event
SWEEP_BYTES = 100_000  # answers of one steady sweep
ROUND_TRIPS = 5  # of a sweep: calls that wait for each other
ROUND_TRIP = 0.15  # seconds
SWEEPS_AT_ONCE = 8  # of one replica: Controller::Sweep in crates/operator/src/controller/controllers.rs

# Accounts: (replicas, vCPU, GB). Sized for one replica less than there are.
SIZES = {1: (2, 0.25, 0.5), 10: (2, 0.25, 0.5), 100: (2, 0.5, 1), 1000: (4, 1, 2)}


def rates():
    """{family: (burst, calls a second)} that sweeps may use, of one account and region."""
    text = LIMITS.read_text()
    number = lambda name: float(re.search(rf"const {name}: f64 = ([\d.]+);", text)[1])  # noqa: E731
    margin, sweeps = number("MARGIN"), number("SWEEPS")
    shape = r"Family::(\w+),\s*ApiService::\w+,\s*\w+,\s*Rate \{\s*burst: (\d+),\s*per_second: ([\d.]+),"
    found = {}
    for family, burst, per_second in re.findall(shape, text):
        burst = int(burst) - math.ceil(int(burst) / 25)
        found[family] = (max(1, math.floor(burst * sweeps)), float(per_second) * margin * sweeps)
    assert len(found) >= 18, "crates/aws/src/client/limits.rs has another shape than this script reads"
    return found


def pages(count, size):
    return max(1, math.ceil(count / size))


def steady(workloads, clusters):
    """{(family, operation): calls} of a sweep when nothing has changed. One service, database and secret a workload, two
    security groups with three rules together; crates/aws/src/inventory has the sizes of pages."""
    return {
        ("Tagging", "GetResources"): pages(workloads, 100) + 1,
        ("EcsServices", "DescribeServices"): clusters * pages(workloads / clusters, 10),
        ("RdsDescribe", "DescribeDBInstances"): pages(workloads, 100),
        ("RdsDescribe", "DescribeDBClusters"): 1,
        ("Ec2Describe", "DescribeSecurityGroups"): pages(2 * workloads, 1000),
        ("Ec2Describe", "DescribeSecurityGroupRules"): pages(3 * workloads, 1000),
        ("Ec2Describe", "DescribeSubnets"): 1,
        ("Ec2Describe", "DescribeRouteTables"): 1,
        ("SecretsList", "ListSecrets"): pages(workloads, 100),
    }


def first(workloads, clusters):
    """The same for the first sweep of a process, where every workload has a role of its own, a revision to go back to,
    and a log."""
    return {
        **steady(workloads, clusters),
        ("EcsDefinitions", "DescribeTaskDefinition"): workloads,
        ("SecretsList", "BatchGetSecretValue"): pages(workloads, 20),
        ("SecretsPolicy", "GetResourcePolicy"): workloads,
        ("EcsDeployments", "ListServiceDeployments"): workloads,
        ("Iam", "SimulatePrincipalPolicy"): workloads,
        ("Logs", "FilterLogEvents"): workloads,
    }


def seconds(calls):
    """(how long the calls take at least, what binds them)"""
    families = {}
    for (family, _), count in calls.items():
        families[family] = families.get(family, 0) + count
    allowed, slowest = rates(), (ROUND_TRIPS * ROUND_TRIP, "round trips")
    for family, count in families.items():
        burst, per_second = allowed[family]
        slowest = max(slowest, (max(0, count - burst) / per_second, family))
    return slowest


def span(value):
    return f"{value:.1f} s" if value < 90 else f"{value / 60:.1f} min"


def dollars(value):
    return f"${value:,.2f}" if value < 100 else f"${value:,.0f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def calls_table():
    names = sorted({name for _, name in steady(1, 1)})
    sizes = [(10, 2), (100, 10), (1000, 100), (5000, 500)]
    rows = []
    for name in names:
        counts = [next(n for (_, op), n in steady(*size).items() if op == name) for size in sizes]
        rows.append([f"`{name}`", *(f"{n:,}" for n in counts)])
    rows.append(["**all**", *(f"**{sum(steady(*size).values()):,}**" for size in sizes)])
    return table(["calls of a steady sweep", *(f"{w:,} workloads in {c} clusters" for w, c in sizes)], rows)


def time_table():
    rows = []
    for size in [(10, 2), (100, 10), (1000, 100), (5000, 500)]:
        again, at_first = seconds(steady(*size)), seconds(first(*size))
        rows.append([
            f"{size[0]:,} in {size[1]}", f"{sum(steady(*size).values()):,}", span(again[0]), again[1],
            f"{sum(first(*size).values()):,}", span(at_first[0]), at_first[1],
        ])
    return table(["workloads in clusters", "calls, steady", "at least", "bound by", "calls, first", "at least", "bound by"], rows)


def coverage_table():
    rows = []
    for accounts, (replicas, _, _) in SIZES.items():
        scopes = accounts * REGIONS
        rounds = math.ceil(scopes / min(scopes, SWEEPS_AT_ONCE * replicas))
        again, at_first = (rounds * seconds(of(WORKLOADS, CLUSTERS))[0] for of in (steady, first))
        rows.append([f"{accounts:,}", f"{scopes:,}", f"{scopes * WORKLOADS:,}", str(replicas), span(again), span(at_first)])
    return table(["accounts", "scopes", "workloads", "replicas", "full coverage, steady", "after a start"], rows)


def costs(accounts):
    """{item: dollars a month}, and what may come on top."""
    replicas, vcpu, memory = SIZES[accounts]
    price = {name: amount / many for name, (amount, many, _, _) in PRICES.items()}
    scopes, sweeps = accounts * REGIONS, HOURS * 3600 / INTERVAL
    workloads, events = scopes * WORKLOADS, scopes * EVENTS * DAYS
    calls = sum(steady(WORKLOADS, CLUSTERS).values()) * sweeps * scopes
    # docs/replicas.md: an announcement each 5 s, a look each 4.5 s, a mailbox each second; a lease has 125 bytes.
    looks = HOURS * 3600 / 4.5 * (1 + math.ceil(scopes * 125 / 4096))
    leases = replicas * (HOURS * 3600 / 5 * price["write"] + (looks + HOURS * 3600 / 2) * price["read"])
    handed_over = events * (replicas - 1) / replicas * 2 * price["write"]
    # A finding is three items at most, each written in a transaction (two units), when it comes and when it goes.
    ledger = workloads * CHANGES * 2 * 3 * 2 * price["write"]
    # The list at each sweep; each policy, and values by twenty, again after 12 to 24 hours.
    secrets = scopes * (sweeps * pages(WORKLOADS, 100) + DAYS * 24 / 18 * (WORKLOADS + pages(WORKLOADS, 20)))
    polls = replicas * HOURS * 3600 / 20
    items = {
        "Fargate": replicas * HOURS * (vcpu * price["vcpu"] + memory * price["memory"]),
        "Secrets Manager": secrets * price["secrets"],
        "DynamoDB": leases + handed_over + ledger,
        "SQS": (polls + 3 * events) * price["sqs"],
        # All but those of the account and region that Holdfast runs in.
        "EventBridge": (scopes - 1) / scopes * events * price["forward"],
        "CloudWatch": (scopes * sweeps + 2 * events) * LOG_LINE / 1e9 * price["logs"] + 2 * price["alarm"],
    }
    on_top = {
        "a second copy of CloudTrail": calls * price["trail"],
        "GuardDuty": calls * price["guardduty"],
        "NAT gateway": scopes * sweeps * SWEEP_BYTES / 1e9 * price["nat"],
    }
    return items, on_top


def cost_table(which):
    by_size = {accounts: costs(accounts)[which] for accounts in SIZES}
    head = ["a month", *(f"{n:,} account{'s' if n > 1 else ''}" for n in SIZES)]
    rows = [[item, *(dollars(c[item]) for c in by_size.values())] for item in by_size[1]]
    if which == 0:
        rows.append(["**all**", *(f"**{dollars(sum(c.values()))}**" for c in by_size.values())])
        each = (sum(c.values()) / (n * REGIONS * WORKLOADS) for n, c in by_size.items())
        rows.append(["for each workload", *(dollars(c) for c in each)])
    return table(head, rows)


def price_table():
    rows = [
        [f"${amount:g}", unit if many == 1 else f"{many:,.0f} {unit}", f"<{where}>" if where.startswith("http") else where]
        for amount, many, unit, where in PRICES.values()
    ]
    return table(["price", "for each", "looked up"], rows)


def assumption_table():
    size = lambda s: f"{s[0]} × {s[1]:g} vCPU, {s[2]:g} GB"  # noqa: E731
    return table(["assumption", "value"], [
        ["regions of each account", str(REGIONS)],
        ["workloads, and clusters, of each account and region", f"{WORKLOADS}, {CLUSTERS}"],
        ["`sweep.interval`", f"{INTERVAL // 60} min"],
        ["events of each account and region", f"{EVENTS} a day"],
        ["findings that come up and go", f"{CHANGES} a workload a month"],
        ["a line of the log; lines", f"{LOG_LINE} bytes; one a sweep, two an event"],
        ["answers of a steady sweep", f"{SWEEP_BYTES // 1000} KB"],
        ["calls of a sweep that wait for each other", f"{ROUND_TRIPS}, {ROUND_TRIP * 1000:.0f} ms each"],
        ["sweeps at once of one replica", str(SWEEPS_AT_ONCE)],
        ["tasks", "; ".join(f"{n:,}: {size(s)}" for n, s in SIZES.items())],
    ])


def tables():
    return {
        "calls": calls_table(), "time": time_table(), "coverage": coverage_table(), "assumptions": assumption_table(),
        "cost": cost_table(0), "on-top": cost_table(1), "prices": price_table(),
    }


def filled(page):
    for name, text in tables().items():
        begin, end = f"<!-- scripts/cost.py: {name} -->", "<!-- end -->"
        before, found, rest = page.partition(begin)
        assert found, f"{PAGE}: {begin} is missing"
        page = f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}"
    return page


def main(arguments):
    if arguments == ["--write"]:
        PAGE.write_text(filled(PAGE.read_text()))
    elif arguments == ["--check"]:
        page = PAGE.read_text()
        if filled(page) != page:
            print(f"{PAGE.relative_to(ROOT)} has other tables than scripts/cost.py computes: run scripts/cost.py --write")
            return 1
    elif not arguments:
        print("\n\n".join(f"{name}\n\n{text}" for name, text in tables().items()))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
