#!/usr/bin/env python3
"""Adds the rule of CONTRIBUTING.md, "Adding a rule, step by step", to a scratch copy, by the steps that it gives.

Checks that the copy builds, that the rule's cases run, that it is in the registry, that the tests of the core hold, and that
just the files were touched that the steps name. Builds holdfast-core alone, into CARGO_TARGET_DIR or target/prove-new-rule.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECTION = re.compile(r"^## Adding a rule, step by step\n(.*?)^## ", re.M | re.S)
# "New file `PATH`:" or "In `PATH`, after|before `LINE`:", then a fence with the text.
STEP = re.compile(
    r"^ *(?:New file `(?P<new>[^`]+)`|In `(?P<old>[^`]+)`, (?P<where>after|before) `(?P<line>[^`]+)`):\n\n"
    r"(?P<indent> *)```\w+\n(?P<text>.*?)^(?P=indent)```$",
    re.M | re.S,
)
CORE_TESTS = ["cargo", "test", "--quiet", "--package", "holdfast-core", "--lib", "--"]


def fail(message: str) -> None:
    sys.exit(f"scripts/prove-new-rule.py: {message}")


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        fail(f"{' '.join(command)} failed:\n{done.stdout[-8000:]}")
    return done.stdout


def copy_to(scratch: Path) -> None:
    """The working tree as it is, committed or not, as a repository of its own."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, scratch / name)
    run("git", "init", "--quiet", cwd=scratch)
    run("git", "add", "--all", cwd=scratch)
    author = ("-c", "user.name=prove", "-c", "user.email=prove@localhost", "-c", "commit.gpgsign=false")
    run("git", *author, "commit", "--quiet", "--message", "before", cwd=scratch)


def apply(step: re.Match[str], scratch: Path) -> str:
    """Carries out one step; the path that it names."""
    text = "".join(line.removeprefix(step["indent"]) for line in step["text"].splitlines(keepends=True))
    if step["new"]:
        path = scratch / step["new"]
        if path.exists():
            fail(f"{step['new']} is there already")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return step["new"]
    path = scratch / step["old"]
    lines = path.read_text().splitlines(keepends=True)
    places = [at for at, line in enumerate(lines) if line.startswith(step["line"])]
    if len(places) != 1:
        fail(f"{step['old']} has {len(places)} lines that begin with {step['line']!r}")
    at = places[0] + (step["where"] == "after")
    path.write_text("".join([*lines[:at], text, *lines[at:]]))
    return step["old"]


def main() -> None:
    section = SECTION.search((ROOT / "CONTRIBUTING.md").read_text())
    steps = list(STEP.finditer(section[1])) if section else []
    folders = {Path(step["new"]).parent.name for step in steps if step["new"]}
    if len(folders) != 1:
        fail(f"CONTRIBUTING.md describes the folder of one rule, not {sorted(folders)}")
    rule = folders.pop()
    os.environ.setdefault("CARGO_TARGET_DIR", str(ROOT / "target" / "prove-new-rule"))

    with tempfile.TemporaryDirectory(prefix="holdfast-new-rule-") as name:
        scratch = Path(name)
        copy_to(scratch)
        named = sorted({apply(step, scratch) for step in steps})
        status = run("git", "status", "--porcelain", "--untracked-files=all", cwd=scratch).splitlines()
        touched = sorted(line[3:] for line in status)
        if touched != named:
            fail(f"touched {touched}, but the steps name {named}")

        run("cargo", "fmt", "--package", "holdfast-core", "--check", cwd=scratch)
        folder = scratch / "crates/core/src/rules" / rule
        run("rustfmt", "--edition", "2024", "--check", str(folder / "mod.rs"), cwd=scratch)
        ran = run(*CORE_TESTS, "--format", "pretty", f"{rule}::", cwd=scratch)
        # These come from the registry, one for each table of cases.
        for table in ("failing", "passing", "unknown"):
            if f"rules::cases::{rule}::{table} ... ok" not in ran:
                fail(f"the {table} cases of {rule} did not run:\n{ran}")
        if f"rules::{rule}::cases::" not in ran:
            fail(f"no test in cases.rs of {rule} ran:\n{ran}")
        run(*CORE_TESTS, "rules::", "config::", "evaluate::", cwd=scratch)
        run("cargo", "clippy", "--quiet", "--package", "holdfast-core", "--all-targets", "--", "-D", "warnings", cwd=scratch)

        after = run("git", "status", "--porcelain", "--untracked-files=all", cwd=scratch).splitlines()
        if after != status:
            fail(f"the checks changed files: {after}")
    print(f"{rule}: builds, its cases run, it is registered, and just these files were touched:")
    print("\n".join(f"  {path}" for path in named))


if __name__ == "__main__":
    main()
