"""Background writing that yields: at full speed while nobody else uses the server, in small steps with rests otherwise.

On a small machine the server has as many cores as a reader and a writer need; a writer that rests as long as it worked,
and whose transactions are small, leaves readers' waiting times nearly as they are (`kith bench publish`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from graph.connection import Graph

MEASURED_EVERY_S = 0.25
OTHERS_PER_S = 5.0
"""Fewer transactions a second are Kith's own: heartbeats, health checks, the scrape of metrics."""
LONGEST_REST_S = 1.0

T = TypeVar("T")


class Pace:
    """The pace of one writer; until the first measurement it takes itself to be alone.

    Neo4j numbers its transactions, reads included, so how far its numbers have come tells how much others do.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._shared = False
        self.rested_s = 0.0
        """How long it has rested so far."""
        self._begin(self._newest())

    def rows(self, alone: int, shared: int) -> int:
        """Return how many rows the next transaction may have: `alone`, or `shared` while others use the server."""
        return min(alone, shared) if self._shared else alone

    def step(self, work: Callable[[], T]) -> T:
        """Run `work`, which is one transaction, then rest for as long as it took if others use the server."""
        began = time.monotonic()
        result = work()
        self._own += 1
        if self._shared:
            rest_s = min(time.monotonic() - began, LONGEST_REST_S)
            time.sleep(rest_s)
            self.rested_s += rest_s
        if (elapsed := time.monotonic() - self._since) >= MEASURED_EVERY_S:
            newest = self._newest()
            self._shared = (newest - self._number - self._own) / elapsed > OTHERS_PER_S
            self._begin(newest)
        return result

    def _begin(self, newest: int) -> None:
        self._number, self._own, self._since = newest, 1, time.monotonic()

    def _newest(self) -> int:
        return self._graph.read("publication.newest_transaction")[0]["number"]
