"""Cascades for tests: star-shaped, at times that the test names, written as the import writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from graph import cascades
from graph.connection import Graph
from graph.events import ingest
from graph.settings import Settings

AT_ONCE = 5_000


def shares_of(name: str, start_s: float, seconds: Sequence[float], users: Sequence[str]) -> list[dict[str, Any]]:
    """Return the events of one cascade: its root `NAME`, and its reshares `NAME-1`, `NAME-2`, … of the root."""
    return [
        {
            "eventId": f"{name}-{n}" if n else name,
            "type": "share",
            "occurredAt": datetime.fromtimestamp(start_s + after, UTC).isoformat(),
            "userId": user,
            "itemId": "cup",
            **({"parentShareId": name} if n else {}),
        }
        for n, (after, user) in enumerate(zip(seconds, users, strict=True))
    ]


def write(graph: Graph, settings: Settings, events: Sequence[dict[str, Any]], now_s: float) -> None:
    """Write events and count their cascades."""
    for start in range(0, len(events), AT_ONCE):
        assert ingest(graph, settings, events[start : start + AT_ONCE], now_s=now_s).rejected == []
    while cascades.count(graph, settings):
        pass
