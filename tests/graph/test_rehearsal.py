"""The rehearsal writes events of every kind of effect and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from graph import connection, cypher_text, digest, rehearsal
from graph.connection import Graph
from graph.events import ingest
from graph.settings import Settings

Cypher = Callable[..., list[dict[str, Any]]]
SELDOM = {
    "add_recipients", "create_items", "create_users", "find_items", "find_users", "lock_shares", "read_clock",
    "read_owners",
}  # fmt: skip
"""What imports need, or few requests: unknown ids refused, shares told again, trees hung elsewhere."""


def test_it_leaves_nothing(empty: None, graph: Graph, settings: Settings, cypher: Cypher) -> None:
    at = "2026-11-01T00:00:00Z"
    given = [{"eventId": "e1", "type": "like", "userId": "ann", "itemId": "cup", "occurredAt": at}]
    assert ingest(graph, settings, given, imported=True).accepted == 1
    before = digest.digest(graph)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: rehearsal.rehearse(graph), range(2)))
    assert digest.digest(graph) == before
    assert cypher("MATCH (n) WHERE n:KithTouch OR n:KithPending RETURN count(n) AS n")[0]["n"] == 0
    assert cypher("MATCH (e:Event) RETURN count(e) AS n")[0]["n"] == 1


def test_it_runs_what_writes_events(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    load = connection.load
    monkeypatch.setattr(connection, "load", lambda name: (asked.add(name), load(name))[1])
    rehearsal.rehearse(graph)
    every = {name.removeprefix("events.") for name in cypher_text.names() if name.startswith("events.")}
    assert every - {name.removeprefix("events.") for name in asked} == SELDOM
