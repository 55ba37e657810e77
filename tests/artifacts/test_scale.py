"""docs/scale.md: its tables are what scripts/cost.py computes, and that computes with what the code does."""

import importlib.util
import re
import subprocess
import sys

import pytest
import yaml

from servers import ROOT

spec = importlib.util.spec_from_file_location("cost", ROOT / "scripts/cost.py")
cost = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cost)


def test_page_has_the_tables_of_the_script():
    checked = subprocess.run([sys.executable, ROOT / "scripts/cost.py", "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_script_computes_with_the_codes_own_figures():
    controllers = (ROOT / "crates/operator/src/controller/controllers.rs").read_text()
    assert int(re.search(r"Self::Sweep => (\d+),", controllers)[1]) == cost.SWEEPS_AT_ONCE
    settings = yaml.safe_load((ROOT / "config/holdfast.yaml").read_text())
    assert settings["sweep"]["interval"] == f"{cost.INTERVAL // 60}m"
    # The budget of issue 4, which bench/steady.py measures.
    assert sum(cost.steady(1000, 100).values()) <= 150


@pytest.mark.parametrize("page", ["scale.md", "replicas.md", "ledger.md", "events.md"])
def test_pages_name_only_files_that_exist(page):
    text = (ROOT / "docs" / page).read_text()
    later = {"docs/benchmarks.md"}  # written by bench/, not by hand
    for path in set(re.findall(r"\b((?:deploy|docs|scripts|crates|src|bench|tests)/[\w./-]+\.\w+)", text)) - later:
        assert (ROOT / path).exists(), f"docs/{page} names {path}"
    for link in re.findall(r"\]\(([\w./-]+?)(?:#[\w-]+)?\)", text):
        assert (ROOT / "docs" / link).exists(), f"docs/{page} links to {link}"


def test_lease_costs_are_those_of_the_page_on_replicas():
    """Two replicas and 1,000 scopes: announcements, looks and mailboxes."""
    page = (ROOT / "docs/replicas.md").read_text()
    (row,) = re.findall(r"^\| 2 \| 1,000 \|.*\*\*\$([\d.]+)\*\* \|$", page, re.M)
    price = {name: amount / many for name, (amount, many, _, _) in cost.PRICES.items()}
    month = cost.HOURS * 3600
    looks = month / 4.5 * (1 + -(-1000 * 125 // 4096))
    leases = 2 * (month / 5 * price["write"] + (looks + month / 2) * price["read"])
    assert leases == pytest.approx(float(row), abs=0.02)
