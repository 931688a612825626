"""The parts that the stack's tests share; Neo4j and Valkey come from the outer `conftest.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graph.connection import Graph
from graph.settings import Settings
from tests.workers.processes import ROOT, environment, whole_stack

Kith = Callable[..., dict[str, Any]]

PUBLIC_DATA = Path(os.environ.get("TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
"""Where public benchmark folders lie, if they are there."""


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public benchmarks; a test that needs it is skipped where it is not there."""
    if not PUBLIC_DATA.is_dir():
        pytest.skip(f"no public data in {PUBLIC_DATA}")
    return PUBLIC_DATA


@pytest.fixture(scope="module")
def running(settings: Settings, graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The whole stack beside the run's Neo4j."""
    with whole_stack(settings, tmp_path_factory.mktemp("stack")) as chosen:
        yield chosen


@pytest.fixture(scope="module")
def kith(running: Settings) -> Kith:
    """Run a command in a process of its own and return its JSON."""

    def run(*arguments: object) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "kith.cli", *map(str, arguments), "--json"],
            cwd=ROOT,
            env=environment(running),
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run
