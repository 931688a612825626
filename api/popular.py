"""The list for everyone: popular items, counted at most once a minute and process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from graph import queries
from graph.connection import Graph

KEPT_S = 60.0
REST = 20
"""A large shop is counted less often: at most one part in so many of the time."""


class PopularItems:
    """Popular items with scores in (0, 1]; an old list is served while one caller counts again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._items: list[tuple[str, float]] | None = None
        self._category: dict[str, str | None] = {}
        self._counted_at = 0.0
        self._kept_s = KEPT_S

    def top(self, graph: Graph, category: str | None = None) -> list[tuple[str, float]]:
        """Return `(itemId, score)`, most popular first, of one category if given.

        Raises:
            UnavailableError: there is no list yet and the graph does not answer.
        """
        if self._items is None:
            with self._lock:
                if self._items is None:
                    self._count(graph)
        elif self._clock() - self._counted_at > self._kept_s and self._lock.acquire(blocking=False):
            try:
                self._count(graph)
            finally:
                self._lock.release()
        items = self._items or []
        return [each for each in items if self._category.get(each[0]) == category] if category else items

    def _count(self, graph: Graph) -> None:
        began = self._clock()
        rows = queries.popular_items(graph)
        self._kept_s = max(KEPT_S, REST * (self._clock() - began))
        most = max((row["acts"] for row in rows), default=0) or 1
        self._category = {row["itemId"]: row["category"] for row in rows}
        self._items = [(row["itemId"], row["acts"] / most) for row in rows]
        # An empty shop is asked again at once, so that its first items show.
        self._counted_at = self._clock() if rows else float("-inf")
