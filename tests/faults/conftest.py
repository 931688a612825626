"""What the fault tests share: how many faults to plant, and the table that each test ends in.

`make test` runs a short form of each test, `make faults` (which sets FAULTS=full) all of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pytest

from graph.connection import Graph
from graph.digest import digest

FULL = os.environ.get("FAULTS") == "full"


@dataclass
class Report:
    """The counts that every fault test ends in."""

    promise: str
    seed: int
    attempted: int = 0
    acknowledged: int = 0
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    recovered: int = 0


@pytest.fixture
def report(request: pytest.FixtureRequest, graph: Graph, capsys: pytest.CaptureFixture[str]) -> Iterator[Report]:
    """Counts to fill; printed with the graph's hash when the test ends, also when it fails."""
    counts = Report(request.node.name, seed=0)
    yield counts
    with capsys.disabled():
        print("\n" + " ".join(f"{key}={value}" for key, value in asdict(counts).items()), f"hash={digest(graph)}")
