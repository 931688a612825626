"""A cascade as its watchers are told of it: whole at first, then what changes.

Everyone who watches the same cascade through one process shares one look at it, at most every `LOOK_S`. So the cost
does not grow with the watchers, and the writers of events know nothing of them.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from api.streams import comment, event
from graph import cascade_reads
from graph.connection import Graph
from graph.errors import NotFoundError, UnavailableError
from graph.values import now_ms

LOOK_S: Final = 0.4
"""Between two looks at the numbers of a cascade."""
TREE_S: Final = 3.0
"""Between two looks at a tree whose numbers stay: who withdraws consent is gone from it within 5 s."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """A cascade at one moment."""

    numbers: Row
    """Those of its root, without `recentShares`, which changes by itself."""
    recent_shares: float
    shares: dict[str, Row]
    """By id, nearest to the root first, at most `cascade_reads.MOST_SHARES`."""
    truncated: bool
    event_id: str
    """The same for the same cascade, whichever process looks."""

    def whole(self) -> Row:
        """Return all of it."""
        return self._head() | {"shares": list(self.shares.values())}

    def since(self, before: Seen) -> Row:
        """Return what is another than before."""
        changed = [share for share_id, share in self.shares.items() if before.shares.get(share_id) != share]
        gone = [share_id for share_id in before.shares if share_id not in self.shares]
        return self._head() | {"shares": changed, "gone": gone}

    def _head(self) -> Row:
        return {**self.numbers, "recentShares": self.recent_shares, "truncated": self.truncated}


@dataclass(slots=True)
class _Place:
    """What is known of one cascade that is watched."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    watchers: int = 0
    seen: Seen | None = None
    looked_s: float = 0.0
    tree_s: float = 0.0


class Watch:
    """The cascades that are watched through this process."""

    def __init__(self, graph: Callable[[], Graph]) -> None:
        self._graph = graph
        self._lock = threading.Lock()
        self._places: dict[str, _Place] = {}

    def enter(self, share_id: str) -> None:
        """Begin to watch."""
        with self._lock:
            self._places.setdefault(share_id, _Place()).watchers += 1

    def leave(self, share_id: str) -> None:
        """Watch no longer; what nobody watches is forgotten."""
        with self._lock:
            place = self._places[share_id]
            place.watchers -= 1
            if not place.watchers:
                del self._places[share_id]

    def look(self, share_id: str) -> Seen:
        """Return the cascade of a share as it was at most `LOOK_S` ago; the caller has entered.

        Raises:
            NotFoundError: there is no such share, or it is no longer there.
            UnavailableError: no answer.
        """
        place = self._places[share_id]
        with place.lock:
            now = time.monotonic()
            if place.seen is None or now - place.looked_s >= LOOK_S:
                self._refresh(share_id, place, now)
                place.looked_s = now
            assert place.seen is not None  # noqa: S101  it was just looked at
            return place.seen

    def _refresh(self, share_id: str, place: _Place, now: float) -> None:
        graph = self._graph()
        numbers = cascade_reads.numbers(graph, share_id, now_ms=now_ms())
        recent = numbers.pop("recentShares")
        if place.seen is not None and place.seen.numbers == numbers and now - place.tree_s < TREE_S:
            return
        shares, truncated = cascade_reads.tree(graph, numbers["shareId"])
        text = hashlib.sha256(orjson.dumps([numbers, shares, truncated])).hexdigest()[:32]
        place.tree_s = now
        place.seen = Seen(numbers, recent, {share["shareId"]: share for share in shares}, truncated, text)


class CascadeEvents:
    """The events of one watcher, as long as it may read and the server runs."""

    def __init__(
        self,
        watch: Watch,
        share_id: str,
        last_id: str | None,
        may_read: Callable[[], bool],
        ending: threading.Event,
    ) -> None:
        """Look once, so that a share that is not there is an error and not a stream.

        Raises:
            NotFoundError: there is no such share.
            UnavailableError: no answer.
        """
        self._watch, self._share_id, self._ending = watch, share_id, ending
        self._last_id, self._may_read = last_id, may_read
        watch.enter(share_id)
        try:
            watch.look(share_id)
        finally:
            watch.leave(share_id)

    def __iter__(self) -> Iterator[bytes]:
        """Yield events, and nothing (an empty text) after each look that finds none."""
        self._watch.enter(self._share_id)
        try:
            yield from self._told()
        finally:
            self._watch.leave(self._share_id)

    def _told(self) -> Iterator[bytes]:
        known: Seen | None = None
        while not self._ending.wait(LOOK_S if known else 0.0):
            try:
                if not self._may_read():
                    return
                seen = self._watch.look(self._share_id)
            except UnavailableError:
                yield comment("the graph does not answer")
                self._ending.wait(LOOK_S)
                continue
            except NotFoundError:
                yield event("gone", "", {"shareId": self._share_id})
                return
            yield self._news(known, seen)
            known = seen

    def _news(self, known: Seen | None, seen: Seen) -> bytes:
        if known is None:
            return b"" if seen.event_id == self._last_id else event("cascade", seen.event_id, seen.whole())
        if seen.event_id == known.event_id:
            return b""
        if seen.numbers["shareId"] != known.numbers["shareId"]:
            return event("cascade", seen.event_id, seen.whole())
        return event("change", seen.event_id, seen.since(known))
