"""The items that this process keeps for the rules of lists; what it knows is at most `MOST_AGE_S` old.

A request that finds it older than `FRESH_S` reads what changed since (an index on `ingestedAt`); it is one request
among many, and the others go on meanwhile. Deletions show in the number of items: then everything is read again,
beside the requests.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from engine.serving.shelf import Shelf
from graph import catalogue
from graph.connection import Graph
from graph.errors import GraphError

log = logging.getLogger("kith.api")

FRESH_S = 1.0
MOST_AGE_S = 2.0
"""A request does not go on with what is older than this."""
OVERLAP_MS = 3_000
"""A transaction may commit this long after it stamped its items; one that takes longer is found by the wider look."""
WIDE_MS = 120_000
WIDE_EVERY_S = 30.0
REREAD_AFTER_S = 30.0
"""Between two readings of everything, and ten times as long as one takes."""
MOST_GONE = 10_000


class Catalogue:
    """What lists ask of items, for up to `most` of them; the others are read from Neo4j for each list."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._shelf: Shelf | None = None
        self._gone: set[str] = set()
        self._read_at = float("-inf")
        self._written = 0
        """Writes of this process that a reading has to follow."""
        self._followed = 0
        self._wide_at = 0.0
        self._reread_at = 0.0
        self._since_ms = 0
        self._reading: threading.Thread | None = None

    def shelf(self, graph: Graph) -> Shelf:
        """Return the items, read anew where they are not fresh.

        Raises:
            UnavailableError: they had to be read and Neo4j does not answer.
        """
        age_s = self._age_s()
        if age_s > FRESH_S and self._lock.acquire(blocking=age_s > MOST_AGE_S):
            try:
                if self._age_s() > FRESH_S:
                    self._refresh(graph)
            finally:
                self._lock.release()
        assert self._shelf is not None  # noqa: S101  the first call refreshed
        return self._shelf

    def expect_change(self) -> None:
        """Read what changed before the next list: this process has written items."""
        with self._lock:
            self._written += 1

    def forget(self, item_id: str) -> None:
        """Show an item no longer: this process has deleted it."""
        with self._lock:
            if self._shelf is not None:
                self._shelf.withdraw(item_id)

    def learn(self, graph: Graph, items: Iterable[str]) -> Shelf | None:
        """Look up items that are not kept; return them on a shelf of their own where there is no room for them.

        Raises:
            UnavailableError: Neo4j does not answer.
        """
        shelf = self.shelf(graph)
        unknown = [item for item in items if item not in shelf.index and item not in self._gone]
        if not unknown:
            return None
        found = catalogue.facts_of(graph, unknown)
        with self._lock:
            if len(self._gone) > MOST_GONE:
                self._gone.clear()
            self._gone.update(set(unknown) - {row[0] for row in found})
            if len(shelf) + len(found) <= self._most:
                shelf.update(found)
                return None
        return _shelf_of(found)

    def _age_s(self) -> float:
        return self._clock() - self._read_at if self._followed == self._written else float("inf")

    def _refresh(self, graph: Graph) -> None:
        """Read what changed; only then do others who come meanwhile take the shelf for fresh."""
        written = self._written
        if self._shelf is None:
            self._read_all(graph)
        else:
            self._read_changes(graph, self._shelf)
        self._followed = written

    def _read_changes(self, graph: Graph, shelf: Shelf) -> None:
        now = self._clock()
        is_wide = now - self._wide_at > WIDE_EVERY_S
        found = catalogue.changes(graph, self._since_ms - (WIDE_MS if is_wide else OVERLAP_MS))
        shelf.update(row for row in found.facts if row[0] in shelf.index or len(shelf) < self._most)
        self._gone.difference_update(row[0] for row in found.facts)
        self._since_ms, self._read_at = found.ms, now
        if is_wide:
            self._wide_at = now
        is_whole = len(found.facts) < catalogue.MOST_CHANGES and len(shelf) == min(found.items, self._most)
        if not is_whole and now > self._reread_at and not (self._reading and self._reading.is_alive()):
            self._reading = threading.Thread(target=self._read_again, args=(graph,), name="catalogue", daemon=True)
            self._reading.start()

    def _read_all(self, graph: Graph) -> None:
        began = self._clock()
        ms = catalogue.changes(graph, 1 << 47).ms
        shelf = Shelf()
        for page in catalogue.pages(graph, self._most):
            shelf.update(page)
        self._gone = set()
        self._since_ms, self._shelf, self._read_at = ms, shelf, began
        self._reread_at = self._clock() + max(REREAD_AFTER_S, 10 * (self._clock() - began))
        self._wide_at = began
        log.info("%d items read in %.2f s", len(shelf), self._clock() - began)

    def _read_again(self, graph: Graph) -> None:
        try:
            self._read_all(graph)
        except GraphError as error:
            log.warning("items were not read again: %s", type(error).__name__)


def _shelf_of(facts: Sequence[catalogue.Facts]) -> Shelf:
    shelf = Shelf()
    shelf.update(facts)
    return shelf
