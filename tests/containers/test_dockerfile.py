"""Dockerfile: linted, pinned, without root, without secrets; its context holds nothing but the sources."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.containers.conftest import ROOT, SECRETS

Stage = list[tuple[str, str]]


def stages() -> dict[str, Stage]:
    """Return each stage's instructions by its name, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    found: dict[str, Stage] = {}
    for line in lines:
        instruction, rest = line.split(maxsplit=1)
        if instruction == "FROM":
            found[rest.split(" AS ")[1]] = []
        list(found.values())[-1].append((instruction, rest.strip()))
    return found


def test_hadolint_finds_nothing() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_base_is_pinned_to_the_python_that_the_tests_run_on() -> None:
    bases = [
        rest.split(" AS ")[0] for stage in stages().values() for instruction, rest in stage if instruction == "FROM"
    ]
    outside = [base for base in bases if base not in stages()]
    assert len(outside) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-trixie", outside[0])


def test_both_images_run_as_a_user_with_a_health_check_and_exec_form() -> None:
    for target, role in (("service", "api"), ("gpu", "worker-train")):
        last = dict(stages()[target])
        command = ["python", "-m", "kith.stack.role", role]
        assert last["USER"] == "10001:10001"
        assert json.loads(last["CMD"]) == command
        assert json.loads(last["HEALTHCHECK"].split("CMD", 1)[1]) == [*command, "--check"]
        assert last["VOLUME"] == "/var/lib/kith"
    assert dict(stages()["gpu"])["STOPSIGNAL"] == "SIGQUIT"
    assert list(stages())[-1] == "service", "a build without a target makes the last stage"


def test_no_layer_holds_a_secret() -> None:
    said = [(instruction, rest) for stage in stages().values() for instruction, rest in stage]
    assert "ARG" not in {instruction for instruction, _ in said}
    assert [rest for _, rest in said if any(secret in rest for secret in SECRETS)] == []
    assert [rest for instruction, rest in said if instruction == "ADD"] == []


def test_what_is_installed_comes_from_the_locks_by_the_script() -> None:
    runs = [rest for name in ("tools", "service-build", "gpu-build") for i, rest in stages()[name] if i == "RUN"]
    steps = [run.split("./containers/install.sh ")[1] for run in runs]
    assert steps == [
        "tools /opt/tools",
        "packages /opt/tools service /opt/kith",
        "kith /opt/tools /opt/kith",
        "packages /opt/tools gpu /opt/kith",
        "kith /opt/tools /opt/kith",
    ]


def test_the_context_is_a_list_of_what_may_enter() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert rules[0] == "*"
    packages = {"api", "benchmarks", "engine", "graph", "kith", "workers"}
    assert allowed == packages | {"bootstrap.lock", "containers", "LICENSE", "pyproject.toml", "README.md"}
    assert [path for path in allowed if not (ROOT / path).exists()] == []
