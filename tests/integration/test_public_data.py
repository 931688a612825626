"""Public benchmark folders as they are, imported twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graph.connection import Graph
from graph.files import import_folder
from graph.settings import Settings

Cypher = Callable[..., list[dict[str, Any]]]


@pytest.mark.timeout(300)
def test_lastfm(graph: Graph, settings: Settings, cypher: Cypher, public_data: Path) -> None:
    folder = public_data / "lastfm-sociallgn"
    if not folder.is_dir():
        pytest.skip("lastfm-sociallgn is not there")
    report = import_folder(graph, settings, folder)
    assert (report.accepted, report.quarantined) == (74_267, 0)
    again = import_folder(graph, settings, folder)
    assert (again.accepted, again.duplicates) == (0, 74_267)
    assert cypher("MATCH ()-[r]->() RETURN type(r) AS t, count(*) AS n ORDER BY t") == [
        {"t": "FRIEND", "n": 12_717},
        {"t": "LIKED", "n": 74_267},
    ]
