"""Training on a machine that has the engine's packages and no others: what `docs/gpu.md` tells an operator to do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine import artifact, world

ROOT = Path(__file__).parents[2]
ABSENT = ("neo4j", "redis", "celery", "flask", "apiflask", "pydantic", "rich", "scipy", "orjson", "granian")


def run(*command: object, cwd: Path, timeout_s: int = 600) -> str:
    """Run a command without this project's folder on the path and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False,
        timeout=timeout_s,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return done.stdout


def pins(file: str) -> dict[str, set[str]]:
    """Return the versions that a lock names, by package."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / file).read_text(), flags=re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def test_its_lock_names_the_versions_that_the_tests_run_with():
    everywhere = pins("requirements.lock")
    here = pins("engine.lock")
    assert {name for name, versions in here.items() if not versions <= everywhere.get(name, set())} == set()
    assert set(here).isdisjoint(ABSENT)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_it_trains_where_nothing_else_is_installed(tmp_path: Path):
    uv, python = Path(sys.executable).parent / "uv", tmp_path / "machine" / "bin" / "python"
    run(uv, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", tmp_path / "dist", ROOT,
        cwd=tmp_path)  # fmt: skip
    run(uv, "venv", "--python", sys.executable, tmp_path / "machine", cwd=tmp_path)
    run(uv, "pip", "install", "--python", python, "--require-hashes", "-r", ROOT / "engine.lock", cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run(uv, "pip", "install", "--python", python, "--no-deps", wheel, cwd=tmp_path)
    there = run(python, "-c", "import importlib.util as u, json; "
                f"print(json.dumps([n for n in {ABSENT!r} if u.find_spec(n)]))", cwd=tmp_path)  # fmt: skip
    assert json.loads(there) == []

    made = world.generate(world.WorldSettings(users=60, items=40, events=2_000, seed=1))
    artifact.write_snapshot(world.to_snapshot(made), tmp_path / "snapshot")
    run(python, "-m", "engine.training", "--from", "snapshot", "--out", "model", "--epochs", "2", "--threads", "1",
        "--device", "cpu", cwd=tmp_path)  # fmt: skip
    trained = artifact.read_artifact(tmp_path / "model")
    assert trained.user_embedding.shape[0] == 60
    assert trained.metrics["training"]["device"] == "cpu"
    assert trained.metrics["timings"]["edgesPerS"] > 0
