"""The process that counts cascades: it counts within a second, and ends when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from graph.connection import Graph
from graph.events import ingest
from graph.settings import Settings
from tests.graph.test_events import NOW_S, event
from tests.workers.processes import until
from workers import cascades

Cypher = Callable[..., list[dict[str, Any]]]

pytestmark = pytest.mark.usefixtures("empty")


def test_what_is_shared_is_counted_within_a_second(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    stop = threading.Event()
    worker = threading.Thread(target=cascades.run, args=(graph, settings, stop))
    worker.start()
    try:
        size = "MATCH (s:Share {shareId: 's0'}) RETURN s.cascadeSize AS size"
        for number in range(5):
            parent = {"parentShareId": "s0"} if number else {}
            share = event("share", f"s{number}", number, userId=f"u{number}", itemId="cup", **parent)
            assert ingest(graph, settings, [share], now_s=NOW_S).accepted == 1
            until(lambda number=number: cypher(size) == [{"size": number + 1}], limit_s=10)
        began = time.monotonic()
        stop.set()
        worker.join(10)
        assert not worker.is_alive() and time.monotonic() - began < 2
    finally:
        stop.set()
    assert (settings.home / "run" / "cascades.mark").exists()
